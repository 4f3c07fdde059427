/* The theme of a page: that of the system, light or dark; a button goes through them. */
const theme = (() => {
  "use strict";

  const THEMES = ["auto", "light", "dark"];
  const root = document.documentElement;

  /* Let a button change the theme; `changed` is called then, and when the system changes its own. */
  function button(made, changed = () => {}) {
    made.addEventListener("click", () => {
      const now = THEMES[(THEMES.indexOf(root.dataset.theme ?? "auto") + 1) % THEMES.length];
      root.dataset.theme = now;
      made.textContent = `Theme: ${now}`;
      changed();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  }

  /* Light as long as it is printed. Returns what puts the theme back. */
  function light() {
    const before = root.dataset.theme ?? null;
    root.dataset.theme = "light";
    return () => {
      if (before === null) delete root.dataset.theme;
      else root.dataset.theme = before;
    };
  }

  return { button, light };
})();
