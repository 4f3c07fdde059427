/* What is executed, as energy/bill/execution.py has it: from what was counted once per call to what moves.

   Pure functions. `world` holds the vocabulary that Python embeds (operations, buffers, dataflows);
   counts are in columns, one entry per layer. A test compares them with Python. */
const execution = (() => {
  "use strict";

  const sum = (column) => {
    let total = 0;
    for (let i = 0; i < column.length; i++) total += column[i];
    return total;
  };

  /* Counts as they are embedded, with fast columns. */
  function loaded(counts) {
    const made = { ...counts, ops: {} };
    for (const name of ["calls", "dense_macs", "spikes", "slots"])
      made[name] = new Float64Array(counts[name]);
    for (const [op, column] of Object.entries(counts.ops)) made.ops[op] = new Float64Array(column);
    return made;
  }

  /* Counts at another number of time steps and other spike rates; facts, before any dataflow.

     What is counted per time step grows with their number at a constant spike rate. The rate of a
     layer is multiplied by `rate` until every slot holds a spike; its events follow. */
  function scaled(counts, timesteps, rate) {
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
    return { ...counts, timesteps, slots, spikes, ops, dense_macs: grown(counts.dense_macs) };
  }

  /* The counts under a dataflow, mapped onto cores where there are any. */
  function executed(world, counts, rules, core) {
    const { slots, spikes, timesteps: steps, value_bytes: width } = counts;
    const size = slots.length;
    const zeros = new Float64Array(size);
    const of = (op) => counts.ops[op] ?? zeros;
    const ops = { ...counts.ops };
    const [events, shifts] = [of("ac"), of("shift_ac")];
    const accumulates = (i) => events[i] + shifts[i];
    const change = (names, value) => {
      for (const op of names) {
        const before = of(op);
        ops[op] = before.slice();
        for (let i = 0; i < size; i++) if (slots[i]) ops[op][i] = value(i, before[i]);
      }
    };
    if (rules.weights === "step") {
      change(["weight_read_bytes", "vector_read_bytes", "kv_read_bytes"], (i, n) => n * steps);
    } else if (rules.weights === "event") {
      change(["weight_read_bytes", "kv_read_bytes"], (i, n) => (n ? accumulates(i) * width : 0));
    }
    if (rules.inputs === "step") {
      const updates = of("neuron_update");
      change(["activation_read_bytes"], (i, n) => (updates[i] ? updates[i] * width : n));
    }
    const state = ["state_read_bytes", "state_write_bytes"];
    const kept = (n) => (rules.state === "resident" ? 0 : n);
    if (rules.accumulators === "event") change(state, (i, n) => kept(n) + accumulates(i) * width);
    else if (rules.state === "resident") change(state, () => 0);
    if (rules.spikes === "addresses") {
      change(["spike_read_bytes", "spike_write_bytes"], (i, n) => (n ? spikes[i] * world.address_bytes : 0));
    }
    const run = { ...counts, ops };
    if (core) ops.spike_hop = hops(counts, core); // cores hold what was counted, not what moves
    return run;
  }

  /* Spikes times links: each goes to every core of the layer it drives, or to one. */
  function hops(counts, core) {
    const { ops, slots, spikes, calls, dense_macs: dense } = counts;
    const of = (op, i) => (ops[op] ? ops[op][i] : 0);
    const needed = Array.from(slots, (places, i) => {
      const weights = of("weight_read_bytes", i);
      if (!places || !weights) return 0;
      const synapses = Math.floor(weights / (counts.value_bytes * Math.max(1, calls[i])));
      const neurons = Math.floor(dense[i] / places);
      return Math.max(Math.ceil(synapses / core.synapses), Math.ceil(neurons / core.neurons));
    });
    const side = Math.ceil(Math.sqrt(Math.max(1, sum(needed))));
    const [above, below] = [2 * (side * side - 1), 3 * side];
    return Float64Array.from(needed, (cores, i) => {
      if (!of("ac", i) && !of("shift_ac", i)) return 0;
      return rounded(spikes[i] * Math.max(1, cores), above, below);
    });
  }

  /* number * above / below, rounded half to even; exact for whole numbers. */
  function rounded(number, above, below) {
    if (!Number.isSafeInteger(number)) {
      const value = number * (above / below);
      const low = Math.floor(value);
      const rest = value - low;
      return rest > 0.5 || (rest === 0.5 && low % 2) ? low + 1 : low;
    }
    const top = BigInt(number) * BigInt(above);
    const bottom = BigInt(below);
    const low = top / bottom;
    const rest = 2n * (top % bottom);
    return Number(rest > bottom || (rest === bottom && low % 2n) ? low + 1n : low);
  }

  return { sum, loaded, scaled, executed };
})();
