/* What is asked of the page: the model, its passes, the machine; and the link that keeps it. */
const asked = (() => {
  "use strict";

  const MOST = 10_000_000;
  const whole = (label, value, high = MOST) => ({ label, value, low: 1, high, whole: true });
  const bits = (label) => ({ label, value: null, low: 0.1, high: 64 });

  /* Numbers, each with its label, what it is at first and its bounds; null is "as stored". */
  const NUMBERS = {
    batch: whole("sequences side by side", 1),
    seq_len: whole("tokens", 128),
    context: whole("attended tokens", 128),
    prompt: whole("tokens of the prompt", 512),
    generate: whole("new tokens", 128, 100_000),
    weights: bits("bits of weights"),
    activations: bits("bits of activations"),
    kv: bits("bits of the KV cache"),
    timesteps: whole("time steps", 4, 64),
    rate: { label: "spikes per slot", value: 0.2, low: 0, high: 1 },
  };
  const WIDTHS = ["weights", "activations", "kv"];

  /* Choices, each with what it may be. */
  const choices = (data) => ({
    model: ["", ...Object.keys(data.models)],
    phase: ["prefill", "decode", "request"],
    attention: ["full", "causal"],
    hw: data.profiles.map(({ name }) => name),
    spiking: ["on", "off"],
  });

  /* The numbers that count in a phase. */
  const LENGTHS = { prefill: ["seq_len"], decode: ["context"], request: ["prompt", "generate"] };

  function standard(data) {
    const numbers = Object.fromEntries(Object.entries(NUMBERS).map(([name, { value }]) => [name, value]));
    const first = Object.fromEntries(Object.entries(choices(data)).map(([name, [value]]) => [name, value]));
    const [model] = Object.keys(data.models);
    return { ...first, ...numbers, model, hw: "45nm" in byName(data) ? "45nm" : first.hw, config: "", set: {} };
  }
  const byName = (data) => Object.fromEntries(data.profiles.map((profile) => [profile.name, profile]));

  /* What is wrong with a number that was typed, in words; empty where nothing is. */
  function fault(name, value) {
    const { label, low, high, whole: isWhole, value: usual } = NUMBERS[name];
    if (value === null) return usual === null ? "" : `${label}: give a number`;
    const fits = Number.isFinite(value) && value >= low && value <= high && (!isWhole || Number.isInteger(value));
    return fits ? "" : `${label}: ${isWhole ? "a whole number" : "a number"} from ${low} to ${high.toLocaleString("en")}`;
  }

  /* What differs from the standard, as the part of a link after its #. */
  function link(data, state) {
    const usual = standard(data);
    const found = new URLSearchParams();
    for (const [name, value] of Object.entries(state))
      if (name !== "set" && value !== usual[name] && !(name === "config" && state.model)) found.set(name, value ?? "");
    for (const [key, value] of Object.entries(state.set)) found.set(key, value);
    return found.toString();
  }

  /* The state of a link, and the names in it that this page does not know or cannot take. */
  function parsed(data, text) {
    const state = standard(data);
    const known = choices(data);
    const unknown = [];
    for (const [name, value] of new URLSearchParams(text)) {
      const number = value.trim() === "" ? null : Number(value);
      if (name === "config") state.config = value;
      else if (name in known && known[name].includes(value)) state[name] = value;
      else if (name in NUMBERS && !fault(name, number)) state[name] = number;
      else if (name.includes(".") && Number.isFinite(number) && number !== null) state.set[name] = number;
      else unknown.push(name);
    }
    return { state, unknown };
  }

  return { NUMBERS, WIDTHS, LENGTHS, choices, standard, fault, link, parsed };
})();
