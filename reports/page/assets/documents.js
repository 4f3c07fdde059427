/* What can be downloaded: texts that the command line reads, or writes itself. */
const documents = (() => {
  "use strict";

  const quoted = (text) => JSON.stringify(text).replace(/\x7f/g, "\\u007f");
  const key = (name) => (/^[A-Za-z0-9_-]+$/.test(name) ? name : quoted(name));
  const isTable = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

  function literal(value) {
    if (typeof value === "string") return quoted(value);
    if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
    if (isTable(value)) {
      return `{ ${Object.entries(value)
        .map(([name, part]) => `${key(name)} = ${literal(part)}`)
        .join(", ")} }`;
    }
    return String(value);
  }

  const isEmpty = (value) =>
    value === null || value === undefined || value === "" || (Array.isArray(value) && !value.length);

  const lines = (table) =>
    Object.entries(table)
      .filter(([, value]) => !isEmpty(value))
      .map(([name, value]) => `${key(name)} = ${literal(value)}`);

  /* A whole hardware profile as TOML. */
  function toml(profile) {
    const { placement, prices, memory, included, static_power, core, system, ...plain } = profile;
    const { throughput, bandwidth, widths, delivery } = profile;
    const order = [
      "name",
      "title",
      "process_nm",
      "precision",
      "value_bytes",
      "scope",
      "room",
      "dataflow",
      "fusion",
      "encoding",
      "assumptions",
    ];
    const out = lines(Object.fromEntries(order.map((name) => [name, plain[name]])));
    if (!Object.keys(prices).length) out.push("prices = {}");
    const section = (name, table) => {
      if (table && Object.keys(table).length) out.push("", `[${name}]`, ...lines(table));
    };
    section("widths", widths);
    section("placement", placement);
    section("delivery", delivery);
    for (const [name, tables] of Object.entries({ prices, memory, throughput, bandwidth })) {
      for (const [entry, table] of Object.entries(tables)) section(`${name}.${key(entry)}`, table);
    }
    section("included", included);
    section("static_power", static_power);
    section("core", core);
    for (const figure of system) out.push("", "[[system]]", ...lines(figure));
    return `${out.join("\n")}\n`;
  }

  const cell = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  };

  const table = (columns, rows) =>
    `${[columns, ...rows.map((row) => columns.map((name) => row[name]))].map((row) => row.map(cell).join(",")).join("\n")}\n`;

  /* The operations of a row that were counted but have no price. */
  const unpriced = (world, side, i) =>
    world.ops.filter(({ op }) => op in side.unpriced && side.counts.ops[op][i]).map(({ op }) => op);

  /* energy.csv, as `neurt-energy price` writes it. */
  function energy(world, columns, sides) {
    const rows = [];
    for (const side of sides) {
      const { counts } = side;
      const parts = { ...side.groups, ...side.stored };
      const all = counts.name.map((_, i) => i);
      // A heading of which something has no price and nothing else has is a gap, not a zero.
      const gaps = (names) =>
        new Set(
          world.ops.filter(({ op }) => names.includes(op)).flatMap(({ group, stored }) => [group, stored]),
        );
      const row = (lacks, total, of, missing, rest) => ({
        hw: side.profile.name,
        fusion: side.profile.fusion,
        variant: counts.variant,
        model: counts.model,
        weights: counts.weights,
        ...Object.fromEntries(
          Object.entries(parts).map(([part, column]) => [
            `${part}_pj`,
            of(column) || (gaps(missing).has(part) ? null : 0),
          ]),
        ),
        unpriced: missing.join(" "),
        energy_pj: total || (missing.length ? null : 0),
        ...(lacks ? { compute_pj: null, energy_pj: null } : {}),
        ...rest,
      });
      for (const i of all) {
        rows.push(
          row(side.lacks[i], side.total[i], (column) => column[i], unpriced(world, side, i), {
            layer: counts.name[i],
            block: counts.block[i],
            component: counts.component[i],
          }),
        );
      }
      const sum = (column) => saving.total(column, all);
      rows.push(
        row(
          all.some((i) => side.lacks[i]),
          sum(side.total) + (side.static ?? 0),
          sum,
          world.ops.filter(({ op }) => op in side.unpriced).map(({ op }) => op),
          { layer: "TOTAL", static_pj: side.static },
        ),
      );
    }
    return table(columns, rows);
  }

  /* counts.csv at the time steps and spike rates of some settings, before any dataflow.

     Phases are priced one by one, so where there are several each is a variant of its own. */
  function counts(world, columns, run, chosen, sides = ["asa", "ssa"]) {
    const phases = chosen.phase === null ? run.phases : [run.phases[chosen.phase]];
    const rows = [];
    for (const side of sides) {
      for (const phase of phases) {
        const found = side === "ssa" ? execution.scaled(world, phase.ssa, chosen.timesteps, chosen.rate) : phase.asa;
        found.name.forEach((layer, i) => {
          const row = { ...found, layer, variant: phases.length > 1 ? `${side} ${phase.name}` : side };
          for (const name of columns) {
            if (name in found.ops) row[name] = found.ops[name][i];
            else if (Array.isArray(found[name]) || ArrayBuffer.isView(found[name]))
              row[name] = found[name][i];
            else if (!(name in row)) row[name] = 0; // an operation that never occurs
          }
          rows.push(row);
        });
      }
    }
    return table(columns, rows);
  }

  return { toml, energy, counts, unpriced };
})();
