/* The controls of the what-if panel: they show settings, and say when one of them is changed. */
const panel = (() => {
  "use strict";

  const { element, byId } = format;
  const LOG = 100; // positions of a slider between a factor of 1 and of 10

  const options = (select, values, chosen) => {
    select.replaceChildren(...values.map(([value, text]) => element("option", { value }, text)));
    select.value = chosen;
    select.disabled = values.length < 2;
  };

  /* A number and a slider for the same thing. `slide` maps positions to values and back. */
  function knob(into, { id, label, unit, title }, number, slider, slide, changed) {
    const box = element("input", { type: "number", id: `${id}-number`, ...number });
    const range = element("input", {
      type: "range",
      id: `${id}-slider`,
      "aria-label": `${label}, slider`,
      ...slider,
    });
    const tag = element("label", { for: `${id}-number`, title }, label);
    into.replaceChildren(
      tag,
      element("span", { class: "value" }, box, element("span", { class: "unit" }, unit)),
      range,
    );
    box.addEventListener("input", () => {
      const value = box.value === "" ? null : Number(box.value);
      const fits = box.checkValidity();
      box.setAttribute("aria-invalid", String(!fits));
      if (fits) changed(value, box);
    });
    range.addEventListener("input", () => changed(slide.value(Number(range.value)), range));
    return (value, isChanged, source) => {
      if (source !== box) {
        box.value = value === null ? "" : Number(value.toPrecision(6));
        box.removeAttribute("aria-invalid");
      }
      if (source !== range) range.value = value === null ? 0 : slide.position(value);
      range.disabled = !slide.works;
      into.classList.toggle("changed", isChanged);
    };
  }

  const logarithmic = (base) => ({
    works: Boolean(base),
    value: (position) => base * 10 ** (position / LOG),
    position: (value) => (value > 0 && base ? LOG * Math.log10(value / base) : base ? -LOG : 0),
  });
  const linear = { works: true, value: (position) => position, position: (value) => value };

  /* Build the panel. `changed(change, source)` gets the settings that change and the input. */
  function build(data, changed) {
    const select = (id, read) =>
      byId(id).addEventListener("change", (event) => changed(read(event.target.value), event.target));
    const named = new Map(data.profiles.map((profile) => [profile.name, profile]));
    const family = (name) => data.families.find((members) => members.some(([, member]) => member === name));
    // Of the precisions of some hardware, the one that was asked for first.
    const asked = (group) =>
      data.profiles.find(({ name }) => group.some(([, member]) => member === name)).name;
    select("hw", (name) => ({ hw: name, changes: {} }));
    select("precision", (name) => ({ hw: name, changes: {} }));
    select("dataflow", (dataflow) => ({ dataflow }));
    select("phase", (value) => ({ phase: value === "" ? null : Number(value) }));
    select("accounting", (accounting) => ({ accounting }));
    const steps = knob(
      byId("knob-timesteps"),
      { id: "timesteps", label: "Time steps T", unit: "" },
      { min: 1, max: 64, step: 1, required: "" },
      { min: 1, max: Math.max(16, 2 * settings.standard(data).timesteps), step: 1 },
      linear,
      (timesteps, source) => changed({ timesteps }, source),
    );
    const rate = knob(
      byId("knob-rate"),
      { id: "rate", label: "Spike rate", unit: "×" },
      { min: 0, max: 100, step: "any", required: "" },
      { min: 0, max: 3, step: 0.01 },
      linear,
      (value, source) => changed({ rate: value }, source),
    );
    let shownFor = null;
    let prices = [];

    function priceKnobs(chosen) {
      const base = settings.original(data, chosen);
      prices = settings.knobs(data, base).map(({ key, label, unit, value, record }) => {
        const into = element("div", { class: "knob" });
        const spread = record?.spread ? `; defensible × ${record.spread.join(" to × ")}` : "";
        const title = record ? `${record.evidence}${spread}: ${record.source}` : "no price in this profile";
        const show = knob(
          into,
          { id: key.replaceAll(".", "-"), label, unit, title },
          {
            min: key.endsWith(".capacity") ? 2 ** -20 : 0,
            step: "any",
            placeholder: value === null ? "none" : "",
            ...(value === null ? {} : { required: "" }),
          },
          { min: -LOG, max: LOG, step: 1 },
          logarithmic(value),
          (now, source) => changed({ price: key, value: now === value ? null : now }, source),
        );
        return { key, into, show, value };
      });
      byId("knobs").replaceChildren(...prices.map(({ into }) => into));
      shownFor = chosen.hw;
    }

    return function show(chosen, source) {
      const members = family(chosen.hw);
      const current = (group) => (group === members ? chosen.hw : asked(group));
      options(
        byId("hw"),
        data.families.map((group) => [current(group), named.get(current(group)).title]),
        chosen.hw,
      );
      options(
        byId("precision"),
        members.map(([precision, name]) => [name, precision]),
        chosen.hw,
      );
      options(
        byId("dataflow"),
        Object.keys(data.world.dataflows).map((flow) => [flow, flow]),
        settings.dataflow(data, chosen),
      );
      const phases = data.run.phases.map(({ name, asa }, i) => [
        i,
        name === asa.phase ? name : `${name} (${asa.phase})`,
      ]);
      options(
        byId("phase"),
        phases.length > 1 ? [["", "whole request"], ...phases] : phases,
        phases.length > 1 ? (chosen.phase ?? "") : 0,
      );
      byId("accounting").value = chosen.accounting;
      if (shownFor !== chosen.hw) priceKnobs(chosen);
      const usual = settings.standard(data);
      steps(chosen.timesteps, chosen.timesteps !== usual.timesteps, source);
      rate(chosen.rate, chosen.rate !== 1, source);
      for (const { key, show: display, value } of prices) {
        display(key in chosen.changes ? chosen.changes[key] : value, key in chosen.changes, source);
      }
    };
  }

  return { build };
})();
