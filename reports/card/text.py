"""The card as YAML and Markdown, as the Hugging Face hub reads it, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from huggingface_hub.repocard_data import EvalResult, ModelCardData

from energy.table import Column, Table
from energy.words import energy
from hwmodels.plain import printable
from reports.card.card import Card, Entry
from reports.kit.caveats import of_random_weights
from reports.kit.parts import BOUNDS
from reports.kit.table import escaped, to_markdown

#: Version of `card.json`.
FORMAT = 1
ENERGY_METRIC, CARBON_METRIC = "energy-per-token", "gco2e-per-million-tokens"
_HOW = {
    "plan": "in closed form from the sizes of the model",
    "count": "from what ran",
    "profile": "from what ran",
}


def eval_results(card: Card) -> list[EvalResult]:
    """The entries that have a price as results of the index of a model card.

    One without a price is in the text and in `card.json`: a result must have a value.
    """
    return [result for entry in card.entries for result in _results(card, entry)]


def _results(card: Card, entry: Entry) -> Iterator[EvalResult]:
    if entry.j_per_token is None:
        return
    text = card.conditions.get("text")
    about: dict[str, Any] = {
        "task_type": "text-generation",
        "dataset_type": "none" if text is None else "text",
        "dataset_name": "closed form, no text" if text is None else printable(str(text)),
        "dataset_config": entry.phase,
        "dataset_args": _plain({**card.conditions, "phase": entry.phase, "weights": card.weights}),
    }
    which = f"{entry.variant}, {entry.bound}, on {entry.hardware}"
    yield EvalResult(
        **about,
        metric_type=ENERGY_METRIC,
        metric_name=f"J per {entry.token}, {which}",
        metric_value=entry.j_per_token,
        metric_args=_plain({"low": entry.low_j, "high": entry.high_j, **_described(card, entry)}),
    )
    if (grams := card.grams_per_million(entry.j_per_token)) is not None:
        ends = map(card.grams_per_million, (entry.low_j, entry.high_j))
        args = dict(zip(("low", "high"), ends, strict=True)) | _described(card, entry)
        yield EvalResult(
            **about,
            metric_type=CARBON_METRIC,
            metric_name=f"gCO2e per million tokens, {which}",
            metric_value=grams,
            metric_args=_plain({"gco2e_per_kwh": card.carbon_g_per_kwh, **args}),
        )


def _described(card: Card, entry: Entry) -> dict[str, Any]:
    """What a number depends on beside the conditions of all of them."""
    return {
        "interval": entry.interval,
        "interval_leans": entry.leans or None,
        "hardware": entry.hardware,
        "variant": entry.variant,
        "bound": entry.bound,
        "dataflow": entry.dataflow,
        "widths": card.widths.get(entry.hardware),
        "evidence": entry.weakest,
        "evidence_shares": dict(entry.grades),
        "unpriced": list(entry.unpriced),
        "by": f"neurt-energy {card.version} {card.command}",
    }


def _plain(value: Any) -> Any:
    """The same without what is None, which the hub takes away, and with printable words."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return printable(value) if isinstance(value, str) else value


def card_markdown(card: Card) -> str:
    """`card.md`: the YAML block and a section, for the README of the model."""
    data = ModelCardData(model_name=printable(card.model), eval_results=eval_results(card))
    return f"---\n{data.to_yaml()}\n---\n\n{section(card)}"


def section(card: Card) -> str:
    """The section in Markdown."""
    conditions = ", ".join(f"{key} {value}" for key, value in card.conditions.items())
    lines = [
        "## Energy per token",
        f"Counted {_HOW[card.command]} and priced by neurt-energy {card.version}; not measured "
        f"with a meter. Model {escaped(card.model)}, weights {escaped(card.weights)}. Conditions: "
        f"{escaped(conditions)}.",
        to_markdown(Table(_columns(card), card.entries)),
        *_notes(card),
    ]
    return "\n\n".join(lines) + "\n"


def _notes(card: Card) -> Iterator[str]:
    if any(entry.bound in BOUNDS for entry in card.entries):
        yield (
            "`fused` and `unfused` are the two bounds of what moves through memory between "
            "products. What has no price is in no sum."
        )
    intervals = "; ".join(dict.fromkeys(entry.interval for entry in card.entries))
    yield (
        f"In brackets: {intervals}. Evidence: the weakest grade of a price that carries 1 % of the "
        "energy or more."
    )
    for hardware, leans in dict.fromkeys((entry.hardware, entry.leans) for entry in card.entries):
        if leans:
            yield f"On {escaped(hardware)} {escaped(leans)}."
    for note in card.notes:
        yield f"{escaped(note)}."
    for hardware, words in card.widths.items():
        if words:
            yield f"Widths on {escaped(hardware)}: {escaped(words)}."
    if (grams := card.carbon_g_per_kwh) is not None:
        yield (
            f"gCO2e: at {grams:g} g of CO2 equivalent per kWh, as given, of inference. The key "
            "`co2_eq_emissions` of the hub is that of training, so it is not set here."
        )
    if note := of_random_weights(card.weights):
        yield escaped(note)
    yield f"Not modelled: {'; '.join(card.not_modelled)}."


def _columns(card: Card) -> tuple[Column[Entry], ...]:
    carbon = Column[Entry](
        "grams",
        lambda x: card.grams_per_million(x.j_per_token),
        "gCO2e per million tokens",
        lambda grams: f"{grams:.4g}",
    )
    return (
        Column("hardware", lambda x: x.hardware, "hardware", words=True),
        Column("phase", lambda x: f"{x.phase}, per {x.token}", "phase", words=True),
        Column("variant", lambda x: x.variant, "model", words=True),
        Column("bound", lambda x: x.bound, "bound", words=True),
        Column("dataflow", lambda x: x.dataflow, "dataflow", words=True),
        Column("energy", _energy, "energy per token"),
        *([] if card.carbon_g_per_kwh is None else [carbon]),
        Column("evidence", lambda x: x.weakest, "evidence", words=True),
        Column("unpriced", lambda x: " ".join(x.unpriced) or None, "without a price", words=True),
    )


def _energy(entry: Entry) -> str:
    if entry.j_per_token is None:
        return "unpriced"
    ends = [energy(1e12 * x) for x in (entry.low_j, entry.high_j) if x is not None]
    between = f" ({' to '.join(ends)})" if ends else ""
    return energy(1e12 * entry.j_per_token) + between


def card_summary(card: Card) -> dict[str, object]:
    """The content of `card.json`; what has no price has no number."""
    return {
        "format": FORMAT,
        "command": card.command,
        "version": card.version,
        "created": card.created,
        "model": card.model,
        "weights": card.weights,
        "conditions": dict(card.conditions),
        "widths": dict(card.widths),
        "carbon_g_per_kwh": card.carbon_g_per_kwh,
        "energies": [
            {
                **entry._asdict(),
                "token": entry.token,
                "gco2e_per_million_tokens": card.grams_per_million(entry.j_per_token),
            }
            for entry in card.entries
        ],
        "notes": card.notes,
        "not_modelled": card.not_modelled,
    }
