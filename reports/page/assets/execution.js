/* What is executed, as energy/bill/execution.py has it: from what was counted once per call to what moves.

   Pure functions. `world` holds the vocabulary that Python embeds (operations, buffers, dataflows);
   counts are in columns, one entry per layer. A test compares them with Python. */
const execution = (() => {
  "use strict";

  const { STORED } = scaling;

  /* The sum of a column; of rows that stand at several places, with the number of their copies. */
  const sum = (column, copies = null) => {
    let total = 0;
    for (let i = 0; i < column.length; i++) total += copies ? copies[i] * column[i] : column[i];
    return total;
  };

  /* Counts as they are embedded, with fast columns. */
  function loaded(counts) {
    const made = { ...counts, ops: {} };
    for (const name of ["calls", "dense_macs", "spikes", "slots", "channels"])
      made[name] = new Float64Array(counts[name]);
    for (const [op, column] of Object.entries(counts.ops)) made.ops[op] = new Float64Array(column);
    return made;
  }

  /* The counts as a machine executes them; `facts` are those at its bound of fusion. */
  function executed(world, counts, facts, profile, rules) {
    const { slots, spikes, timesteps: steps } = counts;
    const size = slots.length;
    const zeros = new Float64Array(size);
    const of = (op) => facts.ops[op] ?? zeros;
    const ops = { ...facts.ops };
    const [events, shifts] = [of("ac"), of("shift_ac")];
    const accumulates = (i) => events[i] + shifts[i];
    const change = (names, value) => {
      for (const op of names) {
        const now = ops[op] ?? zeros;
        ops[op] = now.slice();
        for (let i = 0; i < size; i++) if (slots[i]) ops[op][i] = value(i, now[i]);
      }
    };
    if (rules.weights === "step") {
      change(["weight_read_values", "vector_read_values", "kv_read_values"], (i, n) => n * steps);
    } else if (rules.weights === "event") {
      change(["weight_read_values", "kv_read_values"], (i, n) => (n ? accumulates(i) : 0));
    }
    if (rules.inputs === "step") {
      const updates = of("neuron_update");
      change(["activation_read_values"], (i, n) => (updates[i] && n ? updates[i] : n));
    }
    const state = ["state_read_values", "state_write_values"];
    const kept = (n) => (rules.state === "resident" ? 0 : n);
    if (rules.accumulators === "event") change(state, (i, n) => kept(n) + accumulates(i));
    else if (rules.state === "resident") change(state, () => 0);
    if (rules.spikes === "addresses") {
      change(["spike_read_slots", "spike_write_slots"], (i, n) => (n ? spikes[i] : 0));
    }
    const stored = needed(counts, rules);
    if (stored !== counts) for (const op of STORED) if (ops[op]) ops[op] = stored.ops[op];
    const bits = traffic.bits(world, profile, rules, counts);
    if (rules.weights !== "event") {
      // Of gathered rows this is an upper bound: their union is passed as often as the matrix is.
      for (const op of ["activation_read_values", "spike_read_slots", "weight_read_values"]) {
        const which = op === "weight_read_values" ? 1 : 0;
        const again = (i) =>
          fusion.readAgain(counts, profile, bits, i, rules.weights === "step" && slots[i] ? steps : 1)[which];
        if (ops[op]) ops[op] = ops[op].map((n, i) => n && n * again(i));
      }
    }
    if (profile.fusion === "fused" && rules.weights !== "event") {
      for (const op of ["kv_read_values", "kv_spike_read_slots"])
        if (ops[op]) ops[op] = ops[op].map((n, i) => n && n * fusion.queryBlocks(counts, profile, bits, i));
    }
    takeApart(world, ops, profile, size);
    if (profile.delivery) ops.delivery_values = delivered(stored, profile.delivery);
    const run = { ...counts, ops };
    if (profile.core) ops.spike_hop = hops(counts, profile.core); // cores hold what was counted
    return run;
  }

  /* The counts with what has to be read of their stored operands: all of it, unless a machine gathers
     rows of which somebody knows what is touched. */
  function needed(counts, rules) {
    if (rules.weights !== "touched") return counts;
    const ops = { ...counts.ops };
    const of = (op, i) => (counts.ops[op] ? counts.ops[op][i] : 0);
    const [weights, ...cached] = STORED;
    for (const [touched, names] of [[counts.touched_weights, [weights]], [counts.touched_kv, cached]])
      for (const op of names)
        if (ops[op])
          ops[op] = ops[op].map((n, i) => {
            const every = names.reduce((total, name) => total + of(name, i), 0);
            return every && (touched[i] ?? null) !== null ? n * (touched[i] / every) : n;
          });
    return { ...counts, ops };
  }

  /* An update of a neuron is charged whole, or as what it is made of: never both. */
  function takeApart(world, ops, profile, size) {
    const priced = (op) => op in profile.prices || op in profile.included;
    const alike = { neuron_add: "add", neuron_mul: "mul", neuron_cmp: "cmp" };
    const parts = world.neuron_parts;
    const whole = priced("neuron_update") || !parts.some((op) => priced(op) || priced(alike[op]));
    const updates = ops.neuron_update;
    if (!updates) return;
    const before = Object.fromEntries(parts.map((op) => [op, ops[op] ?? new Float64Array(size)]));
    ops.neuron_update = updates.slice();
    for (const op of parts) ops[op] = before[op].slice();
    for (let i = 0; i < size; i++) {
      if (!updates[i]) continue;
      if (whole) for (const op of parts) ops[op][i] = 0;
      else {
        ops.neuron_update[i] = 0;
        // A neuron of which nobody counted what it does is a leaky integrate-and-fire neuron.
        if (!parts.some((op) => before[op][i]))
          parts.forEach((op) => (ops[op][i] = world.leaky[op] * updates[i]));
      }
    }
  }

  /* Stored operands that are fetched beside the adders, each for as many uses as share a fetch. */
  function delivered(counts, delivery) {
    const of = (op, i) => (counts.ops[op] ? counts.ops[op][i] : 0);
    return Float64Array.from(counts.calls, (number, i) => {
      const calls = Math.max(1, number);
      const held = STORED.reduce((s, op) => s + of(op, i), 0) / calls;
      let [macs, events, fetches] = [of("mac", i), of("ac", i) + of("shift_ac", i), 0];
      // Dense MACs of a row without spikes that are MACs and accumulates are narrow products.
      if (macs && !counts.slots[i] && macs + events === counts.dense_macs[i]) [macs, events] = [macs + events, 0];
      for (const [uses, reuse] of [
        [macs, delivery.mac_reuse],
        [events, delivery.event_reuse],
      ]) {
        if (uses) fetches += uses / Math.max(1, held ? Math.min(reuse, uses / calls / held) : reuse);
      }
      return fetches;
    });
  }

  /* Spikes times links: each goes to every core of the layer it drives, or to one. */
  function hops(counts, core) {
    const { ops, slots, spikes, calls, dense_macs: dense } = counts;
    const of = (op, i) => (ops[op] ? ops[op][i] : 0);
    const needed = Array.from(slots, (places, i) => {
      const weights = of("weight_read_values", i);
      if (!places || !weights) return 0;
      const synapses = Math.floor(weights / Math.max(1, calls[i]));
      const neurons = Math.floor(dense[i] / places);
      return Math.max(Math.ceil(synapses / core.synapses), Math.ceil(neurons / core.neurons));
    });
    const side = Math.ceil(Math.sqrt(Math.max(1, sum(needed, counts.copies))));
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

  return { sum, loaded, scaled: scaling.scaled, executed };
})();
