/* What the panel can change of a profile: its numbers and choices, and the profile that they make.

   A knob knows its group in the panel, the value of the profile in its unit (null where there is
   none), what it may be, and how a changed profile says it. */
const knobs = (() => {
  "use strict";

  const MEBI = 2 ** 20;
  const GIGA = 1e9;
  /* Times in the unit of a knob and in that of the profile. */
  const times = (value, factor) => (value ?? null) === null ? null : value * factor;

  /* Everything that may be changed. A curve is changed by a factor on all its points. */
  function of(data, profile) {
    const found = [];
    const add = (group, key, label, unit, value, more) =>
      found.push({ group, key, label, unit, value: value ?? null, low: 0, high: 1e15, ...more });
    spikes(data, profile, add);
    prices(data, profile, add);
    memory(data, profile, add);
    widths(data, profile, add);
    delivery(profile, add);
    time(data, profile, add);
    return found;
  }

  const choice = (data, name) => ({
    choices: Object.entries(data.world[name]),
    set: (made, now) => (made[name] = now),
  });

  /* Whether anything that moves is charged by its bytes. */
  const isStored = (profile) => Object.keys(profile.placement).length > 0;

  function spikes(data, profile, add) {
    if (!isStored(profile)) return;
    add("spikes", "encoding", "In memory", "", profile.encoding, choice(data, "encoding"));
  }

  function prices(data, profile, add) {
    for (const { op, buffer, alike } of data.world.ops) {
      const occurs = data.run.phases.some(({ asa, ssa }) => asa.ops[op] || ssa.ops[op]);
      if (buffer || op === "delivery_values" || op in profile.included) continue;
      if (!occurs && !(op === "spike_hop" && profile.core)) continue;
      const price = profile.prices[op];
      if (!price && profile.scope === "all_in") continue;
      add("prices", `prices.${op}`, op, "pJ", price?.pj, {
        record: price,
        // What neurons do costs what the same does elsewhere, unless it has a price of its own.
        missing: alike && alike in profile.prices ? `as ${alike}` : "no price",
        entry: (made) => (made.prices[op] ??= { others: [] }),
        set: (made, now) => (made.prices[op] = { pj: now, others: [] }),
      });
    }
  }

  function memory(data, profile, add) {
    const lists = Object.values(profile.placement);
    for (const [name, level] of Object.entries(profile.memory)) {
      if (!lists.some((list) => list.includes(name))) continue;
      const about = { record: level, entry: (made) => made.memory[name] };
      const change = (part, write) => ({ ...about, part, set: (made, now) => write(made.memory[name], now) });
      if (level.curve.length) {
        add("memory", `memory.${name}.curve`, `${name}, all sizes`, "×", 1, change("", (made, now) => {
          made.curve = made.curve.map(([size, pj]) => [size, pj * now]);
        }));
      }
      for (const way of level.curve.length ? [] : ["read", "write"]) {
        const key = `${way}_pj_per_byte`;
        const write = (made, now) => (made[key] = now);
        add("memory", `memory.${name}.${way}`, `${name} ${way}`, "pJ/B", level[key], change(way, write));
      }
      // The last level of a buffer takes whatever does not fit elsewhere.
      if (!level.capacity_bytes && lists.every((list) => !list.slice(0, -1).includes(name))) continue;
      add("memory", `memory.${name}.capacity`, `${name} capacity`, "MiB", times(level.capacity_bytes, 1 / MEBI), {
        ...change("capacity", (made, now) => (made.capacity_bytes = Math.round(now * MEBI))),
        low: 1 / MEBI,
        missing: "no limit",
      });
    }
    if (lists.some((list) => list.length > 1)) add("memory", "room", "Room", "", profile.room, choice(data, "room"));
  }

  /* Bits of each operand, as the flag --widths has them. */
  function widths(data, profile, add) {
    if (!isStored(profile) && !profile.delivery) return;
    const own = 8 * profile.value_bytes;
    const said = profile.widths ?? {};
    const stored = (column) =>
      data.run.phases.some(({ asa }) => asa[column].some((bits) => bits !== null && bits < own));
    const width = (name, label, value, more = {}) =>
      add("widths", `widths.${name}`, label, "bits", value, {
        low: 0.1,
        high: own,
        set: (made, now) => (made.widths = { ...made.widths, [name]: now }),
        ...more,
      });
    const checkpoint = { missing: "as stored" };
    width("weights", "weights", stored("weight_bits") ? null : (said.weights ?? own), checkpoint);
    width("activations", "activations", said.activations ?? own);
    const vectors = stored("vector_bits") ? null : said.vectors;
    width("vectors", "biases, scales", vectors, { missing: stored("vector_bits") ? "as stored" : "as values" });
    width("kv", "KV cache", said.kv ?? own);
    width("accumulators", "accumulators", said.accumulators ?? 32, { low: 1, high: 64, whole: true });
  }

  function delivery(profile, add) {
    const fetch = profile.delivery;
    if (!fetch) return;
    const most = Math.max(4096, ...(fetch.reuse_range ?? []), fetch.mac_reuse, fetch.event_reuse);
    const number = (name, label, unit, more) =>
      add("delivery", `delivery.${name}`, label, unit, fetch[name], {
        record: fetch,
        entry: (made) => made.delivery,
        part: name,
        set: (made, now) => (made.delivery[name] = now),
        ...more,
      });
    number("pj_per_byte", "a fetch", "pJ/B");
    const uses = { low: 1, high: 1e9, slide: [1, most] };
    number("mac_reuse", "MACs per fetch", "", uses);
    number("event_reuse", "events per fetch", "", uses);
  }

  /* Rates, from which time and with it static energy follows. */
  function time(data, profile, add) {
    const used = new Set(Object.values(profile.placement).flat());
    const rate = (table, name, field, label, unit) =>
      add("time", `${table}.${name}`, label, unit, times(profile[table][name]?.[field], 1 / GIGA), {
        record: profile[table][name],
        entry: (made) => (made[table][name] ??= {}),
        set: (made, now) => (made[table][name] = { [field]: now * GIGA }),
        low: 1e-9,
        high: 1e13,
        missing: "none",
      });
    for (const op of new Set([...bill.COMPUTE, ...Object.keys(profile.throughput)]))
      if (data.run.phases.some(({ asa, ssa }) => asa.ops[op] || ssa.ops[op]))
        rate("throughput", op, "per_second", `${op} rate`, "G/s");
    for (const name of used) rate("bandwidth", name, "bytes_per_second", `${name} bandwidth`, "GB/s");
    if (profile.scope === "all_in") return;
    add("time", "static_power", "static power", "W", profile.static_power?.watts, {
      record: profile.static_power,
      entry: (made) => (made.static_power ??= {}),
      set: (made, now) => (made.static_power = { watts: now }),
      missing: "none",
      high: 1e8,
    });
  }

  const allows = (knob, value) =>
    knob.choices
      ? knob.choices.some(([name]) => name === value)
      : Number.isFinite(value) && value >= knob.low && value <= knob.high && (!knob.whole || Number.isInteger(value));

  const shown = (knob, value) => {
    if (value === null) return knob.missing;
    return knob.choices ? value : `${Number(value.toPrecision(6))} ${knob.unit}`.trim();
  };

  /* Change a profile, which then says what each number was. */
  function change(made, changed, changes) {
    const before = new Map();
    for (const knob of changed) {
      knob.set(made, changes[knob.key]);
      if (!knob.entry) continue;
      const was = `${knob.part ? `${knob.part} ` : ""}${shown(knob, knob.value)}`;
      const entry = knob.entry(made);
      before.set(entry, { record: knob.record, was: [...(before.get(entry)?.was ?? []), was] });
    }
    for (const [entry, { record, was }] of before) {
      const source = `changed on a page of neurt-energy from ${was.join(", ")}`;
      entry.source = record?.source ? `${source} (${record.source})` : source;
      entry.note = record?.note ?? "";
      entry.evidence = "unverified";
      delete entry.spread;
    }
  }

  return { of, allows, shown, change };
})();
