/* The plan of a configuration: counts in columns, as the bill of the page takes them.

   `closed` is the closed form, translated from Python; what is here does what `plan_passes` and
   `merged` do there: layers that are alike are planned once for each pass, and stand once in what
   is counted, with their number. */
const plan = (() => {
  "use strict";

  py.Counts = py.named(
    ["variant", "layers", "model", "weights", "phase", "batch", "tokens", "timesteps", "attention"],
    (variant, layers, model = "", weights = "", phase = "", batch = 1, tokens = 0, timesteps = 1, attention = "") =>
      ({ variant, layers, model, weights, phase, batch, tokens, timesteps, attention }),
  );

  /* The sizes in a config.json (`py.json`), or an error of the closed form, which says what is wrong. */
  function read(content, name) {
    if (!(content instanceof py.Dict)) throw new py.UserError(`model '${name}': a configuration is an object, { ... }; paste the whole text of the file`);
    return closed.read_shape(content, name);
  }

  const Pass = (batch, queries, keys) => new closed.Pass(batch, queries, keys, 1);

  /* What runs, as stages of passes. */
  function stages({ phase, batch, seq_len, context, prompt, generate }) {
    if (phase === "prefill") return [{ name: "prefill", passes: [Pass(batch, seq_len, seq_len)] }];
    if (phase === "decode") return [{ name: "decode", passes: [Pass(batch, 1, context)] }];
    const steps = Float64Array.from({ length: generate - 1 }, (_, i) => prompt + 1 + i);
    const first = { name: "prefill", passes: [Pass(batch, prompt, prompt)] };
    return steps.length ? [first, { name: "decode", passes: [Pass(batch, 1, numbers(steps))] }] : [first];
  }
  const numbers = (values) => (values.length === 1 ? values[0] : new py.Many(values));
  const lengths = ({ keys }) => (keys instanceof py.Many ? keys.values : [keys]);

  /* The name of a stage in tables, with the contexts it covers. */
  function called(passes) {
    const all = passes.flatMap((one) => [...lengths(one)]);
    const first = Pass(1, passes[0].queries, all[0]).phase;
    return all.length === 1 ? first : `${first}-${all[all.length - 1]}`;
  }

  /* Counts of each pass; of many at once where all of them are of one kind, else of halves of them. */
  function planned(one, made) {
    try {
      return [made(one)];
    } catch (error) {
      if (!(error instanceof py.Mixed)) throw error;
      const all = lengths(one);
      const middle = all.length >> 1;
      const halves = [all.slice(0, middle), all.slice(middle)];
      return halves.flatMap((part) => planned(Pass(one.batch, one.queries, numbers(part)), made));
    }
  }

  /* What many passes did, added up; of channels and levels, what all of them have. */
  const total = (x) => x.values.reduce((sum, one) => sum + one, 0);
  function added(row, passes) {
    const sum = (x) => (x instanceof py.Many ? total(x) : x === null ? null : x * passes);
    const once = closed.Tally.total([row.tally]);
    const made = Object.fromEntries(closed.Tally.fields.map((name) => [name, sum(once[name])]));
    const ops = new py.Dict(py.pairs(once.ops).map(([op, number]) => [op, sum(number)]));
    const channels = once.channels instanceof py.Many ? Math.max(...once.channels.values) : once.channels;
    const tally = py.replaced(once, Object.entries({ ...made, ops, channels, levels: once.levels }));
    return { ...row, tally, calls: row.calls * passes };
  }

  function whole(one, counts) {
    const passes = lengths(one).length;
    if (passes === 1) return counts;
    return { ...counts, tokens: counts.tokens * passes, layers: counts.layers.map((row) => added(row, passes)) };
  }

  /* Kinds of layers of a shape, each once, and which one stands at each depth. */
  function kinds(shape) {
    const known = new py.Dict();
    const at = [...shape.each].map((kind) => {
      if (!known.contains(kind)) known.put(kind, known.map.size);
      return known.find(kind);
    });
    return [[...known], at];
  }

  const about = (name) => new py.Dict([["model", name], ["weights", "none(closed form)"]]);

  function analog({ shape, passes, conventions, name, phase, of_row }) {
    const [each, at] = kinds(shape);
    const small = py.replaced(shape, [["layers", each.length], ["kinds", each]]);
    const counts = passes.flatMap((given) =>
      planned(given, (one) => whole(one, closed.plan_asa(small, one, conventions, about(name)))));
    return rows.columns(counts, { shape, at, phase, of_row });
  }

  function spiking({ shape, passes, conventions, name, phase, of_row, timesteps, rate }) {
    const small = py.replaced(shape, [["layers", 1], ["kinds", []]]);
    const conversion = closed.conversion(timesteps);
    const counts = passes.flatMap((given) =>
      planned(given, (one) =>
        whole(one, closed.plan_ssa(small, one, conversion, rate, conventions, null, new py.Dict(), about(name)))));
    const at = Array.from({ length: shape.layers }, () => 0);
    return rows.columns(counts, { shape, at, phase, of_row });
  }

  /* Phases of counts of a shape. Without a spiking side all passes are one phase, as in a plan of
     the analog model alone. `of_row` says the bits that a checkpoint has for a row. */
  function counted(shape, asked, name, of_row) {
    const conventions = new closed.Conventions(closed.Attention[asked.attention.toUpperCase()]);
    const all = stages(asked);
    const passes = all.flatMap((stage) => stage.passes);
    const longest = Math.max(...passes.map((one) => lengths(one)[lengths(one).length - 1]));
    closed.check_length(longest, shape, name, "the tokens", !asked.spiking);
    const said = [...closed.beyond(longest, shape.positions, name)].map((line) => `${line}.`);
    if ([...shape.each].some(({ feedforward }) => feedforward instanceof closed.Experts)) said.push(closed.EXPERTS_ASSUMED);
    const request = `request ${asked.prompt}+${asked.generate}`;
    if (!asked.spiking) {
      const phase = asked.phase === "request" ? request : called(passes);
      const asa = analog({ shape, passes, conventions, name, phase, of_row });
      return { phases: [{ name: asked.phase, asa, ssa: asa }], said };
    }
    const phases = all.map((stage) => {
      const phase = called(stage.passes);
      const given = { ...asked, shape, passes: stage.passes, conventions, name, phase, of_row };
      return { name: stage.name, asa: analog(given), ssa: spiking(given) };
    });
    return { phases, said };
  }

  return { read, counted, whole: rows.whole };
})();
