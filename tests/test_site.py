"""The site of the documentation: built strictly, once, without network; looked at in a browser."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest
from browsers import PHONE, WIDE, violations, walked
from browsers import browser as browser
from exported import witness

from neurt.verbs.commands import COMMANDS
from neurt.verbs.flags import flag_fields

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[1]
#: One page of each kind, for what takes a second each.
LOOKED_AT = (
    *("index.html", "tutorials/my_chip.html", "how-to/paper.html", "method/counting.html"),
    *("results/savings.html", "reference/commands.html", "reference/energy.html"),
    *("changelog.html", "genindex.html", "search.html"),
)
#: Whether what has the focus is in the window, from left to right.
IN_SIGHT = """() => {
  const { left, right } = document.activeElement.getBoundingClientRect();
  return right > 0 && left < innerWidth;
}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for module in ("sphinx", "myst_parser", "furo"):
        witness(module)
    out = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "sphinx", "-n", "-W", "--keep-going", "-q", "docs", str(out)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    made = subprocess.run(build, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return out


class Tags(HTMLParser):
    """What a page names: its ids, its links, and what a browser fetches to show it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids.add(found.get("id") or "")
        if tag == "a":
            self.links.append(found.get("href") or "")
        elif tag in ("script", "img", "source", "iframe"):
            self.fetched.append(found.get("src") or "")
        elif tag == "link" and found.get("rel") in ("stylesheet", "icon", "preload"):
            self.fetched.append(found.get("href") or "")


def test_every_link_inside_leads_to_a_page_and_its_anchor(site: Path) -> None:
    pages = {
        path.relative_to(site).as_posix(): Tags(path.read_text(encoding="utf-8"))
        for path in site.rglob("*.html")
    }
    assert len(pages) > 20
    lost = []
    for name, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or not link:
                continue
            target = (site / name).parent / unquote(parts.path) if parts.path else site / name
            key = os.path.relpath(target, site)
            anchors = pages[key].ids if key in pages else None
            if not target.exists() or (parts.fragment and parts.fragment not in (anchors or ())):
                lost.append((name, link))
    assert lost == []


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    for path in site.rglob("*.html"):
        for source in Tags(path.read_text(encoding="utf-8")).fetched:
            assert not urlsplit(source).netloc, (path.name, source)
    for path in site.rglob("*.css"):
        assert not re.findall(r"url\(['\"]?(?:https?:)?//", path.read_text(encoding="utf-8"))


def test_every_command_has_a_section_with_its_flags(site: Path) -> None:
    text = (site / "reference/commands.html").read_text(encoding="utf-8")
    sections = re.split(r"<h2>neurt-energy ", text)[1:]
    found = {re.split(r"<", section)[0]: section for section in sections}
    assert [*found] == [command.name for command in COMMANDS]
    for command in COMMANDS:
        for field in flag_fields(command.request_type):
            assert field.option in found[command.name], (command.name, field.option)


def test_the_search_works_from_disk(site: Path, browser: Browser) -> None:
    tab = browser.new_page()
    tab.goto(f"{(site / 'search.html').as_uri()}?q=dataflow")
    tab.wait_for_selector("#search-results li a[href*='method/memory']")  # they come one by one
    tab.close()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_kept_out(site: Path, browser: Browser, scheme: str, width: int) -> None:
    context = browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": width, "height": 900},
    )
    tab = context.new_page()
    for name in LOOKED_AT:
        tab.goto((site / name).as_uri())
        assert violations(tab) == [], name
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, name
    context.close()


@pytest.mark.parametrize("viewport", [WIDE, PHONE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_keyboard_goes_everywhere_and_shows_where_it_is(
    site: Path, browser: Browser, scheme: str, viewport: dict[str, int]
) -> None:
    context = browser.new_context(color_scheme=scheme, viewport=viewport)  # type: ignore[arg-type]
    tab = context.new_page()
    tab.goto((site / "method" / "counting.html").as_uri())
    stops = walked(tab)
    names = [re.sub(r"<[^>]*>", "", stop["html"]).strip() for stop in stops]
    assert names[0] == "Skip to content"
    search = next(i for i, stop in enumerate(stops) if "sidebar-search" in stop["html"])
    assert search < names.index("A first table") < len(stops) - 1  # the navigation, then the text
    assert [stop for stop in stops if stop["width"] < 2 or stop["contrast"] < 3] == []
    tab.reload()
    for name in names[: search + 3]:
        tab.keyboard.press("Tab")
        assert tab.evaluate(IN_SIGHT), name  # the drawer of a narrow window opens for it
    tab.reload()
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.closest('article') !== null")
    context.close()


def test_on_paper_no_line_of_code_is_cut_and_no_bar_stands_over_the_text(
    site: Path, browser: Browser
) -> None:
    # A4 without margins: 210 - 2 x 12 mm at 96 pixels per 25.4 mm.
    tab = browser.new_page(viewport={"width": 703, "height": 1000})
    tab.goto((site / "tutorials" / "my_chip.html").as_uri())
    cut = "() => [...document.querySelectorAll('pre')].filter((x) => x.scrollWidth > x.clientWidth)"
    assert tab.evaluate(f"({cut})().length") > 0  # on the screen they scroll
    tab.emulate_media(media="print")
    assert tab.evaluate(f"({cut})().length") == 0
    assert not tab.locator(".skip-to-content").is_visible()
    tab.close()
