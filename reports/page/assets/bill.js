/* The bill, as energy/{placement,pricing,estimate}.py have it: counts times prices.

   Pure functions on the counts of execution.js; energies are in picojoules, one per layer. A test
   compares them with Python over random counts and profiles. */
const bill = (() => {
  "use strict";

  const COMPUTE = ["mac", "ac", "shift_ac"];
  const { sum, scaled, executed } = execution;

  /* Bytes that each buffer holds during one call of each layer: values, and packed spikes. */
  function footprints(world, counts, rules) {
    const size = counts.name.length;
    const tables = [false, true].map(() => world.buffers.map(() => new Float64Array(size)));
    for (const { op, buffer, scales, held } of world.ops) {
      const column = counts.ops[op];
      if (!held || !column) continue;
      const into = tables[scales ? 0 : 1][world.buffers.indexOf(buffer)];
      for (let i = 0; i < size; i++) into[i] += column[i] / Math.max(1, counts.calls[i]);
    }
    const state = tables[0][world.buffers.indexOf("state")];
    const of = (op, i) => (counts.ops[op] ? counts.ops[op][i] : 0);
    for (let i = 0; i < size; i++) {
      state[i] /= counts.timesteps;
      // Accumulators that events update in memory are one value per result.
      if (rules.accumulators === "event" && counts.slots[i] && (of("ac", i) || of("shift_ac", i)))
        state[i] += of("activation_write_bytes", i) / Math.max(1, counts.calls[i]);
    }
    for (const table of tables) {
      for (let j = 0; j < world.persistent; j++) table[j].fill(sum(table[j]));
    }
    return tables;
  }

  /* The level of each buffer in each layer, by index: the nearest that it fits in, else the last. */
  function place(world, held, profile, names, size) {
    const room = names.map((name) =>
      new Float64Array(size).fill(profile.memory[name].capacity_bytes ?? Infinity),
    );
    return world.buffers.map((buffer, j) => {
      const levels = (profile.placement[buffer] ?? []).map((name) => names.indexOf(name));
      const last = levels[levels.length - 1];
      const where = new Int32Array(size).fill(-1);
      for (let i = 0; i < size && levels.length; i++) {
        let at = 0;
        while (levels[at] !== last && held[j][i] > room[levels[at]][i]) at++;
        where[i] = levels[at];
        room[where[i]][i] -= held[j][i];
      }
      return where;
    });
  }

  /* Picojoules per byte of an array of some size: between the points of a curve, linear. */
  function interpolated(curve, size) {
    let next = 0;
    while (next < curve.length && size > curve[next][0]) next++;
    if (next === 0) return curve[0][1];
    if (next === curve.length) return curve[next - 1][1];
    const [[low, pj], [high, more]] = [curve[next - 1], curve[next]];
    return pj + ((more - pj) * (size - low)) / (high - low);
  }

  const isPriced = (profile, { op, buffer }) =>
    op in profile.prices || op in profile.included || buffer in profile.placement;

  /* What a byte costs in each layer: by the level it lives in, and on a curve by its size. */
  function perByte(profile, names, places, held, read) {
    const levels = names.map((name) => profile.memory[name]);
    const flat = levels.map((level) => (read ? level.read_pj_per_byte : level.write_pj_per_byte));
    return (i) => {
      const { curve } = levels[places[i]];
      return curve.length ? interpolated(curve, held[i]) : flat[places[i]];
    };
  }

  /* Price counts. Time follows from the throughput of the profile. */
  function estimate(world, counts, profile, dataflow) {
    const run = executed(world, counts, world.dataflows[dataflow].rules, profile.core);
    const size = run.name.length;
    const scale = profile.value_bytes / counts.value_bytes;
    const [values, packed] = footprints(world, counts, world.dataflows[dataflow].rules);
    const held = values.map((column, j) => column.map((n, i) => n * scale + packed[j][i]));
    const names = Object.keys(profile.memory);
    const places = place(world, held, profile, names, size);
    const [unpriced, inLevel] = [{}, new Float64Array(names.length)];
    const groups = Object.fromEntries(world.groups.map((group) => [group, new Float64Array(size)]));
    const lacks = new Uint8Array(size);
    for (const about of world.ops) {
      const { op, group, buffer } = about;
      const amounts = run.ops[op];
      const total = amounts ? sum(amounts) : 0;
      if (!total || op in profile.included) continue;
      if (!isPriced(profile, about)) {
        unpriced[op] = total;
        if (COMPUTE.includes(op))
          amounts.forEach((n, i) => {
            if (n) lacks[i] = 1;
          });
        continue;
      }
      const into = groups[group];
      if (op in profile.prices) {
        const { pj } = profile.prices[op];
        for (let i = 0; i < size; i++) into[i] += amounts[i] * pj;
        continue;
      }
      const j = world.buffers.indexOf(buffer);
      const price = perByte(profile, names, places[j], held[j], about.read);
      const factor = about.scales ? scale : 1;
      for (let i = 0; i < size; i++) {
        if (!amounts[i]) continue;
        const pj = amounts[i] * factor * price(i);
        into[i] += pj;
        inLevel[places[j][i]] += pj;
      }
    }
    const levels = Object.fromEntries(names.map((name, k) => [name, inLevel[k]]));
    return finished({
      counts: run,
      levels,
      unpriced,
      groups,
      lacks,
      profile,
      dataflow,
      latency: duration(world, run, profile),
    });
  }

  /* Seconds at full use of the chip; null where the profile does not say. */
  function duration(world, run, profile) {
    const scale = profile.value_bytes / run.value_bytes;
    const factor = Object.fromEntries(world.ops.map(({ op, scales }) => [op, scales ? scale : 1]));
    const total = (op) => (run.ops[op] ? sum(run.ops[op]) * factor[op] : 0);
    const known = Object.entries(profile.throughput ?? {});
    if (!known.length || COMPUTE.some((op) => total(op) && !(op in profile.throughput))) return null;
    return sum(known.map(([op, how]) => total(op) / how.per_second));
  }

  function finished(found) {
    found.total = new Float64Array(found.lacks.length);
    for (const column of Object.values(found.groups)) {
      for (let i = 0; i < column.length; i++) found.total[i] += column[i];
    }
    const { profile, latency } = found;
    found.static =
      profile.scope === "all_in"
        ? 0
        : profile.static_power && latency !== null
          ? profile.static_power.watts * latency * 1e12
          : null;
    return found;
  }

  /* The bill of two phases of the same model on the same hardware. */
  function added(a, b) {
    const merge = (x, y, plus) =>
      Object.fromEntries(
        [...new Set([...Object.keys(x), ...Object.keys(y)])].map((key) => [
          key,
          key in x && key in y ? plus(x[key], y[key]) : (x[key] ?? y[key]),
        ]),
      );
    const columns = (x, y) => x.map((value, i) => value + y[i]);
    const scalars = (x, y) => x + y;
    const counts = {
      ...a.counts,
      tokens: a.counts.tokens + b.counts.tokens,
      ops: merge(a.counts.ops, b.counts.ops, columns),
    };
    for (const key of ["calls", "dense_macs", "spikes", "slots"]) {
      counts[key] = columns(a.counts[key], b.counts[key]);
    }
    return finished({
      counts,
      profile: a.profile,
      dataflow: a.dataflow,
      levels: merge(a.levels, b.levels, scalars),
      unpriced: merge(a.unpriced, b.unpriced, scalars),
      groups: merge(a.groups, b.groups, columns),
      lacks: a.lacks.map((value, i) => value | b.lacks[i]),
      latency: a.latency === null || b.latency === null ? null : a.latency + b.latency,
    });
  }

  /* The bill of one side of a run: of one phase, or of all of them where `phase` is null.

     A latency that was given is that of the whole run as counted. */
  function side(world, run, variant, what) {
    const chosen = what.phase === null ? run.phases : [run.phases[what.phase]];
    const spiking = variant === "ssa";
    const whole = chosen
      .map((phase) => {
        const counts = spiking ? scaled(phase.ssa, what.timesteps, what.rate) : phase.asa;
        return estimate(world, counts, what.profile, what.dataflow);
      })
      .reduce(added);
    if (run.latency_s[variant] === undefined) return whole;
    const asCounted = what.timesteps === run.phases[0].ssa.timesteps && what.rate === 1;
    const holds = chosen.length === run.phases.length && (asCounted || !spiking);
    return finished({ ...whole, latency: holds ? run.latency_s[variant] : null });
  }

  return { COMPUTE, estimate, side };
})();
