/* On paper: light, at the width of a page, every row of every table, nothing folded but licences. */
const paper = (() => {
  "use strict";

  const { byId } = format;
  const TABLES = ["savings", "layers"];

  /* Before printing whatever differs on paper is made, and afterwards put back. */
  function prepare({ data, view, draw, repaint }) {
    let restore = () => {};
    let opened = [];
    addEventListener("beforeprint", () => {
      restore = theme.light();
      opened = [...document.querySelectorAll("main details:not(.screen):not([open])")];
      for (const one of opened) one.open = true;
      charts.onPaper(true);
      draw();
      for (const kind of TABLES) tables.printed(kind, data, view());
    });
    addEventListener("afterprint", () => {
      restore();
      for (const one of opened) one.open = false;
      for (const kind of TABLES) byId(`print-${kind}`).replaceChildren();
      charts.onPaper(false);
      repaint();
    });
  }

  return { prepare };
})();
