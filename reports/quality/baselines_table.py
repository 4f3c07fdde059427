"""The table of an evaluation's baselines, as a file and for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

from energy.table import Column, Table, at, attributes
from energy.words import change, energy_unit, number, percent, rounded
from hwmodels import HardwareProfile
from reports.kit.closeness import Interval
from reports.quality.baselines import BaselineLine, lines
from reports.quality.evaluation import Evaluation

_four = partial(number, digits=4)
_tenth = partial(percent, digits=1)


def _token(accounting: str, heading: str = "") -> Column[BaselineLine]:
    name = f"token_{accounting}_pj"
    return Column(name, lambda line: line.token_pj(accounting), heading)


def _saved(accounting: str, heading: str = "") -> Column[BaselineLine]:
    name = f"model_saving_{accounting}"
    return Column(name, lambda line: line.saving(accounting), heading, _tenth)


#: `quality_baselines.csv`, and the table for people.
BASELINES: tuple[Column[BaselineLine], ...] = (
    Column("baseline", at("name"), "baseline", words=True, key=True),
    Column("kind", at("kind")),
    Column("number", at("measured.number"), dtype="float64"),
    Column("perplexity", at("scores.quality.perplexity")),
    Column("perplexity_change", at("perplexity_change"), "perplexity", change),
    Column("perplexity_change_low", at("scores.change_interval.low")),
    Column("perplexity_change_high", at("scores.change_interval.high")),
    Column("kl_nats", at("scores.kl_nats"), "KL (nats)", _four),
    *attributes("scores", "top1_agreement"),
    Column("hw", at("profile.name")),
    Column("dataflow", lambda line: line.bill.dataflow.value if line.bill else ""),
    *attributes("", "precision"),
    _token("compute"),
    _token("fused", "per token, fused"),
    _token("unfused", "per token, unfused"),
    _saved("compute"),
    _saved("fused", "spiking saves, fused"),
    _saved("unfused", "saves, unfused"),
    Column("compared_with", lambda line: "" if line.is_spiking else line.partner.name),
    Column("decode_weight_bytes", at("weight_bytes")),
    Column(
        "decode_weight_bytes_saving", at("weight_bytes_saving"), "of weight bytes, decode", _tenth
    ),
    *attributes("", "unpriced", "note"),
    *attributes("evaluation.comparison.ssa", "model", "weights", "timesteps"),
)


def baselines_table(evaluation: Evaluation) -> Table[BaselineLine]:
    """`quality_baselines.csv`: one row per hardware and baseline."""
    return Table(BASELINES, [x for it in evaluation.profiles for x in lines(evaluation, it)])


def shown_table(evaluation: Evaluation, profile: HardwareProfile) -> Table[BaselineLine]:
    """The baselines on one piece of hardware, for people."""
    found = lines(evaluation, profile)
    title = (
        f"Baselines on the same tokens, {profile.name}: change of perplexity, KL from the analog "
        "model, energy per token, and what the spiking model saves from each"
    )
    known = [line.token_pj("unfused") or 0.0 for line in found]
    scale, unit = energy_unit(max(known))
    columns = (
        replace(column, heading=f"{column.heading} ({unit})", show=partial(_in, scale))
        if column.name.startswith("token_") and column.heading
        else column
        for column in BASELINES
    )
    return Table(tuple(_with_interval(columns)), found, title, strong=lambda line: line.is_spiking)


def _in(scale: float, pj: float) -> str:
    return f"{pj / scale:.3g}"


def _with_interval(columns: Iterable[Column[BaselineLine]]) -> Iterator[Column[BaselineLine]]:
    """The columns, and behind the change of perplexity where it lies, which files have as two."""
    for column in columns:
        yield column
        if column.name == "perplexity_change":
            yield Column("interval", at("scores.change_interval"), "95 % of draws", _between)


def _between(interval: Interval) -> str:
    low, high = (f"{rounded(100 * end, 2):+.2f}" for end in interval)
    return f"{low} to {high}"
