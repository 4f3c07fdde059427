/* Counts in columns, in which rows that are alike stand once, with the number of their copies. */
const rows = (() => {
  "use strict";

  const LOOKED = ["touched_weights", "active_weights", "touched_kv"];
  const LAYER = ["dense_macs", "zero_macs", "spikes", "slots", "channels", ...LOOKED];

  const width = (x) => (x === null ? null : Number(x));

  /* The rows of each pass of several together: what they did is added up. */
  function together(counts) {
    return counts[0].layers.map((row, i) => {
      const tallies = counts.map(({ layers }) => layers[i].tally);
      const tally = tallies.length > 1 ? closed.Tally.total(tallies) : tallies[0];
      return { ...row, tally, calls: counts.reduce((sum, { layers }) => sum + layers[i].calls, 0) };
    });
  }

  /* A row with the bits that a checkpoint has for it, which may depend on its name. */
  function wide(row, of_row) {
    const { weights, vectors } = of_row(row);
    return { ...row, weight_bits: width(weights), vector_bits: width(vectors) };
  }

  /* Layers that are alike, down to their bits: the rows of each kind of them, and which kind stands
     at each depth. `at` says it of what was counted, which has each kind of layer once. */
  function alike(inside, at, layers, of_row) {
    const known = new Map();
    const kinds = [];
    const depths = at.map((kind, depth) => {
      const own = inside.get(kind).map((row) => {
        const name = row.name.slice(`${layers}.${kind}.`.length);
        return { ...wide({ ...row, name: `${layers}.${depth}.${name}` }, of_row), depth };
      });
      const key = JSON.stringify([kind, own.map(({ weight_bits, vector_bits }) => [weight_bits, vector_bits])]);
      if (!known.has(key)) {
        known.set(key, kinds.length);
        kinds.push(own);
      }
      return known.get(key);
    });
    return { kinds, depths };
  }

  /* Counts of several passes as columns; `copies` is the number of places at which a row stands, and
     `places` has the row, the depth and the name of each of them, in the order of the model. */
  function columns(counts, { shape, at, phase, of_row }) {
    const made = together(counts);
    const { layers } = closed.layout(shape);
    const inside = new Map();
    for (const row of made) {
      const { depth } = row.label;
      if (!inside.has(depth)) inside.set(depth, []);
      inside.get(depth).push(row);
    }
    const first = made.findIndex(({ label }) => label.depth !== null);
    const outside = (inside.get(null) ?? []).map((row) => ({ ...wide(row, of_row), depth: null }));
    const { kinds, depths } = alike(inside, at, layers, of_row);
    const all = [...outside.slice(0, first), ...kinds.flat(), ...outside.slice(first)];
    const number = new Map(all.map((row, i) => [row, i]));
    const alone = (row) => ({ row: number.get(row), depth: null, name: row.name });
    const moved = depths.flatMap((kind, depth) =>
      kinds[kind].map((row) => {
        const name = row.name.slice(`${layers}.${row.depth}.`.length);
        return { row: number.get(row), depth, name: `${layers}.${depth}.${name}` };
      }),
    );
    const places = [...outside.slice(0, first).map(alone), ...moved, ...outside.slice(first).map(alone)];
    const copies = new Float64Array(all.length);
    for (const { row } of places) copies[row] += 1;
    return { ...described(counts, phase), ...written(all), copies, places };
  }

  function described(counts, phase) {
    const [{ variant, model, weights, batch, timesteps, attention }] = counts;
    const tokens = counts.reduce((sum, one) => sum + one.tokens, 0);
    return { variant, model, weights, phase, batch, tokens, timesteps, attention, value_bits: null };
  }

  function written(all) {
    const column = (value) => all.map(value);
    const ops = {};
    all.forEach(({ tally }, i) => {
      for (const [op, number] of py.pairs(tally.ops)) if (number) (ops[op.value] ??= new Float64Array(all.length))[i] = number;
    });
    return {
      name: column(({ name }) => name),
      kind: column(({ kind }) => kind),
      block: column(({ label }) => label.block),
      component: column(({ label }) => label.component),
      depth: column(({ depth }) => depth),
      levels: column(({ tally }) => tally.levels?.value ?? ""),
      weight_bits: column(({ weight_bits }) => weight_bits),
      vector_bits: column(({ vector_bits }) => vector_bits),
      calls: Float64Array.from(all, ({ calls }) => calls),
      ...Object.fromEntries(LAYER.map((name) => [name, column(({ tally }) => tally[name])])),
      ops,
      steps: {},
    };
  }

  /* Counts with all rows at their places. */
  function whole({ copies, places, ops, ...counts }) {
    const spread = (column) => (ArrayBuffer.isView(column) ? Float64Array : Array).from(places, ({ row }) => column[row]);
    const isColumn = (value) => Array.isArray(value) || ArrayBuffer.isView(value);
    const each = (table) =>
      Object.fromEntries(Object.entries(table).map(([name, value]) => [name, isColumn(value) ? spread(value) : value]));
    const [name, depth] = ["name", "depth"].map((key) => places.map((place) => place[key]));
    return { ...each(counts), ops: each(ops), name, depth };
  }

  return { columns, whole };
})();
