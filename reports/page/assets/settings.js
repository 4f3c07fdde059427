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
    accounting: null,
    timesteps: data.run.phases[0].ssa.timesteps,
    rate: 1,
    changes: {},
  });

  const original = (data, chosen) => data.profiles.find(({ name }) => name === chosen.hw);
  const dataflow = (data, chosen) => chosen.dataflow ?? data.run.dataflow ?? original(data, chosen).dataflow;

  /* What is counted, and with it the bound of what moves between products: that of the profile unless
     it is chosen. */
  const accounting = (data, chosen) => chosen.accounting ?? original(data, chosen).fusion;
  const bound = (data, chosen) =>
    chosen.accounting in data.world.fusion ? chosen.accounting : original(data, chosen).fusion;

  /* The profile of some settings: as it is, or with changes, and then it says what they were. */
  function profile(data, chosen) {
    const base = original(data, chosen);
    const changed = knobs.of(data, base).filter(({ key }) => key in chosen.changes);
    const made = JSON.parse(JSON.stringify(base));
    made.dataflow = dataflow(data, chosen);
    made.fusion = bound(data, chosen);
    const told = [
      ["dataflow", chosen.dataflow],
      ["fusion", made.fusion],
    ].filter(([name, now]) => now && now !== base[name]);
    if (!changed.length && !told.length) return made;
    for (const [name, now] of told) {
      made.assumptions.push(
        `The ${name} was changed on a page of neurt-energy from ${base[name]} to ${now}.`,
      );
    }
    made.name = `${base.name}-what-if`;
    made.title = `${base.title}, changed on a page`;
    if (changed.length)
      made.assumptions.push(
        `Changed on a page of neurt-energy: ${changed
          .map((knob) => `${knob.key} from ${knobs.shown(knob, knob.value)} to ${knobs.shown(knob, chosen.changes[knob.key])}`)
          .join("; ")}.`,
      );
    knobs.change(made, changed, chosen.changes);
    return made;
  }

  /* The run of some settings: a width that is given replaces those of the checkpoint. */
  function counted(data, chosen) {
    const columns = Object.entries({ "widths.weights": "weight_bits", "widths.vectors": "vector_bits" })
      .filter(([key]) => key in chosen.changes)
      .map(([, column]) => column);
    const without = (counts) =>
      Object.assign({ ...counts }, ...columns.map((column) => ({ [column]: counts.name.map(() => null) })));
    if (!columns.length) return data.run;
    const phases = data.run.phases.map((phase) => ({ ...phase, asa: without(phase.asa), ssa: without(phase.ssa) }));
    return { ...data.run, phases };
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
      accounting: (value) => (data.world.accountings.includes(value) ? value : null),
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
    const known = new Map(knobs.of(data, original(data, chosen)).map((knob) => [knob.key, knob]));
    for (const [key, text] of given) {
      const knob = known.get(key);
      const value = knob?.choices ? text : number(text, 0, Infinity);
      if (knob && value !== null && knobs.allows(knob, value)) chosen.changes[key] = value;
      else unknown.push(key);
    }
    return { chosen, unknown };
  }

  /* Both bills of the run under some settings. */
  function bills(data, chosen) {
    const [run, what] = [counted(data, chosen), priced(data, chosen)];
    const asa = bill.side(data.world, run, "asa", what);
    const isAlone = data.run.phases.every((phase) => phase.ssa === phase.asa); // no spiking side
    return { asa, ssa: isAlone ? asa : bill.side(data.world, run, "ssa", what) };
  }

  const priced = (data, chosen) => ({
    ...chosen,
    profile: profile(data, chosen),
    dataflow: dataflow(data, chosen),
  });

  /* The bill of the spiking side as a function of its spike rate. */
  function spiking(data, chosen) {
    const [run, what] = [counted(data, chosen), priced(data, chosen)];
    return (rate) => bill.side(data.world, run, "ssa", { ...what, rate });
  }

  /* Everything that is in sight under some settings: the bills at both ends of what moves, and those
     of what is counted. */
  function view(data, chosen) {
    const bounds = Object.fromEntries(
      Object.keys(data.world.fusion).map((end) => [end, bills(data, { ...chosen, accounting: end })]),
    );
    return {
      chosen,
      bounds,
      accounting: accounting(data, chosen),
      profile: profile(data, chosen),
      ...bounds[bound(data, chosen)],
    };
  }

  /* What is saved in a part of the model in one of the accountings. */
  function saved(data, view, accounting, block = null, component = null) {
    const { asa, ssa } = view.bounds[accounting] ?? view;
    return saving.of(data.world, asa, ssa, accounting, block, component);
  }

  return { loaded, standard, original, accounting, dataflow, profile, counted, link, parsed, bills, spiking, view, saved };
})();
