/* What an energy is made of, and what is moved: rows for the tables and bars of the page. */
const parts = (() => {
  "use strict";

  const BOUNDS = ["fused", "unfused"];

  /* The bills that are shown: each variant at both bounds. */
  function bills({ view, spiking }) {
    const sides = spiking ? ["asa", "ssa"] : ["asa"];
    return sides.flatMap((side) => BOUNDS.map((bound) => ({ side, bound, bill: view.bounds[bound][side] })));
  }

  const isKnown = (bill) => !bill.lacks.some(Boolean);
  const all = (bill) => bill.counts.name.map((_, i) => i);

  /* Picojoules of a whole bill; null where something that computes has no price. */
  const total = (bill) => (isKnown(bill) ? saving.total(bill.total, all(bill)) + (bill.static ?? 0) : null);

  /* Picojoules of each group of a bill, and of static power. */
  function groups(data, bill) {
    const found = data.world.groups.map((group) => [group, saving.total(bill.groups[group], all(bill))]);
    return [...found, ["static", bill.static ?? 0]].filter(([, pj]) => pj);
  }

  /* Bytes that each operand moves through memory. */
  function bytes(data, bill) {
    const { world } = data;
    const each = traffic.bits(world, bill.profile, world.dataflows[bill.dataflow].rules, bill.counts);
    const found = Object.fromEntries(world.buffers.map((buffer) => [buffer, 0]));
    for (const { op, buffer } of world.ops) {
      const amounts = buffer && bill.counts.ops[op];
      if (amounts) amounts.forEach((number, i) => number && (found[buffer] += (number * each(op, i)) / 8));
    }
    return found;
  }

  const ops = (bill, names) => names.reduce((sum, op) => sum + saving.total(bill.counts.ops[op], all(bill)), 0);

  /* Blocks and components that occur, in the order of the model. */
  function places(data, { counts }) {
    const known = new Map();
    counts.block.forEach((block, i) => {
      if (!known.has(block)) known.set(block, new Set());
      known.get(block).add(counts.component[i]);
    });
    return [...known].map(([block, components]) => [block, [...components]]);
  }

  /* Picojoules of a part of a bill; null where something that computes has no price, undefined of a
     model that has no such part. */
  function of(bill, block, component) {
    const rows = saving.rows(bill, block, component);
    if (!rows.length) return undefined;
    return rows.some((i) => bill.lacks[i]) ? null : saving.total(bill.total, rows);
  }

  return { BOUNDS, bills, total, groups, bytes, ops, places, of };
})();
