/* The page: settings change, and whatever is in sight is priced again at once. */
const page = (() => {
  "use strict";

  const { element, byId, energy, percent } = format;
  const data = settings.loaded(JSON.parse(byId("data").textContent));
  const PARTS = [
    ["attention", "Attention block"],
    ["ffn", "Feed-forward block"],
    [null, "Whole model"],
  ].filter(([block]) => block === null || data.blocks.some(([name]) => name === block));
  let chosen = settings.standard(data);
  let view = null;

  function see(now) {
    const { asa, ssa } = settings.bills(data, now);
    return { chosen: now, asa, ssa, profile: settings.profile(data, now) };
  }

  const savings = ({ asa, ssa }, block) =>
    ["compute", "full"].map((accounting) => saving.of(data.world, asa, ssa, accounting, block));

  function line(found, before, name, published) {
    const largest = Math.max(found.asa_pj ?? 0, found.ssa_pj ?? 0) || 1;
    const bar = (side, pj) => {
      const made = element("span", { class: `bar ${side}` });
      made.style.width = `${(100 * (pj ?? 0)) / largest}%`;
      return made;
    };
    const range = published
      ? element(
          "span",
          { class: "published" },
          `published for other weights ${data.published.range.map((share) => (100 * share).toFixed(2)).join("–")} %`,
        )
      : null;
    const worse = found.saving !== null && found.saving < 0;
    const lost = found.unpriced.filter((op) => bill.COMPUTE.includes(op));
    const why = lost.length ? `no price for ${lost.join(", ")}` : "";
    return element(
      "div",
      { class: "line" },
      element("p", { class: "what" }, name),
      element(
        "p",
        { class: worse ? "big worse" : "big" },
        found.saving === null ? "not known" : percent(found.saving),
        element(
          "span",
          { class: "unit" },
          ` ${found.saving === null ? why : worse ? "costs more" : "saved"}`,
        ),
      ),
      element(
        "span",
        { class: "bars", "aria-hidden": "true" },
        bar("asa", found.asa_pj),
        bar("ssa", found.ssa_pj),
      ),
      element("p", { class: "small" }, `ASA ${energy(found.asa_pj)} → SSA ${energy(found.ssa_pj)}`),
      before.saving !== found.saving
        ? element("p", { class: "small was" }, `as run: ${percent(before.saving)}`)
        : null,
      range,
    );
  }

  const asRun = new Map();
  function usual(hw) {
    if (!asRun.has(hw)) asRun.set(hw, see({ ...settings.standard(data), hw }));
    return asRun.get(hw);
  }

  function summary() {
    byId("cards").replaceChildren(
      ...PARTS.map(([block, title]) => {
        const [compute, full] = savings(view, block);
        const before = savings(usual(chosen.hw), block);
        return element(
          "article",
          { class: "card" },
          element("h3", {}, title),
          line(compute, before[0], "MACs and ACs only", block === "attention"),
          line(full, before[1], "Everything with a price", false),
        );
      }),
    );
    const phase = chosen.phase === null ? "" : `${data.run.phases[chosen.phase].name}, `;
    const changes = Object.keys(chosen.changes).length;
    byId("state").textContent =
      `On ${view.profile.title}: ${phase}${view.profile.dataflow} dataflow, T = ${chosen.timesteps}, ` +
      `spike rate × ${format.digits(chosen.rate)}${changes ? `, ${changes} changed ${changes > 1 ? "numbers" : "number"}` : ""}.`;
    byId("readout").textContent = PARTS.map(
      ([block, title]) =>
        `${title} ${percent(saving.of(data.world, view.asa, view.ssa, chosen.accounting, block).saving)}`,
    ).join(" · ");
    const given = Object.entries(data.run.latency_s)
      .map(([side, s]) => ` --latency ${side}=${s}`)
      .join("");
    byId("command").textContent = `neurt-energy price counts.csv --hw '${view.profile.name}.toml'${given}`;
  }

  /* What is out of sight waits until it is scrolled to. */
  const lazy = [
    ["plot-layers", () => bars.layers(data, view)],
    ["plot-components", () => bars.components(data, view)],
    ["plot-rate", () => charts.rate(data, view)],
    ["table-savings", () => tables.fill("savings", data, view)],
    ["table-layers", () => tables.fill("layers", data, view)],
    ["constants", () => sources.show(data, view)],
    ["missing", () => sources.missing(data, view)],
  ].map(([id, draw]) => ({ id, draw, visible: false, stale: true }));
  let awaited = false;
  function redraw() {
    if (awaited) return; // many moves of a slider may come between two frames
    awaited = true;
    requestAnimationFrame(() => {
      awaited = false;
      for (const part of lazy.filter(({ visible, stale }) => visible && stale)) {
        part.stale = false;
        part.draw();
      }
    });
  }
  const sight = new IntersectionObserver((entries) => {
    for (const entry of entries) lazy.find(({ id }) => id === entry.target.id).visible = entry.isIntersecting;
    redraw();
  });

  function update(next, source = null) {
    chosen = next;
    view = see(chosen);
    showPanel(chosen, source);
    summary();
    lazy.forEach((part) => {
      part.stale = true;
    });
    redraw();
  }

  const showPanel = panel.build(data, ({ price, value, ...change }, source) => {
    const changes = { ...(change.changes ?? chosen.changes) };
    if (price && value === null) delete changes[price];
    else if (price) changes[price] = value;
    update({ ...chosen, ...change, changes }, source);
    history.replaceState(null, "", `#${settings.link(data, chosen)}`);
    said("");
  });

  const said = (text) => {
    byId("said").textContent = text;
  };

  function follow() {
    const text = location.hash.slice(1);
    if (text && !text.includes("=")) return;
    const { chosen: next, unknown } = settings.parsed(data, text);
    update(next);
    said(
      unknown.length
        ? `The link names ${unknown.join(", ")}, which this page does not have or cannot take; that part is left out.`
        : "",
    );
  }

  function save(name, text, type) {
    const link = element("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    said(`${name} downloaded.`);
  }

  async function copy() {
    const link = location.href;
    try {
      await navigator.clipboard.writeText(link);
      said("Link copied.");
    } catch {
      said(`The browser does not let this page copy; the address bar has the link: ${link}`);
    }
  }

  const THEMES = ["auto", "light", "dark"];
  function theme() {
    const root = document.documentElement;
    const now = THEMES[(THEMES.indexOf(root.dataset.theme ?? "auto") + 1) % THEMES.length];
    root.dataset.theme = now;
    byId("theme").textContent = `Theme: ${now}`;
    repaint();
  }
  const repaint = () => {
    lazy.forEach((part) => {
      part.stale = true;
    });
    redraw();
  };

  byId("form").addEventListener("submit", (event) => event.preventDefault());
  byId("reset").addEventListener("click", () => {
    update(settings.standard(data));
    history.replaceState(null, "", "#");
    said("As run.");
  });
  byId("copy").addEventListener("click", copy);
  byId("save-csv").addEventListener("click", () =>
    save("energy.csv", documents.energy(data.world, data.columns.energy, [view.asa, view.ssa]), "text/csv"),
  );
  byId("save-toml").addEventListener("click", () =>
    save(`${view.profile.name}.toml`, documents.toml(view.profile), "application/toml"),
  );
  byId("save-counts").addEventListener("click", () =>
    save("counts.csv", documents.counts(data.columns.counts, data.run, chosen), "text/csv"),
  );
  byId("theme").addEventListener("click", theme);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // the part of the link after # carries the settings
    byId("main").focus();
  });
  addEventListener("hashchange", follow);
  if (innerWidth < 1000) byId("panel").open = false;
  follow();
  lazy.forEach(({ id }) => sight.observe(byId(id)));

  function draw() {
    for (const part of lazy) {
      part.stale = false;
      part.draw();
    }
  }
  addEventListener("beforeprint", draw);

  return { data, view: () => view, draw };
})();
