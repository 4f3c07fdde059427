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

  async function copy() {
    const link = location.href;
    try {
      await navigator.clipboard.writeText(link);
      said("Link copied.");
    } catch {
      said(`The browser does not let this page copy; the address bar has the link: ${link}`);
    }
  }

  return { said, save, copy };
})();
