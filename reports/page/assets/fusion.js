/* What moves between products, as energy/bill/fusion.py has it: at the bound that a profile names.

   Pure functions on counts in columns. A test compares them with Python. */
const fusion = (() => {
  "use strict";

  const NEXT = { qkv: "scores", mix: "proj", ffn_up: "ffn_down" };
  const CACHED = ["kv_read_values", "kv_spike_read_slots"];
  const COMPUTE = ["mac", "ac", "shift_ac"];
  const MOVED = ["activation_read_values", "activation_write_values", "spike_read_slots", "spike_write_slots",
    "state_read_values", "state_write_values"];

  /* The counts with what moves at the bound of the profile. */
  function fused(world, counts, profile) {
    if (profile.fusion !== "fused") return counts;
    const of = (op, i) => (counts.ops[op] ? counts.ops[op][i] : 0);
    const parts = new Map();
    const key = (i, component) => `${counts.block[i]}\n${counts.depth[i]}\n${component}`;
    counts.name.forEach((_, i) => {
      const at = key(i, counts.component[i]);
      if (!parts.has(at)) parts.set(at, []);
      parts.get(at).push(i);
    });
    const beside = (i, component) => parts.get(key(i, component)) ?? [];
    const total = (rows, op) => rows.reduce((sum, i) => sum + of(op, i), 0);
    const named = (i, end) => counts.name[i].endsWith(end);
    const share = (i) => {
      let left = total(beside(i, NEXT[counts.component[i]]), "activation_read_values");
      for (const other of beside(i, counts.component[i])) {
        const written = Math.min(left, of("activation_write_values", other));
        if (counts.name[other] === counts.name[i]) return written;
        left -= written;
      }
      return 0;
    };
    const ops = { ...counts.ops };
    for (const op of MOVED) if (ops[op]) ops[op] = ops[op].slice();
    const set = (op, i, value) => {
      if (!ops[op]) {
        if (!value) return;
        ops[op] = new Float64Array(counts.name.length);
      }
      ops[op][i] = value;
    };
    const memory = new Set(world.ops.filter(({ group }) => group === "memory").map(({ op }) => op));
    for (let i = 0; i < counts.name.length; i++) {
      const component = counts.component[i];
      if (of("neuron_update", i)) {
        for (const op of ["activation_read_values", "state_read_values", "state_write_values"]) set(op, i, 0);
        if (named(i, ".weight_encoder")) set("spike_write_slots", i, 0);
        else if (named(i, ".qkv_neuron"))
          set("spike_write_slots", i, total(beside(i, "scores"), "spike_read_slots"));
      } else if ((component === "scores" || component === "mix") && CACHED.some((op) => of(op, i))) {
        if (component === "scores") set("activation_write_values", i, 0);
        else {
          set("activation_read_values", i, 0);
          // Events of weights never leave the chip; those of new values come through memory.
          const values = beside(i, "neuron").filter((other) => named(other, ".value_encoder"));
          set("spike_read_slots", i, Math.min(of("spike_read_slots", i), total(values, "spike_write_slots")));
          set("activation_write_values", i, share(i));
        }
      } else if (component in NEXT && of("weight_read_values", i)) {
        set("activation_write_values", i, share(i));
      } else if (component === "residual") {
        set("activation_read_values", i, of("activation_write_values", i));
        set("activation_write_values", i, 0);
      } else if (!COMPUTE.some((op) => of(op, i)) &&
        Object.keys(counts.ops).some((op) => of(op, i) && !memory.has(op))) {
        set("activation_read_values", i, 0);
        set("activation_write_values", i, 0);
      }
    }
    return { ...counts, ops };
  }

  /* Bytes on the chip: of all levels of activations but the last, or of the only one; null where there is no limit. */
  function roomBytes(profile) {
    const names = profile.placement.activations ?? [];
    const near = names.length > 1 ? names.slice(0, -1) : names;
    const sizes = near.map((name) => profile.memory[name].capacity_bytes ?? Infinity);
    const room = sizes.reduce((sum, size) => sum + size, 0);
    return sizes.length === 0 || room === Infinity ? null : room;
  }

  /* How often the inputs and the weights of a product are read, where neither fits on the chip. */
  function readAgain(counts, profile, bits, i, steps) {
    const of = (op) => (counts.ops[op] ? counts.ops[op][i] : 0);
    const room = roomBytes(profile);
    if (room === null || !COMPUTE.some((op) => of(op)) || !of("weight_read_values")) return [1, 1];
    const calls = Math.max(1, counts.calls[i]);
    const bytes = (op) => (of(op) ? ((of(op) / calls) * bits(op, i)) / 8 : 0);
    const weights = bytes("weight_read_values");
    const inputs = (bytes("activation_read_values") + bytes("spike_read_slots")) / steps;
    const times = Math.max(1, Math.min(weights, inputs) / room);
    return weights <= inputs ? [times, 1] : [1, times];
  }

  /* The row that reads the queries of a product of attention; itself where there is none. */
  function reading(counts, product) {
    const at = counts.component.findIndex((component, i) =>
      component === "scores" && counts.block[i] === counts.block[product] && counts.depth[i] === counts.depth[product]);
    return at < 0 ? product : at;
  }

  /* How often a pass reads the keys or values of a product of attention. */
  function queryBlocks(counts, profile, bits, product) {
    const cached = CACHED.some((op) => counts.ops[op]?.[product]);
    const i = reading(counts, product);
    const of = (op) => (counts.ops[op] ? counts.ops[op][i] : 0);
    const room = roomBytes(profile);
    const calls = Math.max(1, counts.calls[i]);
    const batch = Math.max(1, counts.batch);
    if (room === null || !cached || counts.tokens / (calls * batch) <= 1) return 1;
    const queries = counts.tokens / (calls * batch);
    const spiking = counts.slots[i] > 0;
    const summed = spiking && !of("kv_spike_read_slots") ? Math.max(1, counts.timesteps) : 1;
    const scores = Math.max(1, of("activation_write_values")) * summed;
    const channels = Math.max(1, counts.dense_macs[i] / scores);
    const width = (spiking ? bits("kv_spike_read_slots", i) : traffic.width(profile, "activation_read_values")) / 8;
    const most = 1 + (2 * queries) / channels;
    const blocks = Math.min(most, Math.max(1, (4 * queries * channels * width) / room));
    return counts.attention === "causal" ? (blocks + 1) / 2 : blocks;
  }

  return { fused, queryBlocks, readAgain };
})();
