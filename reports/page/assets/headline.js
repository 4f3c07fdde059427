/* What is saved: the answer above the page, the cards, and the readout of the panel. */
const headline = (() => {
  "use strict";

  const { element, byId, energy, saved, between, seconds, capital } = format;

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
    return element("p", { class: worse ? "big worse" : "big" }, saved(found.saving));
  }

  /* One saving; `interval` is where it lies, which is known of what was run. */
  function line(found, before, name, interval, published) {
    const same = before.saving === found.saving;
    const spread = interval && between(...interval);
    const note = same ? spread && `5 to 95 % of draws: ${spread}` : `as run: ${saved(before.saving)}`;
    const unknown = found.saving === null && !found.asa_pj && !found.ssa_pj;
    return element(
      "div",
      { class: "line" },
      element("p", { class: "what" }, name),
      share(found),
      bars(found),
      unknown ? null : element("p", { class: "small" }, `ASA ${energy(found.asa_pj)} → SSA ${energy(found.ssa_pj)}`),
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
    const look = (accounting, share) =>
      [accounting === view.accounting && "chosen", share < 0 && "worse"].filter(Boolean).join(" ") || null;
    const head = accountings.map((accounting) =>
      element("th", { scope: "col", class: look(accounting) }, accounting === "compute" ? "MACs, ACs" : accounting));
    const cell = (accounting, block) => {
      const share = settings.saved(data, view, accounting, block).saving;
      return element("td", { class: look(accounting, share) }, saved(share));
    };
    const row = ([block, , name]) =>
      element("tr", {}, element("th", { scope: "row" }, name), ...accountings.map((one) => cell(one, block)));
    byId("readout").replaceChildren(
      element("caption", {}, "What the spiking model saves"),
      element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Part"), ...head)),
      element("tbody", {}, ...parts(data).map(row)),
    );
  }

  /* Both ends of the whole bill in one sentence. */
  function ends(data, view) {
    const names = ordered(data.world).filter((accounting) => accounting !== "compute");
    const shares = names.map((end) => settings.saved(data, view, end).saving);
    const words = [saved(shares[0], " of the energy", " energy"), saved(shares[1])];
    if (saved(shares[0]) === words[1]) return { shares, text: `${words[0]} fused and unfused` };
    const alike = shares.every((share) => share !== null && share > 0 === shares[0] > 0);
    const [first, second] = [words[0], alike ? words[1].replace(/^(saves|costs) /, "") : words[1]];
    return { shares, text: `${first} ${names[0]}, ${second} ${names[1]}` };
  }

  /* The answer above everything, and said to who listens once nothing moves any more. */
  let waiting = null;
  function said(text) {
    byId("summary-heading").textContent = text;
    clearTimeout(waiting);
    waiting = setTimeout(() => (byId("heard").textContent = text), 700);
  }

  const ENDS = "Fused and unfused are the two ends of what moves through memory between products; the truth lies between.";

  function answer(data, view, usual) {
    const { shares, text } = ends(data, view);
    const known = shares.some((share) => share !== null);
    const whose = known ? "The spiking model " : "What the spiking model saves is ";
    const unpriced = settings.saved(data, view, view.accounting).unpriced.filter((op) => bill.COMPUTE.includes(op));
    said(whose + (known ? text : `not known: this hardware has no price for ${unpriced.join(", ")}`));
    byId("summary-heading").classList.toggle("worse", known && shares.every((share) => share < 0));
    const before = ends(data, usual);
    const changed = before.shares.some((share, i) => share !== shares[i]);
    const spread = ordered(data.world)
      .filter((end) => end !== "compute")
      .flatMap((end) => data.run.intervals[view.chosen.hw]?.[end]?.[""] ?? []);
    const how = changed
      ? ` As run it ${before.text}.`
      : spread.length
        ? ` If each constant may be off as far as its evidence allows, 5 to 95 % of the draws: ${between(Math.min(...spread), Math.max(...spread))}.`
        : "";
    byId("ends").textContent = known ? ENDS + how : "";
  }

  /* A setting is refused: no result, and why, where the result would be. */
  function refused(why) {
    said(`No result: ${why}`);
    byId("readout").replaceChildren(element("caption", { class: "refusal" }, "No result: a setting is refused."));
  }

  function state(data, { chosen, profile, asa, ssa, accounting }) {
    const base = settings.original(data, chosen);
    const known = new Map(knobs.of(data, base).map((knob) => [knob.key, knob]));
    const changes = Object.entries(chosen.changes).map(([key, value]) => {
      const knob = known.get(key);
      return `${knob.label} ${knobs.shown(knob, knob.value)} → ${knobs.shown(knob, value)}`;
    });
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
    answer(data, view, usual);
    cards(data, view, usual);
    readout(data, view);
    state(data, view);
    const given = Object.entries(data.run.latency_s)
      .map(([side, s]) => ` --latency-s ${side}=${s}`)
      .join("");
    byId("command").textContent = `neurt-energy price counts.csv --hw '${view.profile.name}.toml'${given}`;
  }

  return { show, refused };
})();
