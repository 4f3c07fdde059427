/* The controls of the what-if panel: they show settings, and say when one of them is changed. */
const panel = (() => {
  "use strict";

  const { element, byId } = format;
  const LOG = 100; // positions of a slider on each side of its middle

  const options = (select, values, chosen) => {
    select.replaceChildren(...values.map(([value, text]) => element("option", { value }, text)));
    select.value = chosen;
    select.disabled = values.length < 2;
  };

  /* Why a number is not taken; nothing if it is. */
  function refusal(box, label, unit) {
    if (box.checkValidity()) return "";
    const { min, max, step, validity } = box;
    const given = validity.badInput ? "what stands there is no number" : box.value === "" ? "it is empty" : `${box.value} is refused`;
    const kind = step === "1" ? "a whole number" : "a number";
    const range = Number(max) >= 1e12 ? `of at least ${min}` : `from ${min} to ${max}`;
    return `${label}: ${given}, it must be ${kind} ${range}${unit && ` ${unit}`}.`;
  }

  /* A number and a slider for the same thing. `slide` maps positions to values and back. */
  function knob(into, { id, label, unit, title }, number, slider, slide, { changed, refused }) {
    const why = element("p", { class: "refusal", id: `${id}-refusal`, role: "alert" });
    const box = element("input", {
      type: "number",
      id: `${id}-number`,
      "aria-describedby": `${id}-refusal`,
      ...number,
    });
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
      why,
    );
    const say = (text) => {
      why.textContent = text;
      if (text) box.setAttribute("aria-invalid", "true");
      else box.removeAttribute("aria-invalid");
    };
    box.addEventListener("input", () => {
      const text = refusal(box, label, unit);
      say(text);
      if (text) refused(text);
      else changed(box.value === "" ? null : Number(box.value), box);
    });
    range.addEventListener("input", () => changed(slide.value(Number(range.value)), range));
    return (value, isChanged, source) => {
      if (source !== box) {
        box.value = value === null ? "" : Number(value.toPrecision(6));
        say("");
      }
      if (source !== range) range.value = value === null ? 0 : slide.position(value);
      range.disabled = !slide.works;
      into.classList.toggle("changed", isChanged);
    };
  }

  /* A slider from low to high; without these it has nothing to start from. */
  function logarithmic([low, high]) {
    const step = Math.log10(high / low) / (2 * LOG);
    return {
      works: low > 0,
      value: (position) => low * 10 ** ((position + LOG) * step),
      position: (value) => (low > 0 && value > 0 ? Math.log10(value / low) / step - LOG : low > 0 ? -LOG : 0),
    };
  }
  const linear = { works: true, value: (position) => position, position: (value) => value };

  /* Build the panel. `changed(change, source)` gets the settings that change and the input, and
     `refused(why)` a sentence where an input holds what is not taken. */
  function build(data, changed, refused) {
    const select = (id, read) =>
      byId(id).addEventListener("change", (event) => changed(read(event.target.value), event.target));
    const named = new Map(data.profiles.map((profile) => [profile.name, profile]));
    const family = (name) => data.families.find((members) => members.some(([, member]) => member === name));
    // Of the precisions of some hardware, the one that was asked for first.
    const asked = (group) =>
      data.profiles.find(({ name }) => group.some(([, member]) => member === name)).name;
    select("accounting", (accounting) => ({ accounting }));
    options(
      byId("accounting"),
      data.world.accountings.map((name) => [name, data.names.accountings[name]]),
      null,
    );
    select("hw", (name) => ({ hw: name, changes: {} }));
    select("precision", (name) => ({ hw: name, changes: {} }));
    select("dataflow", (dataflow) => ({ dataflow }));
    select("phase", (value) => ({ phase: value === "" ? null : Number(value) }));
    const steps = knob(
      byId("knob-timesteps"),
      { id: "timesteps", label: "Time steps T", unit: "" },
      { min: 1, max: 64, step: 1, required: "" },
      { min: 1, max: Math.max(16, 2 * settings.standard(data).timesteps), step: 1 },
      linear,
      { changed: (timesteps, source) => changed({ timesteps }, source), refused },
    );
    const rate = knob(
      byId("knob-rate"),
      { id: "rate", label: "Spike rate", unit: "×" },
      { min: 0, max: 100, step: "any", required: "" },
      { min: 0, max: 3, step: 0.01 },
      linear,
      { changed: (value, source) => changed({ rate: value }, source), refused },
    );
    let shownFor = null;
    let built = [];

    function choices(into, { key, label, choices: ways, value }) {
      const id = key.replaceAll(".", "-");
      const box = element("select", { id });
      options(box, ways.map(([name]) => [name, name]), value);
      into.replaceChildren(element("label", { for: id }, label), box);
      box.addEventListener("change", () => changed({ knob: key, value: box.value === value ? null : box.value }, box));
      return (now, isChanged) => {
        box.value = now;
        box.title = ways.find(([name]) => name === now)[1];
        into.classList.toggle("changed", isChanged);
      };
    }

    function numbers(into, { key, label, unit, value, record, low, high, whole, slide, missing }) {
      const spread = record?.spread ? `; defensible × ${record.spread.join(" to × ")}` : "";
      const title = record ? `${record.evidence}${spread}: ${record.source}` : "not in this profile";
      return knob(
        into,
        { id: key.replaceAll(".", "-"), label, unit, title },
        {
          min: low,
          max: high,
          step: whole ? 1 : "any",
          placeholder: value === null ? missing : "",
          ...(value === null ? {} : { required: "" }),
        },
        whole ? { min: low, max: high, step: 1 } : { min: -LOG, max: LOG, step: 1 },
        whole ? linear : logarithmic(slide ?? [value / 10, Math.min(high, 10 * value)]),
        { changed: (now, source) => changed({ knob: key, value: now === value ? null : now }, source), refused },
      );
    }

    /* The controls of a profile, under their headings; what it has none of is not there. */
    function controls(chosen) {
      const found = knobs.of(data, settings.original(data, chosen));
      built = found.map((about) => {
        const into = element("div", { class: about.choices ? "field" : "knob" });
        return { ...about, into, show: about.choices ? choices(into, about) : numbers(into, about) };
      });
      for (const group of document.querySelectorAll("#panel .group")) {
        const inside = built.filter((one) => `knobs-${one.group}` === group.dataset.knobs);
        byId(group.dataset.knobs).replaceChildren(...inside.map(({ into }) => into));
        group.hidden = !group.querySelector(".knob, .field");
      }
      shownFor = chosen.hw;
    }

    /* Beside each heading how much of what it hides is changed. */
    function headings(chosen) {
      for (const group of document.querySelectorAll("#panel .group")) {
        const inside = built.filter((one) => `knobs-${one.group}` === group.dataset.knobs);
        const number = inside.filter(({ key }) => key in chosen.changes).length;
        group.querySelector(".changes").textContent = number ? `${number} changed` : "";
        if (number) group.open = true;
      }
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
      byId("accounting").value = settings.accounting(data, chosen);
      if (shownFor !== chosen.hw) controls(chosen);
      const usual = settings.standard(data);
      steps(chosen.timesteps, chosen.timesteps !== usual.timesteps, source);
      rate(chosen.rate, chosen.rate !== 1, source);
      for (const { key, show: display, value } of built) {
        display(key in chosen.changes ? chosen.changes[key] : value, key in chosen.changes, source);
      }
      headings(chosen);
    };
  }

  return { build };
})();
