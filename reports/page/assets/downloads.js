/* What leaves a page, a file or its link, and the line that says so. */
const downloads = (() => {
  "use strict";

  const { element, byId } = format;

  const said = (text) => {
    byId("said").textContent = text;
  };

  function save(name, text, type) {
    const link = element("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    said(`${name} downloaded.`);
  }

  /* Keep what is asked in the address bar. Browsers slow down a page that writes it dozens of times
     a second, or refuse: what follows on another change too soon is written when a pause is over. */
  const PAUSE = 300;
  let waiting = null;
  let timer = 0;
  let last = -PAUSE;
  function put() {
    clearTimeout(timer);
    if (waiting === null) return;
    history.replaceState(null, "", `#${waiting}`);
    waiting = null;
    last = performance.now();
  }
  function keep(link) {
    waiting = link;
    clearTimeout(timer);
    timer = setTimeout(put, PAUSE);
    if (performance.now() - last >= PAUSE) put();
  }
  addEventListener("pagehide", put);
  addEventListener("hashchange", () => {
    waiting = null; // somebody gave another link
  });

  async function copy() {
    put();
    const link = location.href;
    try {
      await navigator.clipboard.writeText(link);
      said("Link copied.");
    } catch {
      said(`The browser does not let this page copy; the address bar has the link: ${link}`);
    }
  }

  return { said, save, copy, keep, put };
})();
