/* The form: every control says a change of what is asked, and shows what is asked. */
const form = (() => {
  "use strict";

  const { element, byId } = format;
  const NAMES = { spiking: { on: "on", off: "off" } };

  function fill(data) {
    const known = asked.choices(data);
    for (const [name, values] of Object.entries(known)) {
      const said = (value) => (name === "model" && !value ? "pasted below" : NAMES[name]?.[value] ?? titled(data, name, value));
      byId(name).replaceChildren(...values.map((value) => element("option", { value }, said(value))));
    }
  }
  const titled = (data, name, value) =>
    name === "hw" ? `${value}: ${data.profiles.find((profile) => profile.name === value).title}` : value;

  /* Build the controls; `change` is called with what was changed. */
  function build(data, change) {
    fill(data);
    for (const name of Object.keys(asked.choices(data)))
      byId(name).addEventListener("change", ({ target }) => {
        if (name === "model" && !target.value) byId("config").focus();
        change({ [name]: target.value, ...(name === "hw" ? { set: {} } : {}) });
      });
    for (const name of Object.keys(asked.NUMBERS))
      byId(name).addEventListener("input", ({ target }) => change({ [name]: target.value.trim() === "" ? null : Number(target.value) }));
    byId("config").addEventListener("input", ({ target }) => change({ model: "", config: target.value }));
    byId("file").addEventListener("change", async ({ target }) => {
      const [file] = target.files;
      // A model may be larger than any text that a browser holds: its first bytes say what it is.
      const is_gguf = file && (await file.slice(0, 4).text()) === priced.GGUF;
      if (file) change({ model: "", config: is_gguf ? priced.GGUF : await file.text() });
      target.value = "";
    });
    return (state, source) => show(data, state, source);
  }

  /* Show what is asked, but in the control that somebody types in. */
  function show(data, state, source) {
    const put = (name, value) => {
      const control = byId(name);
      if (control !== source) control.value = value ?? "";
    };
    for (const name of [...Object.keys(asked.choices(data)), ...Object.keys(asked.NUMBERS)]) put(name, state[name]);
    put("config", state.model ? data.models[state.model] : state.config);
    const lengths = asked.LENGTHS[state.phase];
    for (const name of Object.values(asked.LENGTHS).flat()) byId(name).closest(".field").hidden = !lengths.includes(name);
    for (const name of Object.keys(asked.NUMBERS)) {
      const wrong = Boolean(asked.fault(name, state[name]));
      byId(name).setAttribute("aria-invalid", wrong);
    }
  }

  /* Whether spikes can be asked of the model. */
  function offer(spiking, convertible, state) {
    byId("spiking").disabled = !convertible;
    byId("spiking").value = convertible ? state.spiking : "off";
    for (const name of ["timesteps", "rate"]) byId(name).closest(".field").hidden = !spiking;
  }

  /* A field for each constant of the machine that counts, empty where it is as it was. */
  let built = "";
  function constants(found, state, change, source) {
    const keys = JSON.stringify([state.hw, found.map(({ key, value, low, high, choices }) => [key, value, low, high, choices])]);
    if (keys !== built)
      byId("constants-fields").replaceChildren(...found.filter(({ choices }) => !choices).map((knob) => {
        const id = `set-${knob.key.replaceAll(".", "-")}`;
        const hint = knob.value === null ? knob.missing ?? "none" : String(Number(knob.value.toPrecision(6)));
        const box = element("input", { id, type: "number", step: "any", inputmode: "decimal", placeholder: hint });
        box.addEventListener("input", () => change((now) => {
          const { [knob.key]: _, ...others } = now.set;
          return { set: box.value.trim() === "" ? others : { ...others, [knob.key]: Number(box.value) } };
        }));
        return element("div", { class: "field" }, element("label", { for: id }, `${knob.label}${knob.unit ? `, ${knob.unit}` : ""}`), box);
      }));
    built = keys;
    for (const { key, choices } of found) {
      const box = !choices && byId(`set-${key.replaceAll(".", "-")}`);
      if (box && box !== source) box.value = state.set[key] ?? "";
    }
  }

  return { build, offer, constants };
})();
