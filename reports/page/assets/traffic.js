/* Bits of what moves, and where it lives, as energy/bill/{traffic,placement}.py have it.

   Pure functions on counts in columns. A test compares them with Python. */
const traffic = (() => {
  "use strict";

  const ADDRESS_BITS = 32;
  const PERSISTENT = 2;

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
      const own = { weight_read_values: counts.weight_bits, vector_read_values: counts.vector_bits }[op];
      const said = own?.[i] ?? Infinity; // what is wider than the arithmetic is taken as its own
      return said < 8 * profile.value_bytes ? said : (stated ?? width(profile, op));
    };
    return each;
  }

  /* The share of each buffer of each layer in each level: shares[level][buffer][layer]. */
  function place(world, held, moved, profile, names) {
    const size = held[0].length;
    const shares = names.map(() => world.buffers.map(() => new Float64Array(size)));
    const lists = world.buffers.map((buffer) => (profile.placement[buffer] ?? []).map((x) => names.indexOf(x)));
    if (profile.room === "fixed-order") placeWhole(held, profile, names, lists, shares);
    else placeByNeed(held, moved, profile, names, lists, shares);
    return shares;
  }

  /* Levels so that each stands behind those that a buffer asks before it, others as listed. */
  function nearestFirst(names, lists) {
    const order = [];
    const all = names.map((_, level) => level).filter((level) => lists.some((list) => list.includes(level)));
    const isFree = (level) =>
      lists.every((list) => list.slice(0, Math.max(0, list.indexOf(level))).every((x) => order.includes(x)));
    while (order.length < all.length) {
      const left = all.filter((level) => !order.includes(level));
      order.push(left.find(isFree) ?? left[0]);
    }
    return order;
  }

  function placeByNeed(held, moved, profile, names, lists, shares) {
    const size = held[0].length;
    const waiting = held.map((column) => column.slice());
    for (const level of nearestFirst(names, lists)) {
      const asked = waiting.map((column, j) => (lists[j].includes(level) ? column : new Float64Array(size)));
      const taken = filled(asked, held, moved, profile.memory[names[level]].capacity_bytes ?? Infinity);
      held.forEach((column, j) => {
        const last = lists[j].length && lists[j][lists[j].length - 1] === level;
        for (let i = 0; i < size; i++) {
          const got = last ? asked[j][i] : taken[j][i];
          waiting[j][i] -= got;
          if (got > 0) shares[level][j][i] += got / column[i];
        }
      });
    }
    lists.forEach((list, j) => {
      for (let i = 0; list.length && i < size; i++) if (!held[j][i]) shares[list[0]][j][i] = 1;
    });
  }

  /* Bytes that get room in a level, of those that ask for it: what is used most often first. */
  function filled(asked, held, moved, room) {
    if (room === Infinity) return asked;
    const size = held[0].length;
    const uses = held.map((column, j) => column.map((bytes, i) => (bytes > 0 ? moved[j][i] / bytes : 0)));
    const working = held.map((_, j) => j).slice(PERSISTENT);
    const stacks = [];
    // What begins and ends at a depth, added up: layers that are alike share their depths.
    const at = new Map();
    const change = (depth, worth) => at.set(depth, (at.get(depth) ?? 0) + worth);
    for (let i = 0; i < size; i++) {
      let start = 0;
      for (const j of [...working].sort((a, b) => uses[b][i] - uses[a][i])) {
        stacks.push([j, i, start]);
        change(start, uses[j][i]);
        start += asked[j][i];
        change(start, -uses[j][i]);
      }
    }
    const changes = [...at].sort((a, b) => a[0] - b[0]);
    const pieces = [];
    let worth = 0;
    changes.forEach(([depth, change], k) => {
      worth += change;
      const next = k + 1 < changes.length ? changes[k + 1][0] : depth;
      pieces.push({ worth, length: next - depth, got: 0 });
    });
    const depths = pieces.length;
    for (let i = 0; i < size; i++)
      for (let j = 0; j < PERSISTENT; j++) pieces.push({ worth: uses[j][i], length: asked[j][i], got: 0, j, i });
    let left = room;
    for (const piece of [...pieces].sort((a, b) => b.worth - a.worth)) {
      piece.got = Math.max(0, Math.min(left, piece.length));
      left -= piece.length;
    }
    const deep = pieces.slice(0, depths).reduce((sum, { got }) => sum + got, 0);
    const taken = held.map(() => new Float64Array(size));
    for (const [j, i, start] of stacks) taken[j][i] = Math.max(0, Math.min(deep - start, asked[j][i]));
    for (const { j, i, got } of pieces.slice(depths)) taken[j][i] = got;
    return taken;
  }

  function placeWhole(held, profile, names, lists, shares) {
    const sizes = whole(held);
    const size = held[0].length;
    const room = names.map((name) => new Float64Array(size).fill(profile.memory[name].capacity_bytes ?? Infinity));
    lists.forEach((list, j) => {
      const last = list[list.length - 1];
      for (let i = 0; i < size && list.length; i++) {
        let at = 0;
        while (list[at] !== last && sizes[j][i] > room[list[at]][i]) at++;
        shares[list[at]][j][i] = 1;
        room[list[at]][i] -= sizes[j][i];
      }
    });
  }

  /* Bytes of the buffer that a byte is in: of persistent ones, that of the whole model. */
  function whole(held) {
    return held.map((column, j) =>
      j < PERSISTENT ? column.slice().fill(execution.sum(column)) : column,
    );
  }

  return { width, bits, place, whole };
})();
