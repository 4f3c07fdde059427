/* From what is asked to bills: the configuration is read, counted in closed form, and priced. */
const priced = (() => {
  "use strict";

  /* The last answer to a question is kept: who moves the price does not count again. */
  function remembered(made) {
    let last = [];
    return (key, ...given) => {
      if (last[0] !== key) last = [key, made(...given)];
      return last[1];
    };
  }

  /* How a file of that format begins; the form gives no more of it. */
  const GGUF = "GGUF";

  /* `known`: whether somebody says how wide weights are, so that any quantisation can be read. */
  const read = remembered((text, name, known) => {
    let content;
    if (text.startsWith(GGUF))
      throw new py.UserError("This is a GGUF file, which this page does not read; neurt-energy plan --model FILE.gguf --hw 45nm does.");
    try {
      content = py.json(text.replace(/^\ufeff/, "")); // which editors put in front of a file
    } catch (error) {
      throw new py.UserError(`This is no JSON: ${error.message}.`);
    }
    const shape = plan.read(content, name);
    return { shape, checkpoint: closed.checkpoint(content, name, shape.tied, known), parameters: closed.parameters(shape) };
  });

  const count = remembered((model, question, name) =>
    plan.counted(model.shape, question, name, model.checkpoint.of_row));

  /* A machine with activations and cache as narrow as the checkpoint has them. */
  function machine(profile, checkpoint) {
    const said = Object.entries({ activations: checkpoint.activations, kv: checkpoint.kv });
    const narrower = said.filter(([, width]) => width && Number(width) < 8 * profile.value_bytes);
    return { ...profile, widths: { ...profile.widths, ...Object.fromEntries(narrower) } };
  }

  /* The whole answer. Throws a `py.UserError` where there is none, whose message says why. */
  function answer(data, state) {
    for (const name of ["batch", "timesteps", "rate", ...asked.WIDTHS, ...asked.LENGTHS[state.phase]]) {
      const fault = asked.fault(name, state[name]);
      if (fault) throw new py.UserError(`${format.capital(fault)}.`);
    }
    const text = state.model ? data.models[state.model] : state.config;
    if (!text.trim()) throw new py.UserError("Paste a config.json, or choose a model.");
    const name = state.model || "config.json";
    const known = state.weights !== null;
    const model = read(JSON.stringify([text, known]), text, name, known);
    const convertible = closed.has_conversion(model.shape);
    const spiking = convertible && state.spiking === "on";
    const question = { ...state, spiking };
    const counting = ["phase", "batch", "seq_len", "context", "prompt", "generate", "attention", "timesteps", "rate"];
    const key = JSON.stringify([text, known, spiking, ...counting.map((one) => state[one])]);
    const { phases, said } = count(key, model, question, name);
    const base = data.profiles.find((profile) => profile.name === state.hw);
    const run = { phases, dataflow: null, latency_s: {}, intervals: {} };
    const whole = { ...data, run, profiles: [machine(base, model.checkpoint)] };
    const chosen = { ...settings.standard(whole), changes: changes(whole, state) };
    const view = settings.view(whole, chosen);
    const why = convertible ? "" : closed.not_converted(model.shape);
    return { model, spiking, said, why, constants: constants(whole), data: whole, chosen, view, name, generated: generated(state), passes: passes(state), asked: state };
  }

  /* Tokens that come out, which energy is said for: those of a request; else those that go in. */
  const generated = ({ phase, batch, generate }) => (phase === "request" ? batch * generate : null);

  /* The name of a request; of one pass its counts have it. */
  const passes = ({ phase, prompt, generate }) => (phase === "request" ? `request ${prompt}+${generate}` : null);

  /* Groups of constants that can be set; widths and the encoding have fields of their own. */
  const CONSTANTS = ["prices", "memory", "delivery", "time"];
  const constants = (data) => knobs.of(data, data.profiles[0]).filter(({ group }) => CONSTANTS.includes(group));

  /* Counts in which every operation occurs: of what a plan has not, a constant is no error. */
  function everything(data) {
    const ops = Object.fromEntries(data.world.ops.map(({ op }) => [op, true]));
    const side = { ops, weight_bits: [], vector_bits: [] };
    return { ...data, run: { ...data.run, phases: [{ asa: side, ssa: side }] } };
  }

  /* Widths and constants that were given, as changes of the machine. */
  function changes(data, state) {
    const known = new Map(knobs.of(data, data.profiles[0]).map((knob) => [knob.key, knob]));
    const found = {};
    for (const name of asked.WIDTHS.filter((one) => state[one] !== null)) {
      const knob = known.get(`widths.${name}`);
      if (!knob) throw new py.UserError(`The widths have no effect on ${data.profiles[0].name}, which moves nothing that has a price; empty them.`);
      if (!knobs.allows(knob, state[name]))
        throw new py.UserError(`${format.capital(asked.NUMBERS[name].label)}: from ${knob.low} to ${knob.high}, the width of the arithmetic of ${data.profiles[0].name}.`);
      found[knob.key] = state[name];
    }
    const every = new Map(constants(everything(data)).map((knob) => [knob.key, knob]));
    for (const [key, value] of Object.entries(state.set)) {
      const knob = every.get(key);
      if (!knob)
        throw new py.UserError(`${key} is no constant of ${data.profiles[0].name} that can be set here; take it out of the link, or press Reset.`);
      if (!knobs.allows(knob, value))
        throw new py.UserError(`${key}: a number from ${Number(knob.low.toPrecision(3))} to ${knob.high.toLocaleString("en")} ${knob.unit}.`.replace(" .", "."));
      found[key] = value;
    }
    return found;
  }

  /* The counts and both bills with every row at its place, for files. */
  function everyRow({ data, chosen }) {
    const phases = data.run.phases.map((phase) => {
      const asa = plan.whole(phase.asa);
      return { ...phase, asa, ssa: phase.ssa === phase.asa ? asa : plan.whole(phase.ssa) };
    });
    const whole = { ...data, run: { ...data.run, phases } };
    return { run: settings.counted(whole, chosen), ...settings.bills(whole, chosen) };
  }

  return { answer, everyRow, GGUF };
})();
