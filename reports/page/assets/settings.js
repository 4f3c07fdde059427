/* What the panel can change: the settings, the link that carries them, and the profile they make. */
const settings = (() => {
  "use strict";

  /* The data of the page, with fast columns of counts. */
  function loaded(data) {
    const phases = data.run.phases.map((phase) => ({
      ...phase,
      asa: execution.loaded(phase.asa),
      ssa: execution.loaded(phase.ssa),
    }));
    return { ...data, run: { ...data.run, phases } };
  }

  const standard = (data) => ({
    hw: data.profiles[0].name,
    dataflow: null,
    phase: null,
    accounting: "full",
    timesteps: data.run.phases[0].ssa.timesteps,
    rate: 1,
    changes: {},
  });

  const original = (data, chosen) => data.profiles.find(({ name }) => name === chosen.hw);
  const dataflow = (data, chosen) => chosen.dataflow ?? data.run.dataflow ?? original(data, chosen).dataflow;

  /* Numbers of a profile that may be changed. A curve is changed by a factor on all its points. */
  function knobs(data, profile) {
    const found = [];
    const add = (key, label, unit, value, record) => found.push({ key, label, unit, value, record });
    for (const { op, buffer } of data.world.ops) {
      const occurs = data.run.phases.some(({ asa, ssa }) => asa.ops[op] || ssa.ops[op]);
      if (buffer || op in profile.included || !(occurs || (op === "spike_hop" && profile.core))) continue;
      const price = profile.prices[op];
      if (price || profile.scope !== "all_in") add(`prices.${op}`, op, "pJ", price?.pj ?? null, price);
    }
    const used = new Set(Object.values(profile.placement).flat());
    for (const [name, level] of Object.entries(profile.memory)) {
      if (!used.has(name)) continue;
      if (level.curve.length) add(`memory.${name}.curve`, `${name}, all sizes`, "×", 1, level);
      for (const way of level.curve.length ? [] : ["read", "write"]) {
        add(`memory.${name}.${way}`, `${name} ${way}`, "pJ/B", level[`${way}_pj_per_byte`], level);
      }
      if (level.capacity_bytes) {
        add(`memory.${name}.capacity`, `${name} capacity`, "MiB", level.capacity_bytes / 2 ** 20, level);
      }
    }
    return found;
  }

  const allowed = (key, value) =>
    Number.isFinite(value) && value >= 0 && (!key.endsWith(".capacity") || value * 2 ** 20 >= 1);

  const shown = (value, unit) => (value === null ? "no price" : `${Number(value.toPrecision(6))} ${unit}`);

  /* The profile of some settings: as it is, or with changed numbers that say what they were. */
  function profile(data, chosen) {
    const base = original(data, chosen);
    const changed = knobs(data, base).filter(({ key }) => key in chosen.changes);
    const made = JSON.parse(JSON.stringify(base));
    made.dataflow = dataflow(data, chosen);
    const flows = chosen.dataflow && chosen.dataflow !== base.dataflow;
    if (!changed.length && !flows) return made;
    if (flows) {
      made.assumptions.push(
        `The dataflow was changed in the what-if panel of a report from ${base.dataflow} to ${made.dataflow}.`,
      );
    }
    made.name = `${base.name}-what-if`;
    made.title = `${base.title}, changed in the what-if panel`;
    if (changed.length)
      made.assumptions.push(
        `Numbers were changed in the what-if panel of a report: ${changed
          .map(
            ({ key, unit, value }) =>
              `${key} from ${shown(value, unit)} to ${shown(chosen.changes[key], unit)}`,
          )
          .join("; ")}.`,
      );
    for (const { key, unit, value, record } of changed) {
      const now = chosen.changes[key];
      const [, name, part] = /^(?:prices|memory)\.(.*?)(?:\.(read|write|curve|capacity))?$/.exec(key);
      if (key.startsWith("prices.")) {
        made.prices[name] = { pj: now, note: "", others: [], evidence: "unverified" };
      } else if (part === "curve") {
        made.memory[name].curve = made.memory[name].curve.map(([size, pj]) => [size, pj * now]);
      } else if (part === "capacity") {
        made.memory[name].capacity_bytes = Math.round(now * 2 ** 20);
      } else {
        made.memory[name][`${part}_pj_per_byte`] = now;
      }
      const entry = key.startsWith("prices.") ? made.prices[name] : made.memory[name];
      const before = `changed in the what-if panel from ${part ? `${part} ` : ""}${shown(value, unit)}`;
      const source = entry.source ?? record?.source;
      entry.source = source ? `${before} (${source})` : before;
      entry.note = record?.note ?? "";
      entry.evidence = "unverified";
      delete entry.spread;
    }
    return made;
  }

  /* Settings that differ from the standard, as the part of a link after its #. */
  function link(data, chosen) {
    const usual = standard(data);
    const found = new URLSearchParams();
    for (const key of ["hw", "dataflow", "phase", "accounting", "timesteps", "rate"]) {
      if (chosen[key] !== usual[key]) found.set(key, chosen[key]);
    }
    for (const key of Object.keys(chosen.changes).sort()) found.set(key, chosen.changes[key]);
    return found.toString();
  }

  /* The settings of a link, and what of it this page does not know. */
  function parsed(data, text) {
    const chosen = standard(data);
    const unknown = [];
    const given = new URLSearchParams(text);
    const number = (value, low, high) => {
      const read = value.trim() === "" ? NaN : Number(value);
      return read >= low && read <= high ? read : null;
    };
    const readers = {
      hw: (value) => (data.profiles.some(({ name }) => name === value) ? value : null),
      dataflow: (value) => (Object.hasOwn(data.world.dataflows, value) ? value : null),
      phase: (value) => {
        const index = number(value, 0, data.run.phases.length - 1);
        return Number.isInteger(index) && data.run.phases.length > 1 ? index : null;
      },
      accounting: (value) => (["compute", "full"].includes(value) ? value : null),
      timesteps: (value) => {
        const steps = number(value, 1, 64);
        return Number.isInteger(steps) ? steps : null;
      },
      rate: (value) => number(value, 0, 100),
    };
    for (const [key, read] of Object.entries(readers)) {
      if (!given.has(key)) continue;
      const value = read(given.get(key));
      if (value === null) unknown.push(key);
      else chosen[key] = value;
      given.delete(key);
    }
    const known = new Set(knobs(data, original(data, chosen)).map(({ key }) => key));
    for (const [key, text] of given) {
      const value = number(text, 0, Infinity);
      if (known.has(key) && value !== null && allowed(key, value)) chosen.changes[key] = value;
      else unknown.push(key);
    }
    return { chosen, unknown };
  }

  /* Both bills of the run under some settings. */
  function bills(data, chosen) {
    const ssa = spiking(data, chosen);
    const what = { ...chosen, profile: profile(data, chosen), dataflow: dataflow(data, chosen) };
    return { asa: bill.side(data.world, data.run, "asa", what), ssa: ssa(chosen.rate) };
  }

  /* The bill of the spiking side as a function of its spike rate. */
  function spiking(data, chosen) {
    const what = { ...chosen, profile: profile(data, chosen), dataflow: dataflow(data, chosen) };
    return (rate) => bill.side(data.world, data.run, "ssa", { ...what, rate });
  }

  return { loaded, standard, original, dataflow, knobs, allowed, profile, link, parsed, bills, spiking };
})();
