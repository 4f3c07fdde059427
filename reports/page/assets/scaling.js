/* Counts at another number of time steps and other spike rates. Pure functions of counts in columns;
   `world` holds the vocabulary that Python embeds. A test compares them with Python. */
const scaling = (() => {
  "use strict";

  const STORED = ["weight_read_values", "kv_read_values", "kv_spike_read_slots"];

  /* Counts at another number of time steps and other spike rates; facts, before any machine.

     What is counted per time step grows with their number at a constant spike rate. The rate of a
     layer is multiplied by `rate` until every slot holds a spike; its events follow. What a neuron
     computes follows from what its kind does. */
  function scaled(world, counts, timesteps, rate) {
    if (timesteps === counts.timesteps && rate === 1) return counts;
    const longer = timesteps / counts.timesteps;
    const size = counts.name.length;
    const grown = (column) => column.map((value, i) => (counts.slots[i] ? value * longer : value));
    const slots = grown(counts.slots);
    const factor = counts.spikes.map((spikes, i) =>
      spikes ? Math.min(rate, Math.max(1, counts.slots[i] / spikes)) : 1,
    );
    const spikes = grown(counts.spikes).map((value, i) => value * factor[i]);
    const ops = {};
    for (const [op, column] of Object.entries(counts.ops)) {
      const found = column.slice();
      if (longer !== 1) for (const i of counts.steps[op] ?? []) found[i] *= longer;
      if (op === "ac" || op === "shift_ac" || op === "spike") {
        for (let i = 0; i < size; i++) found[i] *= factor[i];
      }
      ops[op] = found;
    }
    recompute(world, counts, ops, timesteps, spikes);
    const made = { ...counts, timesteps, slots, spikes, ops, dense_macs: grown(counts.dense_macs) };
    return { ...made, ...touchedAt(counts, longer, factor) };
  }

  /* What is touched with so many times the slots and spikes: as many independent slots as touch what
     was counted, k of 1 - (1 - rate)^k, have the other rate. All rows stay all rows. */
  function touchedAt(counts, longer, factor) {
    const of = (op, i) => (counts.ops[op] ? counts.ops[op][i] : 0);
    const [weights, ...cached] = STORED;
    const at = (touched, names) =>
      Array.from(counts.slots, (slots, i) => {
        const every = names.reduce((total, name) => total + of(name, i), 0);
        const known = touched[i] ?? null;
        const now = slots ? Math.min(1, counts.spikes[i] / slots) : 0;
        if (known === null || !every || !now || !known) return known;
        if (!factor[i]) return 0;
        // Spikes in the cache are those of each step: there are more of them, and none is seen more often.
        const [more, seen] = names.some((op) => op.startsWith("kv_spike") && of(op, i)) ? [longer, 1] : [1, longer];
        if (known >= every || now >= 1) return every * more;
        const looks = (seen * Math.log1p(-known / every)) / Math.log1p(-now);
        const rate = now * factor[i];
        return more * (rate >= 1 ? every : -every * Math.expm1(looks * Math.log1p(-rate)));
      });
    const unknown = (column) => column.map((value, i) => (counts.slots[i] ? null : value));
    return {
      touched_weights: at(counts.touched_weights, [weights]),
      touched_kv: at(counts.touched_kv, cached),
      active_weights: unknown(counts.active_weights),
    };
  }

  /* Operations of neurons of a known kind, in so many time steps. A greedy coder stops at its first
     silent step: it executes more steps as its spikes become more, in proportion to
     min(all, values + spikes), which bounds them. */
  function recompute(world, counts, ops, timesteps, spikes) {
    const of = (op, i) => (counts.ops[op] ? counts.ops[op][i] : 0);
    counts.kind.forEach((kind, i) => {
      const known = world.arithmetic[kind];
      const updates = of("neuron_update", i);
      if (!known || !updates) return;
      const values = updates / counts.timesteps;
      const all = values * timesteps;
      const [executed, rows] = before(known, counts, i, values);
      const bound = (steps, sent) => (known.stops ? Math.min(steps, values + sent) : steps);
      const now = bound(all, spikes[i]);
      const steps = known.stops ? Math.min(all, (executed * now) / bound(updates, counts.spikes[i])) : all;
      world.neuron_parts.forEach((op, k) => {
        if (ops[op]) ops[op][i] = steps * known.step[k] + values * known.value[k] + rows * known.row[k];
      });
    });
  }

  /* Steps that a layer of neurons executed, and rows of softmax weights it took: as it was counted. */
  function before(known, counts, i, values) {
    const counted = counts_of(counts, i);
    const at = known.step.findIndex((each, k) => each && !known.row[k]);
    const steps = at < 0 ? 0 : (counted[at] - values * known.value[at]) / known.step[at];
    const k = known.row.findIndex((each) => each);
    const rows = k < 0 ? 0 : (counted[k] - values * known.value[k] - steps * known.step[k]) / known.row[k];
    return [steps, rows];
  }

  const counts_of = (counts, i) =>
    ["neuron_add", "neuron_mul", "neuron_cmp"].map((op) => (counts.ops[op] ? counts.ops[op][i] : 0));

  return { STORED, scaled };
})();
