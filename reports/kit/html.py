"""What every HTML page of ours is made with: text that is only text, and a policy."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from hwmodels.plain import printable_lines
from reports.kit.theme import theme_css

_ASSETS = files("reports") / "kit" / "assets"


def asset(name: str) -> str:
    """What all pages share: `base.css` and `theme.js`."""
    return (_ASSETS / name).read_text(encoding="utf-8")


def shared_styles() -> list[str]:
    """The styles of all pages, before their own."""
    return [theme_css(), asset("base.css")]


def rendered(template: str, **values: Any) -> str:
    """A template with the macro `plain` for tables, in which all values are text."""
    return environment().from_string(asset("table.html.j2") + template).render(**values).lstrip()


def environment() -> Environment:
    """Templates in which all text is escaped, and commands no terminal and no direction."""
    return Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_plain,
    )


def _plain(value: Any) -> Any:
    is_text = isinstance(value, str) and not isinstance(value, Markup)
    return printable_lines(value) if is_text else value


def plain_values(value: Any) -> Any:
    """The same JSON, whose texts and names command no terminal and no direction."""
    if isinstance(value, dict):
        return {_plain(key): plain_values(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain_values(inner) for inner in value]
    return _plain(value)


def content_policy(scripts: Iterable[str] = (), styles: Iterable[str] = ()) -> str:
    """A Content-Security-Policy: nothing is loaded, and only these elements run or style the page.

    Attributes may still style the element that they stand on: a picture in SVG is made of them.
    """
    run, style = (" ".join(map(_source, texts)) or "'none'" for texts in (scripts, styles))
    rules = (
        "default-src 'none'",
        f"script-src {run}",
        "style-src 'unsafe-inline'",  # for browsers that do not know the two below
        f"style-src-elem {style}",
        "style-src-attr 'unsafe-inline'",
        "img-src data: blob:",
        "base-uri 'none'",
        "form-action 'none'",
    )
    return "; ".join(rules)


def _source(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
