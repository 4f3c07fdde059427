"""The page of a run: one HTML file that opens from disk, with a panel that prices it again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from energy.formulas import Attention
from energy.words import unit_of
from hwmodels import Op
from reports.kit.caveats import NOT_MODELLED, PUBLISHED_SAVING, PUBLISHED_SOURCE, of_random_weights
from reports.kit.files import json_text
from reports.kit.html import asset as shared_asset
from reports.kit.html import content_policy, plain_values, rendered, shared_styles
from reports.kit.parts import layer_axis
from reports.kit.ran import ran_on
from reports.kit.widths import widths_in_words
from reports.page.as_run import as_run, of_two
from reports.page.data import page_data
from reports.run.run import Run
from reports.views.quality import quality_sentence

#: Scripts of the page, in the order in which they need one another.
SCRIPTS = (
    "vendor/plotly-cartesian.min.js",
    "vendor/tabulator.min.js",
    "traffic.js",
    "placement.js",
    "fusion.js",
    "scaling.js",
    "execution.js",
    "bill.js",
    "saving.js",
    "knobs.js",
    "settings.js",
    "documents.js",
    "format.js",
    "downloads.js",
    "charts.js",
    "bars.js",
    "tables.js",
    "panel.js",
    "sources.js",
    "headline.js",
    "paper.js",
    "page.js",
)
#: Whose they are in part.
LIBRARIES = ("plotly", "tabulator")
STYLES = ("vendor/tabulator_simple.min.css", "style.css", "print.css")

#: Groups of controls in the panel: name, heading, how to read them.
GROUPS = (
    (
        "spikes",
        "Spikes",
        "T: slots, spikes, events, neuron updates and their traffic grow with it at a constant "
        "spike rate. Spike rate: events, accumulates, spikes and what they take in memory follow, "
        "up to one spike per slot; additions of row normalisation stay as counted.",
    ),
    ("prices", "Prices of operations", "Energy of one operation, as a factor or as a number."),
    (
        "memory",
        "Memory",
        "Energy per byte, and room. A buffer lives in the nearest level that has room for it.",
    ),
    (
        "widths",
        "Widths of operands",
        "Bits of a stored value. What is narrower than the arithmetic is widened on its way; "
        "spikes have the bits of their code and of how they lie in memory.",
    ),
    (
        "delivery",
        "Delivery to the adders",
        "Energy of a fetch beside the adders, and how many uses share one: 1 is a fetch for each.",
    ),
    (
        "time",
        "Rates and static power",
        "A layer takes as long as its arithmetic or its slowest memory. Without the rate of every "
        "MAC and AC, time and static energy are unknown.",
    ),
)

_ASSETS = files("reports") / "page" / "assets"
_SOURCE_MAP = re.compile(r"^(//|/\*)# sourceMappingURL=.*$", re.MULTILINE)


def page(run: Run) -> str:
    """The page of a run, self-contained: no file beside it and no network.

    The same run makes the same page.

    Raises:
        OutputError: If the run holds an infinity or NaN.
    """
    # The panel changes the constants of one machine; of two the page has the tables as run.
    live = not run.is_of_two
    scripts = [Markup(shared_asset("theme.js"))] + [Markup(asset(name)) for name in SCRIPTS]
    scripts = scripts if live else []
    vendored, *own = [asset(name) for name in STYLES]
    styles = [Markup(style) for style in (*([vendored] if live else []), *shared_styles(), *own)]
    return rendered(
        asset("template.html.j2"),
        run=run,
        # Plotly makes an empty style element, which it fills by rules.
        policy=Markup(content_policy(scripts, [*styles, ""])),
        scripts=scripts,
        styles=styles,
        data=embedded(page_data(run)) if live else None,
        two_machines=None if live else of_two(run),
        facts=_facts(run),
        quality=quality_sentence(run),
        layer=layer_axis(run.asa.phase),
        groups=GROUPS,
        as_run=list(as_run(run)),
        settings=_settings(run.settings),
        uncounted=[
            (counts.variant.upper(), name, number)
            for counts in (run.asa, run.ssa)
            for name, number in sorted(counts.uncounted.items())
        ],
        operations=list(Op),
        random_weights=of_random_weights(run.asa.weights),
        not_modelled=NOT_MODELLED,
        published=None if run.of_network else PUBLISHED_SAVING,
        published_source=PUBLISHED_SOURCE,
        licences=[(name, asset(f"vendor/{name}.LICENSE")) for name in LIBRARIES if live],
    )


def embedded(value: object) -> Markup:
    """JSON that no browser takes for anything but text inside a script element."""
    text = json_text(plain_values(value), "the page", None, dense=True).rstrip()
    return Markup(text.replace("<", "\\u003c"))


def asset(name: str) -> str:
    """A script or style of the page, which others may have too."""
    # A map of the source would be asked of the network.
    return _SOURCE_MAP.sub("", (_ASSETS / name).read_text(encoding="utf-8"))


def _facts(run: Run) -> list[tuple[str, str]]:
    """What was run, a line each."""
    asa, ssa = run.asa, run.ssa
    pairs = "all query-key pairs" if asa.attention == Attention.FULL else "causal pairs"
    batch = f", batch {asa.batch}" if asa.batch > 1 else ""
    spikes = sum(row.tally.spikes for row in ssa.layers)
    slots = sum(row.tally.slots for row in ssa.layers)
    facts = [
        ("Model", asa.model),
        ("Weights", asa.weights),
        ("Time steps", f"T = {ssa.timesteps}"),
        ("Phase", ", then ".join(phase.asa.phase for phase in run.phases)),
        (f"{unit_of(asa.phase)}s".capitalize(), f"{asa.tokens:,}" + batch),
        *(() if run.of_network else (("Attention", pairs),)),
        ("Hardware", ", ".join(profile.name for profile in run.profiles)),
    ]
    if words := ran_on(run.settings, run.versions):
        facts.append(("Ran on", words))
    if slots:
        facts.append(("Spike rate", f"{100 * spikes / slots:.3g} % of all slots"))
    if ssa.events_per_mac is not None:
        facts.append(("Events per MAC", f"{ssa.events_per_mac:.3g}"))
    return facts


def _settings(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was chosen, a line each; the widths of operands on each hardware in one."""
    plain = {name: value for name, value in settings.items() if name != "widths_used"}
    used = settings.get("widths_used", {})
    widths = [(f"widths on {hw}", widths_in_words(each)) for hw, each in used.items()]
    return _flat(plain) + widths


def _flat(settings: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """Settings as lines, nested ones with dotted names, by name."""
    found: list[tuple[str, str]] = []
    for key, value in sorted(settings.items()):
        if isinstance(value, Mapping):
            found += _flat(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", "none" if value is None else str(value)))
    return found
