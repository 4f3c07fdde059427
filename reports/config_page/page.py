"""The page of configurations: one HTML file that opens from disk."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

from markupsafe import Markup

from hwmodels import Op
from reports.config_page.data import config_data, whole_chips
from reports.kit.caveats import NOT_MODELLED
from reports.kit.html import asset as shared_asset
from reports.kit.html import content_policy, environment, shared_styles
from reports.page.page import asset, embedded

#: Scripts that the page of a run has too, and its own, in the order in which they need one another.
BILL = (
    *("traffic.js", "placement.js", "fusion.js", "scaling.js", "execution.js", "bill.js"),
    *("saving.js", "knobs.js", "settings.js", "documents.js", "format.js", "downloads.js"),
    "sources.js",
)
SCRIPTS = ("asked.js", "priced.js", "parts.js", "results.js", "form.js", "config.js")
STYLES = ("style.css", "print.css")

_ASSETS = files("reports") / "config_page" / "assets"


def config_page(closed_form: str, models: Mapping[str, str], version: str) -> str:
    """The page, self-contained: no file beside it and no network.

    The same arguments make the same page.

    Args:
        closed_form: The script that reads and counts a configuration, which makes `plan`.
        models: The text of the `config.json` of each model that can be chosen, by its name.
        version: That of the program.

    Raises:
        OutputError: If what it holds has an infinity or NaN.
    """
    texts = [shared_asset("theme.js"), *map(asset, BILL), closed_form, *map(_own, SCRIPTS)]
    scripts = [Markup(text) for text in texts]
    styles = [Markup(text) for text in (*shared_styles(), *map(asset, STYLES), _own("config.css"))]
    return (
        environment()
        .from_string(_own("template.html.j2"))
        .render(
            policy=Markup(content_policy(scripts, styles)),
            scripts=scripts,
            styles=styles,
            data=embedded(config_data(models)),
            version=version,
            operations=list(Op),
            not_modelled=NOT_MODELLED,
            whole_chips=whole_chips(),
        )
    )


def _own(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")
