/* What is saved, at the top of the page and in the panel: both ends of the whole bill, MACs and ACs. */
const headline = (() => {
  "use strict";

  const { element, byId, energy, percent, seconds, capital } = format;

  const parts = (data) =>
    [
      [null, "Whole model", "Model"],
      ["attention", "Attention block", "Attention"],
      ["ffn", "Feed-forward block", "Feed-forward"],
    ].filter(([block]) => block === null || data.blocks.some(([name]) => name === block));

  /* The whole bill first; then MACs and ACs alone, as most papers count. */
  const ordered = ({ accountings }) =>
    [...accountings].sort((a, b) => (a === "compute") - (b === "compute"));

  /* Bars of both sides; of one alone there is nothing to compare it with. */
  function bars(found) {
    if (found.asa_pj === null || found.ssa_pj === null) return null;
    const largest = Math.max(found.asa_pj, found.ssa_pj) || 1;
    const bar = (side, pj) => {
      const made = element("span", { class: `bar ${side}` });
      made.style.width = `${(100 * pj) / largest}%`;
      return made;
    };
    const both = [bar("asa", found.asa_pj), bar("ssa", found.ssa_pj)];
    return element("span", { class: "bars", "aria-hidden": "true" }, ...both);
  }

  function share(found) {
    const worse = found.saving !== null && found.saving < 0;
    const lost = found.unpriced.filter((op) => bill.COMPUTE.includes(op));
    const why = lost.length ? `no price for ${lost.join(", ")}` : "";
    if (found.saving === null) return element("p", { class: "big unknown" }, why ? `not known: ${why}` : "not known");
    return element(
      "p",
      { class: worse ? "big worse" : "big" },
      percent(found.saving),
      element("span", { class: "unit" }, worse ? " costs more" : " saved"),
    );
  }

  /* One saving; `interval` is where it lies, which is known of what was run. */
  function line(found, before, name, interval, published) {
    const same = before.saving === found.saving;
    const spread = interval?.map((end) => (100 * end).toFixed(1).replace("-", "−"));
    const note = same ? spread && `5 to 95 %: ${spread.join(" to ")} %` : `as run: ${percent(before.saving)}`;
    return element(
      "div",
      { class: "line" },
      element("p", { class: "what" }, name),
      share(found),
      bars(found),
      element("p", { class: "small" }, `ASA ${energy(found.asa_pj)} → SSA ${energy(found.ssa_pj)}`),
      note ? element("p", { class: same ? "small" : "small was" }, note) : null,
      published && element("span", { class: "published" }, published),
    );
  }

  function cards(data, view, usual) {
    const range = data.published?.range.map((share) => (100 * share).toFixed(2)).join("–");
    const intervals = data.run.intervals[view.chosen.hw] ?? {};
    byId("cards").replaceChildren(
      ...parts(data).map(([block, title]) =>
        element(
          "article",
          { class: "card" },
          element("h3", {}, title),
          ...ordered(data.world).map((accounting) =>
            line(
              settings.saved(data, view, accounting, block),
              settings.saved(data, usual, accounting, block),
              capital(data.names.accountings[accounting]),
              intervals[accounting]?.[block ?? ""],
              range && block === "attention" && accounting === "compute"
                ? `published for other weights ${range} %`
                : null,
            ),
          ),
        ),
      ),
    );
  }

  /* The same in the panel, where it stays in sight. */
  function readout(data, view) {
    const accountings = ordered(data.world);
    const chosen = (accounting) => (accounting === view.accounting ? "chosen" : null);
    const head = accountings.map((accounting) =>
      element("th", { scope: "col", class: chosen(accounting) }, accounting === "compute" ? "MACs, ACs" : accounting));
    const row = ([block, , name]) =>
      element(
        "tr",
        {},
        element("th", { scope: "row" }, name),
        ...accountings.map((accounting) =>
          element("td", { class: chosen(accounting) }, percent(settings.saved(data, view, accounting, block).saving)),
        ),
      );
    byId("readout").replaceChildren(
      element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Saved"), ...head)),
      element("tbody", {}, ...parts(data).map(row)),
    );
  }

  function state(data, { chosen, profile, asa, ssa, accounting }) {
    const base = settings.original(data, chosen);
    const changes = Object.keys(chosen.changes);
    const phase = chosen.phase === null ? "" : `, ${data.run.phases[chosen.phase].name}`;
    const time =
      asa.latency === null || ssa.latency === null
        ? ""
        : ` Time at the bound ${profile.fusion}: ASA ${seconds(asa.latency)}, SSA ${seconds(ssa.latency)}.`;
    byId("state").textContent =
      `On ${base.title}${phase}: ${profile.dataflow} dataflow, T = ${chosen.timesteps}, ` +
      `spike rate × ${format.digits(chosen.rate)}${changes.length ? `; changed: ${changes.join(", ")}` : ""}. ` +
      `Tables and pictures show ${data.names.accountings[accounting]}.${time}`;
  }

  function show(data, view, usual) {
    cards(data, view, usual);
    readout(data, view);
    state(data, view);
    const given = Object.entries(data.run.latency_s)
      .map(([side, s]) => ` --latency-s ${side}=${s}`)
      .join("");
    byId("command").textContent = `neurt-energy price counts.csv --hw '${view.profile.name}.toml'${given}`;
  }

  return { show };
})();
