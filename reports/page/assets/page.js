/* The page: settings change, and whatever is in sight is priced again at once. */
const page = (() => {
  "use strict";

  const { byId } = format;
  const { said, save, copy, keep } = downloads;
  document.documentElement.classList.add("scripted");
  const data = settings.loaded(JSON.parse(byId("data").textContent));
  let chosen = settings.standard(data);
  let view = null;

  const asRun = new Map();
  function usual(hw) {
    if (!asRun.has(hw)) asRun.set(hw, settings.view(data, { ...settings.standard(data), hw }));
    return asRun.get(hw);
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

  const RESULTS = ["copy", "save-csv", "save-toml", "save-counts"];
  const refusing = (none) => {
    document.documentElement.classList.toggle("refused", none);
    for (const id of RESULTS) byId(id).disabled = none;
  };

  /* What is not taken has no result, not even that of before. */
  function refuse(why) {
    refusing(true);
    headline.refused(why);
  }

  function update(next, source = null) {
    chosen = next;
    refusing(false);
    view = settings.view(data, chosen);
    showPanel(chosen, source);
    headline.show(data, view, usual(chosen.hw));
    repaint();
  }

  const showPanel = panel.build(data, ({ knob, value, ...change }, source) => {
    const changes = { ...(change.changes ?? chosen.changes) };
    if (knob && value === null) delete changes[knob];
    else if (knob) changes[knob] = value;
    update({ ...chosen, ...change, changes }, source);
    keep(settings.link(data, chosen));
    said("");
  }, refuse);
  byId("form").addEventListener("keydown", ({ key }) => {
    // Back to what is in use, where something is refused.
    if (key === "Escape" && byId("form").querySelector("[aria-invalid]")) update(chosen);
  });

  function follow() {
    const text = location.hash.slice(1);
    if (text && !text.includes("=")) return;
    const { chosen: next, unknown } = settings.parsed(data, text);
    update(next);
    byId("link-note").textContent = unknown.length
      ? `The link names ${unknown.join(", ")}, which this page does not have or cannot take; that part is left out.`
      : "";
  }

  function repaint() {
    lazy.forEach((part) => {
      part.stale = true;
    });
    redraw();
  }

  byId("form").addEventListener("submit", (event) => event.preventDefault());
  byId("reset").addEventListener("click", () => {
    update(settings.standard(data));
    keep("");
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
    save("counts.csv", documents.counts(data.world, data.columns.counts, settings.counted(data, chosen), chosen), "text/csv"),
  );
  theme.button(byId("theme"), repaint);
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
  paper.prepare({ data, view: () => view, draw, repaint });

  return { data, view: () => view, draw };
})();
