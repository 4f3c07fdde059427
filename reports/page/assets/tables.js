/* The tables that sort and filter. */
const tables = (() => {
  "use strict";

  const { element, percent, compact, digits, byId } = format;
  const made = {};

  /* A heading that the keyboard reaches: pressing it sorts. */
  const heading = (title) => () =>
    element("button", { type: "button", class: "sort", title: `Sort by ${title}` }, title);
  const text = (shown) => (value) => document.createTextNode(shown(value));
  const missing = (value) => (value === null || value === undefined ? -Infinity : value);
  // `draw` makes the content of a cell; it reads the row, whose numbers change under the table.
  const column = (title, field, { draw = text((value) => value ?? ""), long, ...more } = {}) => ({
    title,
    field,
    minWidth: 70,
    titleFormatter: heading(title),
    formatter: (cell) => draw(cell.getData()[field]),
    formatterParams: { draw, long },
    ...more,
  });
  const number = (title, field, shown, more = {}) =>
    column(title, field, {
      hozAlign: "right",
      headerHozAlign: "right",
      sorter: (a, b, first, second) => missing(first.getData()[field]) - missing(second.getData()[field]),
      draw: text(shown),
      headerSortStartingDir: "desc",
      ...more,
    });

  function share(value) {
    const shown = element("span", { class: value < 0 ? "share worse" : "share" }, percent(value));
    shown.style.setProperty("--share", `${Math.max(0, Math.min(1, Math.abs(value ?? 0))) * 100}%`);
    return shown;
  }

  /* The unit of energies: that of the model as the tables are made, and then always the same. */
  let unit = null;
  function inUnit(view) {
    unit ??= format.unit(Math.max(...[view.asa, view.ssa].map((side) => execution.sum(side.total))));
    return [(pj) => (pj === null ? "unpriced" : digits(pj / unit[0])), unit[1]];
  }

  function savingsColumns(data, view) {
    const [energy, joule] = inUnit(view);
    return [
      column("block", "block"),
      column("component", "component", { minWidth: 150 }),
      number(`ASA (${joule})`, "asa_pj", energy),
      number(`SSA (${joule})`, "ssa_pj", energy),
      ...data.world.accountings.map((accounting) =>
        number(accounting, `saved_${accounting}`, percent, { draw: share, minWidth: 95, long: `saved, ${accounting}` }),
      ),
      number("ASA MACs", "macs", compact, { minWidth: 95 }),
      number("SSA MACs", "ssa_macs", compact, { minWidth: 95 }),
      number("SSA ACs", "acs", compact, { minWidth: 95 }),
      number("events/MAC", "events", (value) => (value === null ? "–" : digits(value, 3)), { minWidth: 95 }),
      column("without a price", "unpriced", { minWidth: 160 }),
    ];
  }

  function layerColumns(data, view) {
    const [energy, joule] = inUnit(view);
    return [
      column("layer", "layer", { minWidth: 190, frozen: innerWidth > 700 }),
      column("variant", "variant"),
      column("block", "block", { minWidth: 85 }),
      column("component", "component", { minWidth: 95 }),
      number("depth", "depth", (value) => value ?? "–"),
      number(`energy (${joule})`, "energy", energy, { minWidth: 105 }),
      ...data.world.groups.map((group) => number(`${group} (${joule})`, group, energy, { minWidth: 105 })),
      number("spike rate", "rate", percent, { minWidth: 90 }),
      number("MACs", "macs", compact, { minWidth: 80 }),
      number("ACs", "acs", compact, { minWidth: 80 }),
      column("without a price", "unpriced", { minWidth: 160 }),
    ];
  }

  const accumulates = (ops, chosen) => saving.total(ops.ac, chosen) + saving.total(ops.shift_ac, chosen);

  function savingsRows(data, view) {
    const { asa, ssa, accounting } = view;
    const parts = [
      [null, null],
      ...data.blocks.flatMap(([block, components]) => [
        [block, null],
        ...components.map((component) => [block, component]),
      ]),
    ];
    return parts.map(([block, component]) => {
      const found = settings.saved(data, view, accounting, block, component);
      const shares = data.world.accountings.map((other) => [
        `saved_${other}`,
        settings.saved(data, view, other, block, component).saving,
      ]);
      const [analog, spiking] = [asa, ssa].map((side) => saving.rows(side, block, component));
      return {
        ...found,
        ...Object.fromEntries(shares),
        id: `${block}/${component}`,
        block: block ?? "model",
        component: component === null ? "all" : (data.names.components[component] ?? component),
        macs: saving.total(asa.counts.ops.mac, analog),
        ssa_macs: saving.total(ssa.counts.ops.mac, spiking),
        acs: accumulates(ssa.counts.ops, spiking),
        events: saving.eventsPerMac(ssa, spiking),
        unpriced: found.unpriced.join(", "),
      };
    });
  }

  function layerRows(data, view) {
    return [view.asa, view.ssa].flatMap((side) =>
      side.counts.name.map((layer, i) => {
        const { counts, groups, lacks } = side;
        return {
          id: `${counts.variant}/${i}`,
          variant: counts.variant,
          layer,
          block: counts.block[i],
          component: counts.component[i],
          depth: counts.depth[i],
          rate: counts.slots[i] ? counts.spikes[i] / counts.slots[i] : null,
          macs: saving.total(counts.ops.mac, [i]),
          acs: accumulates(counts.ops, [i]),
          ...Object.fromEntries(data.world.groups.map((group) => [group, groups[group][i]])),
          ...(lacks[i] ? { compute: null } : {}),
          energy: lacks[i] ? null : side.total[i],
          unpriced: documents.unpriced(data.world, side, i).join(", "),
        };
      }),
    );
  }

  /* What energies in a table are of. */
  function note(kind, data, { accounting, profile }) {
    const { accountings } = data.names;
    const rows = accountings[accounting === "compute" ? profile.fusion : accounting];
    return kind === "layers"
      ? `Energies: ${rows}.`
      : `Energies: ${accountings[accounting]}. Saved: compute is MACs and ACs alone, fused and unfused all priced.`;
  }

  /* All rows as a plain table, which paper takes. */
  function printed(kind, data, view) {
    const [columns, rows] = KINDS[kind];
    const shown = columns(data, view);
    const cells = (row) => shown.map(({ field, hozAlign, formatterParams }) =>
      element("td", { class: hozAlign && "number" }, formatterParams.draw(row[field])));
    const heads = shown.map(({ title, formatterParams, hozAlign }) =>
      element("th", { scope: "col", class: hozAlign && "number" }, formatterParams.long ?? title));
    byId(`print-${kind}`).replaceChildren(
      element("caption", {}, note(kind, data, view)),
      element("thead", {}, element("tr", {}, ...heads)),
      element("tbody", {}, ...rows(data, view).map((row) => element("tr", {}, ...cells(row)))),
    );
  }

  const KINDS = { savings: [savingsColumns, savingsRows], layers: [layerColumns, layerRows] };

  /* Build a table, or write new numbers into the rows that are in sight and the others as they come. */
  function fill(kind, data, view) {
    const [columns, rows] = KINDS[kind];
    const found = rows(data, view);
    byId(`${kind}-note`).textContent = note(kind, data, view);
    if (made[kind]) return made[kind].then((table) => renew(table, found));
    made[kind] = new Promise((resolve) => {
      const table = new Tabulator(byId(`table-${kind}`), {
        data: found,
        columns: columns(data, view),
        layout: "fitDataFill",
        maxHeight: kind === "layers" ? 480 : false,
        index: "id",
        placeholder: "No row fits.",
        renderHorizontal: "basic",
        headerSortElement: "<span aria-hidden='true'>↕</span>",
      });
      table.on("tableBuilt", () => resolve(table));
      for (const event of ["scrollVertical", "renderComplete"]) table.on(event, () => paint(table));
    });
    return made[kind].then((table) => filtering(kind, table, data));
  }

  function renew(table, found) {
    const rows = new Map(found.map((row) => [row.id, row]));
    for (const row of table.getRows())
      Object.assign(row.getData(), rows.get(row.getIndex()), { stale: true });
    if (table.getSorters().length)
      table.setSort(table.getSorters().map(({ field, dir }) => ({ column: field, dir })));
    paint(table);
  }

  function paint(table) {
    for (const row of table.getRows("visible")) {
      const about = row.getData();
      if (!about.stale) continue;
      about.stale = false;
      for (const cell of row.getCells()) {
        const { field, formatterParams } = cell.getColumn().getDefinition();
        cell.getElement().replaceChildren(formatterParams.draw(about[field]));
      }
    }
  }

  function filtering(kind, table, data) {
    const find = byId(`find-${kind}`);
    const [variant, block] =
      kind === "layers" ? [byId("filter-variant"), byId("filter-block")] : [null, null];
    if (block) for (const [name] of data.blocks) block.append(element("option", { value: name }, name));
    const apply = () => {
      const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
      table.setFilter(
        (row) =>
          words.every((word) =>
            `${row.layer ?? ""} ${row.block} ${row.component}`.toLowerCase().includes(word),
          ) &&
          (!variant?.value || row.variant === variant.value) &&
          (!block?.value || row.block === block.value),
      );
      if (block)
        byId("layers-count").textContent = `${table.getDataCount("active")} of ${table.getDataCount()} rows`;
    };
    for (const input of [find, variant, block]) input?.addEventListener("input", apply);
    apply();
    described(byId(`table-${kind}`), kind === "layers" ? "Layers" : "Savings by block and component");
  }

  /* Between a grid and its rows there may be groups of rows and nothing else. */
  function described(root, label) {
    root.setAttribute("aria-label", label);
    root.removeAttribute("aria-owns");
    root.querySelector(".tabulator-tableholder").setAttribute("role", "rowgroup");
    root.querySelector(".tabulator-table").setAttribute("role", "none");
  }

  return { fill, printed };
})();
