"""The summary of a run in Markdown, fit for a pull request."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from energy import Estimate, saving
from energy.compare.baselines import Baseline
from energy.compare.sensitivity import interval
from reports.kit.caveats import NOT_MODELLED, PUBLISHED_SAVING, PUBLISHED_SOURCE
from reports.kit.parts import SHOWN
from reports.run.run import Run
from reports.views.baselines import Comparisons, compare
from reports.views.terminal import millijoule, percent

#: Parts of the model in the headline table, with the accountings of each.
_PARTS = (
    ("attention block", "attention", "compute"),
    ("attention block", "attention", "full"),
    ("feed-forward block", "ffn", "compute"),
    ("feed-forward block", "ffn", "full"),
    ("model", None, "compute"),
    ("model", None, "full"),
)
_ACCOUNTINGS = {"compute": "MACs and ACs", "full": "all that has a price"}
#: Layers listed one by one.
_DEAREST = 5


def escaped(text: object) -> str:
    """Text that Markdown and HTML take literally, on one line, also in a cell of a table."""
    one_line = " ".join(str(text).split())
    return re.sub(r"([\\`*_\[\]|~$#])", r"\\\1", html.escape(one_line, quote=False))


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """A table in Markdown.

    Args:
        headings: Of the columns, in Markdown.
        rows: Their cells, in Markdown.
        left: So many columns are flush left, the others flush right.
    """
    rule = ["---" if i < left else "--:" for i in range(len(headings))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (headings, rule, *rows))


def summary_markdown(run: Run, found: Comparisons | None = None) -> str:
    """Headline, baselines, interval, what is missing, and where the weights came from.

    Args:
        run: The run.
        found: Its baselines, where they are known already.

    Returns:
        The text of `summary.md`. The same run gives the same bytes.
    """
    found = compare(run) if found is None else found
    made = run.versions.get("neurt-energy", "")
    parts = [
        f"### {escaped(run.title)}",
        f"{escaped(run.subtitle)}; `neurt-energy {escaped(run.command)}` {escaped(made)}, "
        f"{escaped(run.created)}".strip(),
        _weights(run),
    ]
    for profile in run.profiles:
        pair = run.estimates[profile.name]
        parts += [
            f"#### {escaped(profile.title)}",
            _headline(*pair),
            "Saved by the spiking model against each baseline:",
            _baselines(found[profile.name]),
            *_unpriced(pair),
            _dearest(pair),
        ]
    low, high = (percent(share).removesuffix(" %") for share in PUBLISHED_SAVING)
    parts += [
        f"Published: {low}-{high} % of the attention block, MACs and ACs, for other weights and "
        f"undisclosed settings ({escaped(PUBLISHED_SOURCE)}).",
        f"Not modelled: {escaped('; '.join(NOT_MODELLED))}.",
    ]
    return "\n\n".join(parts) + "\n"


def _weights(run: Run) -> str:
    weights = run.asa.weights
    label = f"Weights: **{escaped(weights) or 'unknown'}**."
    if run.command == "plan":
        return f"> {label} Closed form: the spike rate is assumed, not measured."
    if weights.startswith("random"):
        return (
            f"> {label} Random weights: dense counts are those of any weights, spike rates and "
            "savings are not."
        )
    return f"> {label}"


def _headline(asa: Estimate, ssa: Estimate) -> str:
    rows = []
    for name, block, accounting in _PARTS:
        part = saving(asa, ssa, accounting, block=block)
        if part.asa_pj == part.ssa_pj == 0:
            continue
        spread = interval(asa, ssa, accounting, block)
        likely = f"{100 * spread.low:.1f} to {100 * spread.high:.1f} %" if spread else "-"
        saved = percent(part.saving)
        rows.append(
            [
                name,
                _ACCOUNTINGS[accounting],
                millijoule(part.asa_pj),
                millijoule(part.ssa_pj),
                f"**{saved}**" if part.saving is not None else saved,
                likely,
            ]
        )
    headings = ["part", "counted", "analog (mJ)", "spiking (mJ)", "saved", "5 to 95 % of constants"]
    return table(headings, rows, left=2)


def _baselines(rows: Iterable[Baseline]) -> str:
    headings = ["baseline", "note", *(heading for heading, _, _ in SHOWN)]
    cells = [
        [
            escaped(row.title),
            escaped(row.note),
            *(_against(row, how, block) for _, how, block in SHOWN),
        ]
        for row in rows
    ]
    return table(headings, cells, left=2)


def _against(row: Baseline, accounting: str, block: str | None) -> str:
    part = row.saving(accounting, block=block)
    if part is not None and None in (part.asa_pj, part.ssa_pj):
        return "unpriced"
    return percent(part.saving if part else None)


def _unpriced(pair: tuple[Estimate, Estimate]) -> list[str]:
    return [
        f"{side.counts.variant.upper()} without a price: "
        + ", ".join(f"{escaped(op)} x {n:,}" for op, n in side.unpriced.items())
        + f" ({percent(side.coverage)} of the operations have one)."
        for side in pair
        if side.unpriced
    ]


def _dearest(pair: tuple[Estimate, Estimate]) -> str:
    rows = []
    for side in pair:
        whole = side.energy_pj()
        dearest = sorted(side.layers, key=lambda layer: -layer.total_pj)[:_DEAREST]
        rows += [
            [
                side.counts.variant.upper(),
                escaped(layer.count.name),
                "unpriced" if layer.lacks_compute else millijoule(layer.total_pj),
                "-" if side.lacks_compute or not whole else percent(layer.total_pj / whole),
            ]
            for layer in dearest
            if layer.total_pj
        ]
    if not rows:
        return "No layer has a price."
    listed = table(["variant", "layer", "all that has a price (mJ)", "share"], rows, left=2)
    return f"<details><summary>The dearest layers</summary>\n\n{listed}\n\n</details>"
