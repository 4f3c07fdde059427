// What the theme lacks for who reads by ear or by keyboard; tests/test_site.py asks axe-core.
addEventListener("DOMContentLoaded", () => {
  for (const one of document.querySelectorAll(".caption[role=heading]")) {
    one.setAttribute("aria-level", "2");
  }
  document.querySelector(".sidebar-drawer")?.setAttribute("aria-label", "All pages");
  document.querySelector(".toc-drawer")?.setAttribute("aria-label", "On this page");
  if (!document.querySelector("h1")) {
    const title = document.createElement("h1");
    title.textContent = document.title.split(" - ")[0];
    document.querySelector("article")?.prepend(title);
  }
  const focusable = () => {
    for (const one of document.querySelectorAll(".table-wrapper, pre, .sidebar-scroll")) {
      const cut = one.scrollWidth > one.clientWidth || one.scrollHeight > one.clientHeight;
      if (cut) one.tabIndex = 0;
      else one.removeAttribute("tabindex");
    }
  };
  focusable();
  addEventListener("resize", focusable);
});
