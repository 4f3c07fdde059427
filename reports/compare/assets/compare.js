/* Runs side by side: the row that the others are held against can be chosen. */
(() => {
  "use strict";

  document.documentElement.classList.add("scripted");
  theme.button(document.getElementById("theme"));
  const chosen = document.getElementById("against");
  const show = () => {
    const place = chosen.selectedIndex;
    for (const cell of document.querySelectorAll("[data-against]"))
      cell.textContent = JSON.parse(cell.dataset.against)[place];
    for (const name of document.querySelectorAll(".base")) name.textContent = chosen.options[place].text;
  };
  chosen.addEventListener("change", show);
  show(); // a browser may remember what was chosen before
})();
