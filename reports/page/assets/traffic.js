/* Bits of what moves, as energy/bill/traffic.py has it.

   Pure functions on counts in columns. A test compares them with Python. */
const traffic = (() => {
  "use strict";

  const ADDRESS_BITS = 32;
  const KEPT = ["kv_read_values", "kv_write_values"];

  /* Whether a row is a recurrence, whose cache is a state in the width of accumulators. */
  const isScan = ({ component }, i) => component[i].split(".").pop() === "scan";

  /* Bits of one value of what an operation moves, by what the profile says. */
  function width(profile, op) {
    const own = 8 * profile.value_bytes;
    const widths = profile.widths ?? {};
    if (op.startsWith("state_")) return widths.accumulators ?? 32;
    if (op === "vector_read_values" && (widths.vectors ?? null) !== null) return widths.vectors;
    if (op === "kv_read_values" || op === "kv_write_values") return widths.kv ?? own;
    return (op === "weight_read_values" ? widths.weights : widths.activations) ?? own;
  }

  /* Bits of a slot of the spikes of a layer, under an encoding. */
  function encoded(world, counts, i, encoding) {
    const { bits, payload } = world.levels[counts.levels[i] || "binary"];
    if (!counts.slots[i]) return bits;
    const slots = Math.max(1, counts.slots[i]);
    const rate = Math.min(1, counts.spikes[i] / slots);
    const channels = counts.channels[i] || counts.slots[i];
    const place = channels > 1 ? Math.ceil(Math.log2(channels)) : 1;
    const each = { packed: bits, bitmap: 1 + rate * payload, addresses: rate * (place + payload) };
    return encoding === "cheapest" ? Math.min(...Object.values(each)) : each[encoding];
  }

  /* Bits of one value, or slot, of what an operation moves in each layer. A table that counts bytes
     says the bits of all its values, and is not encoded again. */
  function bits(world, profile, rules, counts) {
    const spikes = new Set(world.ops.filter(({ spikes }) => spikes).map(({ op }) => op));
    const of = (op, i) => (counts.ops[op] ? counts.ops[op][i] : 0);
    const stated = counts.value_bits ?? null;
    const encoding = stated === null ? profile.encoding : "packed";
    const each = (op, i) => {
      if (spikes.has(op)) {
        if (op.startsWith("kv_")) return world.levels[counts.levels[i] || "binary"].bits;
        return rules.spikes === "addresses" ? ADDRESS_BITS : encoded(world, counts, i, encoding);
      }
      if (op === "delivery_values") {
        if (of("kv_spike_read_slots", i) && !of("kv_read_values", i)) return each("kv_spike_read_slots", i);
        return each(of("kv_read_values", i) ? "kv_read_values" : "weight_read_values", i);
      }
      if (KEPT.includes(op) && stated === null && isScan(counts, i)) return width(profile, "state_read_values");
      const own = { weight_read_values: counts.weight_bits, vector_read_values: counts.vector_bits }[op];
      const said = own?.[i] ?? Infinity; // what is wider than the arithmetic is taken as its own
      return said < 8 * profile.value_bytes ? said : (stated ?? width(profile, op));
    };
    return each;
  }

  return { width, bits };
})();
