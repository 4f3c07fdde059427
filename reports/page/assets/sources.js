/* What the numbers of the chosen hardware rest on. */
const sources = (() => {
  "use strict";

  const { element, byId, count, digits } = format;
  const HEADINGS = ["what", "value", "range", "evidence", "source"];

  const bytes = (size) => {
    const [scale, unit] = [
      [2 ** 30, "GiB"],
      [2 ** 20, "MiB"],
      [2 ** 10, "KiB"],
      [1, "B"],
    ].find(([s]) => size >= s) ?? [1, "B"];
    return `${digits(size / scale)} ${unit}`;
  };
  const range = ({ spread }, values, unit) =>
    !spread
      ? ""
      : values.length
        ? [...new Set(values.map((value) => spread.map((x) => digits(value * x)).join(" to ")))].join("; ") +
          ` ${unit}`
        : `× ${spread.join(" to × ")}`;

  function lines(data, profile) {
    const found = [];
    const add = (what, value, record, values = [], unit = "") =>
      found.push({ what, value, record, range: range(record, values, unit) });
    for (const { op } of data.world.ops) {
      const price = profile.prices[op];
      if (price) add(op, `${digits(price.pj, 6)} pJ`, price, [price.pj], "pJ");
    }
    for (const [name, level] of Object.entries(profile.memory)) {
      const buffers = Object.entries(profile.placement)
        .filter(([, where]) => where.includes(name))
        .map(([buffer]) => buffer);
      const { read_pj_per_byte: read, write_pj_per_byte: write, capacity_bytes: capacity } = level;
      const value = level.curve.length
        ? level.curve.map(([size, pj]) => `${bytes(size)}: ${digits(pj)}`).join(", ") + " pJ per byte"
        : read === write
          ? `${digits(read, 6)} pJ per byte`
          : `read ${digits(read, 6)}, write ${digits(write, 6)} pJ per byte`;
      add(
        `memory ${name} (${buffers.join(", ") || "unused"})`,
        value + (capacity ? `; holds ${bytes(capacity)}` : ""),
        level,
        level.curve.length ? [] : [read, write],
        "pJ per byte",
      );
    }
    const { static_power: power, core, system, delivery } = profile;
    if (delivery) {
      const { pj_per_byte: pj, mac_reuse: macs, event_reuse: events, reuse_range: reuse } = delivery;
      const value = `${digits(pj, 6)} pJ per byte; serves ${count(macs)} MACs or ${count(events)} events`;
      add("fetch beside the adders", value, delivery, [pj], "pJ per byte");
      if (reuse) {
        const last = found[found.length - 1];
        last.range = [last.range, `reuse ${reuse.map(count).join(" to ")}`].filter(Boolean).join("; ");
      }
    }
    if (power) add("static power", `${digits(power.watts)} W`, power, [power.watts], "W");
    for (const [op, rate] of Object.entries(profile.throughput))
      add(`throughput ${op}`, `${digits(rate.per_second / 1e9)} G per second`, rate);
    for (const [name, rate] of Object.entries(profile.bandwidth))
      add(`bandwidth ${name}`, `${digits(rate.bytes_per_second / 1e9)} GB per second`, rate);
    if (core) add("one core", `${count(core.synapses)} synapses, ${count(core.neurons)} neurons`, core);
    for (const figure of system)
      add(`whole system, not in any bill: ${figure.what}`, `${digits(figure.value)} ${figure.unit}`, figure);
    return found;
  }

  const list = (items) => element("ul", {}, ...items.map((item) => element("li", {}, item)));

  function table(data, profile, usual) {
    const described = lines(data, profile);
    const before = new Map(lines(data, usual).map(({ what, value }) => [what, value]));
    const rows = described.map(({ what, value, record, range: spread }) => {
      const others = (record.others ?? []).map(({ pj, source }) => `${digits(pj, 6)} pJ: ${source}`);
      const changed = before.get(what) !== value;
      return element(
        "tr",
        changed ? { class: "changed" } : {},
        element("th", { scope: "row" }, what),
        element("td", {}, value),
        element("td", {}, spread),
        element("td", {}, element("span", { class: `grade ${record.evidence}` }, record.evidence)),
        element(
          "td",
          { class: "wide" },
          record.source,
          record.note ? element("span", { class: "note" }, ` ${record.note}.`) : null,
          others.length ? list(others.map((other) => `other source, ${other}`)) : null,
        ),
      );
    });
    byId("sources").replaceChildren(
      element("caption", {}, `Constants of ${profile.title}`),
      element(
        "thead",
        {},
        element("tr", {}, ...HEADINGS.map((name) => element("th", { scope: "col" }, name))),
      ),
      element("tbody", {}, ...rows),
    );
    const grades = new Set(described.map(({ record }) => record.evidence));
    byId("grades").replaceChildren(
      ...Object.entries(data.evidence)
        .filter(([grade]) => grades.has(grade))
        .map(([grade, meaning]) => element("div", {}, element("dt", {}, grade), element("dd", {}, meaning))),
    );
  }

  function show(data, view) {
    const { profile } = view;
    const node = profile.process_nm ? `${profile.process_nm} nm` : "unknown node";
    byId("hardware-line").textContent =
      `${profile.title}: ${node}, ${profile.precision}, ${profile.value_bytes} bytes per value, ` +
      (profile.scope === "all_in" ? "one price with everything inside it." : "priced per operation.");
    table(data, profile, settings.original(data, view.chosen));
    const { world } = data;
    const own = 8 * profile.value_bytes;
    const widths = Object.entries({ weights: own, activations: own, kv: own, ...profile.widths });
    const spelled = widths.map(([operand, bits]) => `${operand} ${digits(bits)} bits`).join(", ");
    const machine = {
      dataflow: `${profile.dataflow}: ${world.dataflows[profile.dataflow].definition}`,
      "between products": `${profile.fusion}: ${world.fusion[profile.fusion]}`,
    };
    if (Object.keys(profile.placement).length) {
      machine["room on the chip"] = `${profile.room}: ${world.room[profile.room]}`;
      machine["spikes in memory"] = `${profile.encoding}: ${world.encoding[profile.encoding]}`;
      machine.widths = `${spelled}; where a checkpoint stores less, what it stores`;
    }
    byId("machine").replaceChildren(
      ...Object.entries(machine).map(([what, text]) =>
        element("div", {}, element("dt", {}, what), element("dd", {}, `${text}.`)),
      ),
    );
    byId("assumptions").replaceChildren(...profile.assumptions.map((line) => element("li", {}, line)));
    const reasons = new Map();
    for (const [op, why] of Object.entries(profile.included))
      reasons.set(why, [...(reasons.get(why) ?? []), op]);
    byId("included").replaceChildren(
      ...(reasons.size
        ? [
            element("h3", {}, "Inside another price"),
            list([...reasons].map(([why, ops]) => `${ops.join(", ")}: ${why}`)),
          ]
        : []),
    );
  }

  /* What was counted and has no price. */
  function missing(data, { profile, asa, ssa }) {
    const found = [asa, ssa].flatMap((side) => {
      const ops = data.world.ops.filter(({ op }) => op in side.unpriced);
      const lines = ops.map(({ op }) => `${op} × ${count(side.unpriced[op])}`);
      if (profile.scope !== "all_in" && side.static === null)
        lines.push("static energy: no latency or power");
      return lines.length ? [`${side.counts.variant.toUpperCase()}: ${lines.join(", ")}`] : [];
    });
    byId("unpriced").replaceChildren(
      found.length ? list([...new Set(found)]) : element("p", {}, "Everything counted has a price."),
    );
  }

  return { show, missing };
})();
