/* How pictures look, and the one of saving against spike rate. */
const charts = (() => {
  "use strict";

  const { byId, colour, digits } = format;
  const CONFIG = {
    displaylogo: false,
    responsive: true,
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "zoom2d", "pan2d"] /* the pointer zooms */,
  };
  const GAP = 0.25; // between the bars of two categories, as a share of both
  const RATES = Array.from({ length: 13 }, (_, i) => i / 4);

  const axis = (more) => ({
    gridcolor: colour("line"),
    zerolinecolor: colour("strong-line"),
    linecolor: colour("strong-line"),
    ...more,
  });

  // Pixels: across a page of A4, so high that two pictures fit on one, and of each row of bars.
  const PAPER = { width: 680, height: 290, row: 23 };
  const SCREEN = { row: 30 };
  let printed = false;
  const onPaper = (now) => {
    printed = now;
  };
  const rowHeight = () => (printed ? PAPER : SCREEN).row;

  const layout = (more) => ({
    ...(printed ? { width: PAPER.width, height: PAPER.height, autosize: false } : { autosize: true }),
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 12, color: colour("ink") },
    margin: { l: 58, r: 10, t: 10, b: 46 },
    bargap: GAP,
    barmode: "stack",
    hovermode: "closest",
    hoverlabel: { font: { family: "system-ui, sans-serif" } },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, traceorder: "normal" },
    ...more,
  });

  /* A band across a picture, with what it is. */
  const band = (low, high) => ({
    shapes: [
      {
        type: "rect",
        xref: "paper",
        x0: 0,
        x1: 1,
        y0: low,
        y1: high,
        line: { width: 0 },
        fillcolor: colour("accent"),
        opacity: 0.12,
        layer: "below",
      },
    ],
    annotations: [
      {
        xref: "paper",
        x: 0.995,
        y: high,
        xanchor: "right",
        yanchor: "top",
        showarrow: false,
        text: "published, other weights",
        font: { size: 11, color: colour("muted") },
      },
    ],
  });

  function rate(data, view) {
    const { chosen } = view;
    const most = Math.max(3, Math.ceil(1.2 * chosen.rate));
    const factors = [...new Set([...RATES.map((x) => (x * most) / 3), chosen.rate])].sort((a, b) => a - b);
    // Beside the chosen end of the whole bill, the other one.
    const ends = [view.accounting, ...Object.keys(data.world.fusion).filter((end) => end !== view.accounting)];
    const shown = view.accounting === "compute" ? ["compute"] : ends;
    const points = shown.map((end) => factors.map(settings.spiking(data, { ...chosen, accounting: end })));
    const filled = (ssa) =>
      `${digits(
        (100 * saving.total(ssa.counts.spikes, saving.rows(ssa))) /
          (saving.total(ssa.counts.slots, saving.rows(ssa)) || 1),
        3,
      )} % of slots`;
    const blocks = [
      ["attention", "attention block", "accent"],
      ["ffn", "feed-forward block", "second"],
      [null, "model", "ink"],
    ].filter(([block]) => block === null || data.blocks.some(([name]) => name === block));
    const at = factors.indexOf(chosen.rate);
    const now = [];
    const values = [];
    const line = ([block, name, tone], i, end, e) => {
      const { asa } = view.bounds[end] ?? view;
      const shares = points[e]
        .map((ssa) => saving.of(data.world, asa, ssa, end, block).saving)
        .map((share) => (share === null ? null : 100 * share));
      values.push(...shares);
      if (!e) now.push(shares[at]);
      return {
        type: "scatter",
        mode: "lines",
        name: e ? `${name}, ${end}` : name,
        showlegend: !e,
        x: factors,
        y: shares,
        text: points[e].map(filled),
        opacity: e ? 0.6 : 1,
        line: { color: colour(tone), width: e ? 1 : 2, dash: ["solid", "dash", "dot"][i] },
        hovertemplate: `${name}, ${end}, spikes × %{x:.3g} (%{text}): %{y:.2f} %<extra></extra>`,
      };
    };
    const traces = shown.flatMap((end, e) => blocks.map((block, i) => line(block, i, end, e)));
    traces.push({
      type: "scatter",
      mode: "markers",
      x: now.map(() => chosen.rate),
      y: now,
      showlegend: false,
      hoverinfo: "skip",
      marker: { size: 10, color: blocks.map(([, , tone]) => colour(tone)) },
    });
    const known = now.some((value) => value !== null);
    // What was published counts MACs and ACs of the attention of language models.
    const isPublished = data.published !== null && view.accounting === "compute";
    const published = isPublished ? data.published.range.map((share) => 100 * share) : [];
    const highest = Math.max(...published, ...values.filter((value) => value !== null), 0);
    byId("rate-note").textContent =
      (known ? `Dots: the current setting${shown.length > 1 ? `; thin lines: ${shown[1]}` : ""}. ` : "No saving is known: MACs or ACs have no price. ") +
      (published.length
        ? "The band is what was published for the attention block of other weights, " +
          `${published.map((share) => share.toFixed(2)).join("–")} %. `
        : "") +
      "Below zero, spikes cost more.";
    Plotly.react(
      "plot-rate",
      traces,
      layout({
        xaxis: axis({ title: { text: "factor on the spike rate of the run" }, range: [0, most] }),
        yaxis: axis({
          title: {
            text: `saving (%), ${data.names.accountings[view.accounting]}`,
          },
          range: [Math.max(Math.min(-150, 1.2 * Math.min(...now)), Math.min(0, ...values) - 5), highest + 5],
        }),
        ...(published.length ? band(...published) : {}),
      }),
      CONFIG,
    );
  }

  return { CONFIG, GAP, axis, layout, onPaper, rowHeight, rate };
})();
