/* Two bills side by side, as energy/bill/saving.py has it; and sums over parts of a model. */
const saving = (() => {
  "use strict";

  /* The layers of one block or component; the same for all counts that share their names. */
  const known = new WeakMap();
  function rows({ counts }, block = null, component = null) {
    if (!known.has(counts.name)) known.set(counts.name, new Map());
    const found = known.get(counts.name);
    const key = JSON.stringify([block, component]);
    if (!found.has(key)) {
      found.set(
        key,
        Array.from(counts.name.keys()).filter(
          (i) =>
            (block === null || counts.block[i] === block) &&
            (component === null || counts.component[i] === component),
        ),
      );
    }
    return found.get(key);
  }

  const total = (column, chosen) => (column ? chosen.reduce((s, i) => s + column[i], 0) : 0);

  /* What the spiking variant saves in one part of the model, of bills at the bound of the accounting. */
  function of(world, asa, ssa, accounting, block = null, component = null) {
    const all = accounting !== "compute";
    const whole = all && block === null && component === null;
    const timed = whole && asa.static !== null && ssa.static !== null;
    const missing = new Set();
    const energies = [asa, ssa].map((side) => {
      const chosen = rows(side, block, component);
      const gaps = Object.keys(side.unpriced).filter(
        (op) =>
          (all || bill.COMPUTE.includes(op)) &&
          total(side.counts.ops[op], chosen),
      );
      for (const op of gaps) missing.add(op);
      if (chosen.some((i) => side.lacks[i])) return null;
      const column = all ? side.total : side.groups.compute;
      const pj = total(column, chosen) + (timed ? side.static : 0);
      return pj || (gaps.length ? null : 0);
    });
    const [before, after] = energies;
    return {
      block,
      component,
      accounting,
      asa_pj: before,
      ssa_pj: after,
      saving: before === null || after === null || before === 0 ? null : 1 - after / before,
      unpriced: world.ops.map(({ op }) => op).filter((op) => missing.has(op)),
    };
  }

  /* Accumulates per analog multiply-accumulate replaced; null where no layer takes events. */
  function eventsPerMac(side, chosen) {
    const replaced = total(
      side.counts.dense_macs,
      chosen.filter((i) => side.counts.slots[i]),
    );
    const events = total(side.counts.ops.ac, chosen) + total(side.counts.ops.shift_ac, chosen);
    return replaced ? (events * side.counts.timesteps) / replaced : null;
  }

  return { of, rows, total, eventsPerMac };
})();
