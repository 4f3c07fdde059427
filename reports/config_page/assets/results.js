/* The results: cards, bars, tables. */
const results = (() => {
  "use strict";

  const { element, byId, energy, compact, seconds, digits } = format;
  const CALLED = { asa: "analog", ssa: "spiking" };

  /* What energies are said for, and how many of it there are. */
  function unit({ generated, view }) {
    const { tokens } = view.asa.counts;
    return generated ? ["per new token", generated] : ["per token", tokens];
  }
  const per = (pj, number) => energy(pj === null ? null : pj / number);

  function between(low, high, shown) {
    const [a, b] = [shown(low), shown(high)];
    return a === b ? a : `${a} to ${b}`;
  }

  function show(answer) {
    facts(answer);
    cards(answer);
    bars(answer);
    table("parts", ...partRows(answer));
    table("places", ...placeRows(answer));
    table("bytes", ...byteRows(answer));
    byId("said-of").replaceChildren(...notes(answer).map((line) => element("li", {}, line)));
    const view = answer.spiking ? answer.view : { ...answer.view, ssa: answer.view.asa };
    machine(answer.data, view);
    sources.missing(answer.data, view);
  }

  /* The machine and its sources, drawn again where it is another one. */
  let drawn = "";
  function machine(data, view) {
    const said = JSON.stringify([view.profile, data.profiles]);
    if (said !== drawn) sources.show(data, view);
    drawn = said;
  }

  function facts({ model, view, spiking, name, passes, asked: { timesteps, rate } }) {
    const { total, active } = model.parameters;
    const { shape } = model;
    const [asa, ssa] = [view.asa, view.ssa];
    const lines = [
      ["Model", name],
      ["Architecture", closed.layout(shape).name],
      ["Layers", `${shape.layers} × ${shape.width} wide`],
      ["Parameters", compact(total) + (active === total ? "" : `, ${compact(active)} of a token`)],
      ["Passes", `${passes ?? asa.counts.phase}, batch ${asa.counts.batch}`],
      ["Hardware", view.profile.name],
      ...(spiking ? [["Spikes", `T = ${timesteps}, ${rate} per slot`]] : []),
      ["Tokens through the model", digits(asa.counts.tokens)],
      ["MACs", compact(parts.ops(asa, ["mac"]))],
      ...(spiking ? [["Spiking: MACs, ACs", `${compact(parts.ops(ssa, ["mac"]))}, ${compact(parts.ops(ssa, ["ac", "shift_ac"]))}`]] : []),
    ];
    byId("facts").replaceChildren(...lines.map(([what, value]) =>
      element("div", {}, element("dt", {}, what), element("dd", {}, value))));
  }

  function notes({ said, why, spiking }) {
    const energies = "The range is that of what moves between layers: fused is what a compiler of today comes near to, unfused writes each result to memory and reads it back.";
    const rate = spiking ? ["The spike rate is assumed, not measured: the same in every layer, and slots independent of each other."] : [];
    return [energies, ...rate, ...(why ? [`${format.capital(why)}.`] : []), ...said];
  }

  function card(heading, ...lines) {
    return element("div", { class: "card" }, element("h3", {}, heading), ...lines.filter(Boolean).map(([what, value, big]) =>
      element("div", { class: "line" }, element("div", { class: big ? "big" : "" }, value), element("div", { class: "what" }, what))));
  }

  function cards(answer) {
    const { view, spiking } = answer;
    const [called, number] = unit(answer);
    const made = (spiking ? ["asa", "ssa"] : ["asa"]).map((side) => {
      const [low, high] = parts.BOUNDS.map((bound) => view.bounds[bound][side]);
      const { latency } = view[side];
      const rate = latency ? `${digits(view[side].counts.tokens / latency)} tokens per second through the model` : "";
      return card(`${format.capital(CALLED[side])} model`,
        [`energy ${called}, fused to unfused`, between(parts.total(low), parts.total(high), (pj) => per(pj, number)), true],
        ["of all passes together", between(parts.total(low), parts.total(high), energy)],
        [latency === null ? "the hardware has no rates" : `latency; ${rate}`, latency === null ? "time not known" : seconds(latency)]);
    });
    if (spiking) {
      const saved = (accounting) => format.saved(settings.saved(answer.data, view, accounting).saving);
      made.push(card("With spikes, at this rate",
        ...parts.BOUNDS.map((bound) => [`of the whole bill, ${bound}`, saved(bound), true]),
        ["of MACs and ACs alone, as most papers count", saved("compute")]));
    }
    byId("cards").replaceChildren(...made);
  }

  /* A bar for each bill, as long as its energy, in the colours of its groups. */
  function bars(answer) {
    const shown = parts.bills(answer).map((one) => ({ ...one, groups: parts.groups(answer.data, one.bill) }));
    const most = Math.max(...shown.map(({ groups }) => groups.reduce((sum, [, pj]) => sum + pj, 0)));
    const { groups: colours } = answer.data.colours;
    const names = { ...answer.data.names.groups, static: "static" };
    const [, number] = unit(answer);
    byId("bars").replaceChildren(...shown.flatMap(({ side, bound, bill, groups }) => [
      element("div", { class: "bar-name" }, `${CALLED[side]}, ${bound}`),
      element("div", { class: "stack", role: "img", "aria-label": groups.map(([group, pj]) => `${names[group]} ${per(pj, number)}`).join(", ") || "nothing has a price" },
        ...groups.map(([group, pj]) => element("span", { style: `width: ${(100 * pj) / most}%; background: ${colours[group] ?? "var(--analog)"}`, title: `${names[group]} ${per(pj, number)}` }))),
      element("div", { class: "bar-total" }, per(parts.total(bill), number)),
    ]));
    const used = new Map(shown.flatMap(({ groups }) => groups).map(([group]) => [group, true]));
    byId("legend").replaceChildren(...[...used.keys()].map((group) =>
      element("li", {}, element("span", { class: "key", style: `background: ${colours[group] ?? "var(--analog)"}` }), names[group])));
  }

  function table(id, headings, rows) {
    byId(id).replaceChildren(
      element("thead", {}, element("tr", {}, ...headings.map((text, i) => element("th", { scope: "col", class: i ? "number" : null }, text)))),
      element("tbody", {}, ...rows.map(({ cells: [name, ...values], strong }) =>
        element("tr", { class: strong ? "strong" : null }, element("th", { scope: "row" }, name), ...values.map((value) => element("td", { class: "number" }, value))))),
    );
  }

  const headings = (shown) => shown.map(({ side, bound }) => `${CALLED[side]}, ${bound}`);

  function partRows(answer) {
    const shown = parts.bills(answer);
    const [called, number] = unit(answer);
    const each = shown.map(({ bill }) => new Map(parts.groups(answer.data, bill)));
    const names = { ...answer.data.names.groups, static: "static" };
    const used = [...answer.data.world.groups, "static"].filter((group) => each.some((one) => one.has(group)));
    const rows = used.map((group) => ({ cells: [names[group], ...each.map((one) => (one.has(group) ? per(one.get(group), number) : "–"))] }));
    const total = { cells: ["all that has a price", ...shown.map(({ bill }) => per(parts.total(bill), number))], strong: true };
    return [[`energy ${called}`, ...headings(shown)], [...rows, total]];
  }

  function placeRows(answer) {
    const shown = parts.bills(answer);
    const [called, number] = unit(answer);
    const { components } = answer.data.names;
    const row = (name, block, component, strong) =>
      ({ cells: [name, ...shown.map(({ bill }) => part(parts.of(bill, block, component)))], strong });
    const part = (pj) => (pj === undefined ? "–" : per(pj, number));
    const longest = shown[shown.length - 1].bill;
    return [[`energy ${called}`, ...headings(shown)], parts.places(answer.data, longest).flatMap(([block, inside]) => [
      row(block, block, null, true),
      ...(inside.length > 1 ? inside.map((component) => row(`${components[component] ?? component}`, block, component, false)) : []),
    ])];
  }

  function byteRows(answer) {
    const shown = parts.bills(answer);
    const [called, number] = unit(answer);
    const each = shown.map(({ bill }) => parts.bytes(answer.data, bill));
    const size = (value) => (value ? `${compact(value / number)}B`.replace(/(\d)B/, "$1 B") : "–");
    const used = answer.data.world.buffers.filter((buffer) => each.some((one) => one[buffer]));
    return [[`bytes moved ${called}`, ...headings(shown)], used.map((buffer) =>
      ({ cells: [buffer.replace("_", " "), ...each.map((one) => size(one[buffer]))] }))];
  }

  return { show };
})();
