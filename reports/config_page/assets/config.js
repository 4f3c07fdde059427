/* The page: what is asked changes, and the answer is made again at once. */
const config = (() => {
  "use strict";

  const { byId } = format;
  const { said, save, copy, keep } = downloads;
  document.documentElement.classList.add("scripted");
  const embedded = JSON.parse(byId("data").textContent);
  const data = { ...embedded, models: Object.fromEntries(embedded.models) };
  let state = asked.standard(data);
  let answer = null;

  function update(next, source = null) {
    state = next;
    show(state, source);
    try {
      answer = priced.answer(data, state);
      results.show(answer);
      form.offer(answer.spiking, !answer.why, state);
      form.constants(answer.constants, state, changed, source);
      byId("fault").textContent = "";
    } catch (error) {
      if (!(error instanceof py.UserError)) throw error;
      answer = null;
      byId("fault").textContent = error.message;
    }
    byId("results").hidden = answer === null;
    for (const name of ["save-csv", "save-toml", "save-counts"]) byId(name).disabled = answer === null;
  }

  /* What somebody changed, or what makes it of what is asked now. */
  function changed(change) {
    update({ ...state, ...(typeof change === "function" ? change(state) : change) }, document.activeElement);
    keep(asked.link(data, state));
    said("");
  }
  const show = form.build(data, changed);

  function follow() {
    const text = location.hash.slice(1);
    if (text && !text.includes("=")) return;
    const { state: next, unknown } = asked.parsed(data, text);
    update(next);
    said(unknown.length ? `The link names ${unknown.join(", ")}, which this page does not have or cannot take; that part is left out.` : "");
  }

  const sides = () => (answer.spiking ? ["asa", "ssa"] : ["asa"]);
  const text = {
    energy() {
      const bills = priced.everyRow(answer);
      return documents.energy(data.world, data.columns.energy, sides().map((side) => bills[side]));
    },
    toml: () => documents.toml(answer.view.profile),
    counts: () => documents.counts(data.world, data.columns.counts, priced.everyRow(answer).run, answer.chosen, sides()),
  };

  byId("form").addEventListener("submit", (event) => event.preventDefault());
  byId("reset").addEventListener("click", () => {
    update(asked.standard(data));
    keep("");
    said("As at first.");
  });
  byId("copy").addEventListener("click", copy);
  byId("print").addEventListener("click", () => print());
  byId("save-csv").addEventListener("click", () => save("energy.csv", text.energy(), "text/csv"));
  byId("save-toml").addEventListener("click", () => save(`${answer.view.profile.name}.toml`, text.toml(), "application/toml"));
  byId("save-counts").addEventListener("click", () => save("counts.csv", text.counts(), "text/csv"));
  theme.button(byId("theme"));
  /* On paper: light, and nothing folded. */
  let restore = () => {};
  addEventListener("beforeprint", () => {
    const light = theme.light();
    const opened = [...document.querySelectorAll("main details:not([open])")];
    for (const one of opened) one.open = true;
    restore = () => {
      light();
      for (const one of opened) one.open = false;
    };
  });
  addEventListener("afterprint", () => restore());
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // the part of the link after # keeps what is asked
    byId("main").focus();
  });
  addEventListener("hashchange", follow);
  follow();

  return { data, update, state: () => state, answer: () => answer, text };
})();
