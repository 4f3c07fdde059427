/* The bill, as energy/bill/{pricing,estimate,latency}.py have it: counts times prices.

   Pure functions on the counts of execution.js; energies are in picojoules, one per layer. Rows that
   stand at several places of a model (`copies`) are priced once, and what a bill says of them is of
   all places together. A test compares them with Python over random counts and profiles. */
const bill = (() => {
  "use strict";

  const COMPUTE = ["mac", "ac", "shift_ac"];
  const { sum, scaled, executed } = execution;

  /* Bytes that each buffer holds, and moves, during one call of each layer: as columns. */
  function footprints(world, facts, run, rules, each) {
    const size = run.name.length;
    const [held, moved] = [0, 1].map(() => world.buffers.map(() => new Float64Array(size)));
    const of = (op, i) => (run.ops[op] ? run.ops[op][i] : 0);
    for (const { op, buffer, held: holds } of world.ops) {
      if (!buffer) continue;
      const j = world.buffers.indexOf(buffer);
      for (let i = 0; i < size; i++) {
        const calls = Math.max(1, run.calls[i]);
        const number = facts.ops[op] ? facts.ops[op][i] : 0;
        const steps = op === "state_read_values" ? run.timesteps : 1;
        if (holds && number) held[j][i] += ((number / calls / steps) * each(op, i)) / 8;
        if (of(op, i)) moved[j][i] += (of(op, i) * each(op, i)) / 8 / calls;
      }
    }
    if (rules.accumulators === "event") {
      // Accumulators that events update in memory are one value per result.
      const j = world.buffers.indexOf("state");
      for (let i = 0; i < size; i++)
        if (run.slots[i] && (of("ac", i) || of("shift_ac", i))) {
          const results = facts.ops.activation_write_values?.[i] ?? 0;
          held[j][i] += ((results / Math.max(1, run.calls[i])) * each("state_write_values", i)) / 8;
        }
    }
    return [held, moved];
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

  /* The operation whose price an operation has: its own, or that of its like outside of neurons. */
  const pricedAs = (profile, { op, alike }) =>
    op in profile.prices || op in profile.included || !alike ? op : alike;

  const isPriced = (profile, about) => {
    if (about.op === "delivery_values") return Boolean(profile.delivery);
    const priced = pricedAs(profile, about);
    return priced in profile.prices || priced in profile.included || about.buffer in profile.placement;
  };

  /* What a byte costs in a level, in each layer: on a curve by the size of its buffer. */
  function perByte(level, sizes, read) {
    if (!level.curve.length) return () => (read ? level.read_pj_per_byte : level.write_pj_per_byte);
    return (i) => interpolated(level.curve, sizes[i]);
  }

  /* Price counts. Time follows from the throughput and the bandwidth of the profile. */
  function estimate(world, counts, profile, dataflow) {
    const { rules } = world.dataflows[dataflow];
    const facts = fusion.fused(world, counts, profile);
    const run = executed(world, counts, facts, profile, rules);
    const size = run.name.length;
    const copiesOf = (i) => run.copies?.[i] ?? 1;
    const each = traffic.bits(world, profile, rules, run);
    const [held, moved] = footprints(world, facts, run, rules, traffic.bits(world, profile, rules, facts));
    const names = Object.keys(profile.memory);
    const parts = placement.place(world, held, moved, profile, run);
    const sizes = placement.whole(held, run.copies);
    const [unpriced, inLevel] = [{}, new Float64Array(names.length)];
    const bytes = names.map(() => new Float64Array(parts.row.length));
    const empty = (names) => Object.fromEntries(names.map((name) => [name, new Float64Array(size)]));
    const [groups, stored] = [empty(world.groups), empty(world.stored)];
    const lacks = new Uint8Array(size);
    for (const about of world.ops) {
      const { op, group, buffer } = about;
      const amounts = run.ops[op];
      const total = amounts ? sum(amounts, run.copies) : 0;
      const priced = pricedAs(profile, about);
      if (!total || priced in profile.included) continue;
      if (!isPriced(profile, about)) {
        unpriced[op] = total;
        if (COMPUTE.includes(op))
          amounts.forEach((n, i) => {
            if (n) lacks[i] = 1;
          });
        continue;
      }
      const into = groups[group];
      if (priced in profile.prices || op === "delivery_values") {
        const fetch = op === "delivery_values";
        const { pj } = fetch ? { pj: profile.delivery.pj_per_byte } : profile.prices[priced];
        for (let i = 0; i < size; i++)
          if (amounts[i]) into[i] += copiesOf(i) * amounts[i] * pj * (fetch ? each(op, i) / 8 : 1);
        continue;
      }
      const j = world.buffers.indexOf(buffer);
      const part = stored[about.stored];
      names.forEach((name, k) => {
        const price = perByte(profile.memory[name], sizes[j], about.read);
        parts.row.forEach((i, at) => {
          const moves = amounts[i] && ((amounts[i] * each(op, i)) / 8) * parts.shares[k][j][at];
          if (!moves) return;
          const pj = parts.copies[at] * moves * price(i);
          into[i] += pj;
          part[i] += pj;
          inLevel[k] += pj;
          bytes[k][at] += moves;
        });
      });
    }
    const levels = Object.fromEntries(names.map((name, k) => [name, inLevel[k]]));
    return finished({
      counts: together(run),
      levels,
      unpriced,
      groups,
      stored,
      lacks,
      profile,
      dataflow,
      latency: duration(run, profile, parts, bytes),
    });
  }

  /* Counts of all copies of each row. */
  function together({ copies, places, ...run }) {
    if (!copies) return run;
    const all = (column) => Float64Array.from(column, (value, i) => value * copies[i]);
    const made = { ...run, ops: Object.fromEntries(Object.entries(run.ops).map(([op, column]) => [op, all(column)])) };
    for (const name of ["calls", "dense_macs", "spikes", "slots"]) made[name] = all(run[name]);
    return made;
  }

  /* Seconds of all layers, each as long as its arithmetic or its slowest memory; null where the
     profile does not say. */
  function duration(run, profile, { row, copies }, bytes) {
    const names = Object.keys(profile.memory);
    const rates = Object.entries(profile.throughput ?? {});
    const bandwidth = profile.bandwidth ?? {};
    const of = (op, i) => (run.ops[op] ? run.ops[op][i] : 0);
    if (!rates.length || !run.name.length) return null;
    let seconds = 0;
    for (const [at, i] of row.entries()) {
      if (COMPUTE.some((op) => of(op, i) && !(op in profile.throughput))) return null;
      let longest = sum(rates.map(([op, how]) => of(op, i) / how.per_second));
      for (const [k, name] of names.entries()) {
        if (!bytes[k][at] || !Object.keys(bandwidth).length) continue;
        if (!(name in bandwidth)) return null;
        longest = Math.max(longest, bytes[k][at] / bandwidth[name].bytes_per_second);
      }
      seconds += copies[at] * longest;
    }
    return seconds;
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
      stored: merge(a.stored, b.stored, columns),
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
        const counts = spiking ? scaled(world, phase.ssa, what.timesteps, what.rate) : phase.asa;
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
