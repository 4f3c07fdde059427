/* The pictures of energy: bars per transformer layer and per component, ASA beside SSA. */
const bars = (() => {
  "use strict";

  const { unit, energy, byId, colour } = format;
  const { CONFIG, GAP, axis, layout } = charts;
  const SIDES = [
    ["asa", "ASA", ""],
    ["ssa", "SSA", "/"],
  ];

  /* Bars stack by component in compute-only accounting, and otherwise by kind of operation. */
  function heights(side, data, accounting, bins, size) {
    const all = accounting !== "compute";
    const found = new Map();
    for (let i = 0; i < bins.length; i++) {
      if (bins[i] < 0) continue;
      const add = (key, pj) => {
        if (!pj) return;
        if (!found.has(key)) found.set(key, new Float64Array(size));
        found.get(key)[bins[i]] += pj;
      };
      if (all) for (const group of data.world.groups) add(group, side.groups[group][i]);
      else add(side.counts.component[i], side.groups.compute[i]);
    }
    return found;
  }

  const named = (data, { accounting }) => format.capital(data.names.accountings[accounting]);
  const lacking = (view) => SIDES.filter(([side]) => view[side].lacks.some(Boolean)).map(([, name]) => name);

  /* The end of what moves between products beside the one that bars show, and its sum in each bin. */
  function otherEnd(data, view, bins, size) {
    const end = Object.keys(data.world.fusion).find((name) => name !== view.profile.fusion);
    if (view.accounting === "compute") return { sums: [] };
    const sums = SIDES.map(([side]) => {
      const sum = new Float64Array(size);
      view.bounds[end][side].total.forEach((pj, i) => bins[side][i] >= 0 && (sum[bins[side][i]] += pj));
      return sum;
    });
    return { end, sums };
  }

  /* A line across each bar. On an axis of categories the middle of the first is at zero. */
  function lines({ sums }, scale, horizontal) {
    const width = (1 - GAP) / 2;
    return sums.flatMap((sum, s) =>
      Array.from(sum).flatMap((pj, i) => {
        if (!pj) return [];
        const [from, at] = [i + (s - 1) * width, pj / scale];
        const along = { 0: from, 1: from + width };
        const ends = horizontal
          ? { x0: at, x1: at, y0: along[0], y1: along[1] }
          : { x0: along[0], x1: along[1], y0: at, y1: at };
        return [{ type: "line", ...ends, line: { color: colour("ink"), width: 1.5 } }];
      }),
    );
  }

  function stacked(data, view, bins, labels, horizontal) {
    const all = view.accounting !== "compute";
    const kind = all ? "groups" : "components";
    const sides = SIDES.map(([side]) =>
      heights(view[side], data, view.accounting, bins[side], labels.length),
    );
    const keys = all
      ? data.world.groups
      : [...Object.keys(data.colours.components), ...new Set(sides.flatMap((found) => [...found.keys()]))];
    const tallest = Math.max(
      0,
      ...sides.flatMap((found) =>
        labels.map((_, i) => [...found.values()].reduce((total, column) => total + column[i], 0)),
      ),
    );
    const other = otherEnd(data, view, bins, labels.length);
    const highest = Math.max(tallest, ...other.sums.flatMap((sum) => [...sum]));
    const [scale, name] = unit(highest);
    const traces = [...new Set(keys)].flatMap((key) =>
      sides.flatMap((found, s) => {
        if (!found.has(key)) return [];
        const values = Array.from(found.get(key), (pj) => pj / scale);
        const text = data.names[kind][key] ?? key;
        const only = SIDES[s][0] === "asa" || !sides[0].has(key);
        return [
          {
            type: "bar",
            orientation: horizontal ? "h" : "v",
            name: text,
            legendgroup: key,
            showlegend: only,
            offsetgroup: SIDES[s][0],
            x: horizontal ? values : labels,
            y: horizontal ? labels : values,
            customdata: Array.from(found.get(key), (pj) => energy(pj)),
            hovertemplate: `${SIDES[s][1]} %{${horizontal ? "y" : "x"}}<br>${safe(text)}: %{customdata}<extra></extra>`,
            marker: {
              color: data.colours[kind][key] ?? colour("muted"),
              line: { width: 0 },
              pattern: {
                shape: SIDES[s][2],
                fillmode: "overlay",
                fgcolor: colour("hatch"),
                fgopacity: 0.75,
                size: 6,
                solidity: 0.2,
              },
            },
          },
        ];
      }),
    );
    // A side of which nothing is drawn keeps its place, so that left stays analog.
    const places = SIDES.map(([side]) => ({
      type: "bar",
      orientation: horizontal ? "h" : "v",
      offsetgroup: side,
      x: horizontal ? labels.map(() => 0) : labels,
      y: horizontal ? labels : labels.map(() => 0),
      showlegend: false,
      hoverinfo: "skip",
    }));
    const shown = { title: { text: `energy (${name})` }, range: [0, (1.04 * highest) / scale || 1] };
    const note = other.end ? ` Line: the sum ${other.end}.` : "";
    return { traces: [...places, ...traces], shapes: lines(other, scale, horizontal), axis: axis(shown), note };
  }

  // Plotly reads tags such as <b> in texts.
  const safe = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");

  function layers(data, view) {
    const depths = view.asa.counts.depth.concat(view.ssa.counts.depth).map((depth) => depth ?? -1);
    const size = Math.max(0, ...depths.map((depth) => depth + 1));
    const bins = {
      asa: view.asa.counts.depth.map((d) => d ?? -1),
      ssa: view.ssa.counts.depth.map((d) => d ?? -1),
    };
    const labels = Array.from({ length: size }, (_, i) => String(i));
    const { traces, shapes, axis: energies, note } = stacked(data, view, bins, labels, false);
    const without = SIDES.some(([side]) => bins[side].includes(-1));
    const outside = SIDES.map(([side, title]) => {
      const column = view.accounting !== "compute" ? view[side].total : view[side].groups.compute;
      const rows = bins[side].flatMap((depth, i) => (depth < 0 ? [i] : []));
      const unknown = rows.some((i) => view[side].lacks[i]);
      return `${title} ${energy(unknown ? null : saving.total(column, rows))}`;
    });
    const gap = lacking(view);
    byId("picture-note").textContent =
      `${named(data, view)}. Left: analog (ASA). Right, hatched: spiking (SSA).${note}` +
      (without ? ` Outside of the layers (embeddings, final norm, head): ${outside.join(", ")}.` : "") +
      (gap.length ? ` MACs or ACs of ${gap.join(" and ")} have no price and are missing.` : "");
    Plotly.react(
      "plot-layers",
      traces,
      layout({
        xaxis: axis({
          title: { text: data.names.layer },
          type: "category",
          showgrid: false,
          tickmode: size > 24 ? "linear" : "auto",
          dtick: 2,
          tickangle: 0,
        }),
        yaxis: energies,
        shapes,
      }),
      CONFIG,
    );
  }

  function components(data, view) {
    const every = data.blocks.flatMap(([, components]) => components);
    const parts = data.blocks.flatMap(([block, components]) =>
      components.map((component) => {
        const several = every.filter((other) => other === component).length > 1;
        return {
          block,
          component,
          label: safe(`${data.names.components[component] ?? component}${several ? ` (${block})` : ""}`),
        };
      }),
    );
    const bins = Object.fromEntries(
      SIDES.map(([side]) => [
        side,
        view[side].counts.name.map((_, i) =>
          parts.findIndex(
            ({ block, component }) =>
              block === view[side].counts.block[i] && component === view[side].counts.component[i],
          ),
        ),
      ]),
    );
    const { traces, shapes, axis: energies, note } = stacked(
      data,
      view,
      bins,
      parts.map(({ label }) => label),
      true,
    );
    byId("components-note").textContent =
      `${named(data, view)}. Plain: analog (ASA). Hatched: spiking (SSA).${note}`;
    Plotly.react(
      "plot-components",
      traces,
      layout({
        height: 90 + charts.rowHeight() * parts.length,
        margin: { l: 8, r: 10, t: 10, b: 46 },
        xaxis: energies,
        shapes,
        yaxis: axis({
          type: "category",
          automargin: true,
          showgrid: false,
          autorange: "reversed",
          categoryorder: "array",
          categoryarray: parts.map(({ label }) => label),
        }),
      }),
      CONFIG,
    );
  }

  return { layers, components };
})();
