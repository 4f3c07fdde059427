/* Numbers and elements. Text goes into the document as text, never as markup. */
const format = (() => {
  "use strict";

  const UNITS = [
    [1e12, "J"],
    [1e9, "mJ"],
    [1e6, "µJ"],
    [1e3, "nJ"],
    [1, "pJ"],
  ];
  const minus = (text) => text.replace(/^-/, "−");

  /* Picojoules per unit, and the unit in which the largest value has one to three digits. */
  const unit = (largest) => UNITS.find(([scale]) => largest >= scale) ?? UNITS[UNITS.length - 1];

  const digits = (value, many = 4) =>
    minus(
      Math.abs(value) >= 10 ** many || value === 0
        ? Math.round(value).toLocaleString("en")
        : String(Number(value.toPrecision(many))),
    );

  function energy(pj) {
    if (pj === null) return "unpriced";
    const [scale, name] = unit(Math.abs(pj));
    return `${digits(pj / scale)} ${name}`;
  }

  function seconds(value) {
    const [scale, name] = [
      [1, "s"],
      [1e-3, "ms"],
      [1e-6, "µs"],
      [1e-9, "ns"],
    ].find(([s]) => value >= s) ?? [1e-9, "ns"];
    return `${digits(value / scale)} ${name}`;
  }

  const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
  const percent = (share) => (share === null ? "–" : `${minus((100 * share).toFixed(2))} %`);

  /* A saving as a verb, as reports/kit/answers.py has it; never a negative number that is saved. */
  const shown = (share) => Math.abs(100 * share).toFixed(1);
  function saved(share, of = "", more = "") {
    if (share === null) return "not known";
    const size = shown(share);
    if (!Number(size)) return "costs the same";
    return share > 0 ? `saves ${size}\u00a0%${of}` : `costs ${size}\u00a0% more${more}`;
  }

  /* Where a saving lies, in the same words. */
  function between(low, high) {
    const [first, last] = [saved(low), saved(high)];
    if (first === last) return first;
    if (low > 0 && high > 0) return `saves ${shown(low)} to ${shown(high)}\u00a0%`;
    if (low < 0 && high < 0) return `costs ${shown(high)} to ${shown(low)}\u00a0% more`;
    return `${first} to ${last}`;
  }
  const count = (value) => (Number.isInteger(value) ? value.toLocaleString("en") : digits(value, 6));

  /* A large number in four digits, with k, M, G or T. */
  function compact(value) {
    const [scale, name] = [
      [1e12, " T"],
      [1e9, " G"],
      [1e6, " M"],
      [1e3, " k"],
    ].find(([s]) => value >= s) ?? [1, ""];
    return digits(value / scale) + name;
  }

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined) made.setAttribute(name, value);
    }
    made.append(...children.filter((child) => child !== null));
    return made;
  }

  const byId = (id) => document.getElementById(id);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  return { unit, digits, energy, seconds, capital, percent, saved, between, count, compact, element, byId, colour };
})();
