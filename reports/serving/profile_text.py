"""A fit as the TOML file of a hardware profile."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from energy.serving.doubt import ENDS
from energy.serving.fit import Fit, FittedTarget
from energy.serving.unseen import mean_of
from energy.words import percent
from hwmodels.wholechip import Work
from reports.serving.fitted import errors_table, targets

#: Keys and units of prices by target.
_KEYS = {"energy": "pj", "latency": "ps", "step": "ps"}

#: What the records of a profile hold of a spread.
_NARROWEST, _WIDEST = 1e-3, 1e3


class About(NamedTuple):
    """What a profile says of itself, beside numbers."""

    name: str  #: what to type after --hw
    title: str  #: one line
    source: str  #: who measured
    boundary: str  #: what the measured energy has inside
    assumptions: tuple[str, ...] = ()  #: further sentences
    memory_bytes: int | None = None  #: of one GPU


def profile_text(fit: Fit, sizes: Mapping[str, tuple[float, float]], about: About) -> str:
    """The file: prices with their spreads, intervals, and errors on models left out."""
    return "\n".join([*_head(fit, about), *_prices(fit, about), *_errors(fit, sizes), ""])


def _head(fit: Fit, about: About) -> Iterator[str]:
    yield "# Prices of a whole chip as a server of language models; made by `neurt-energy hw fit`."
    yield f"name = {_text(about.name)}"
    yield f"title = {_text(about.title)}"
    yield 'precision = "bf16"'
    yield "value_bytes = 2"
    yield 'scope = "whole_chip"'
    yield "prices = {}"
    yield "assumptions = ["
    for sentence in (*_assumed(fit), *about.assumptions):
        yield f"    {_text(sentence)},"
    yield "]"
    yield ""
    yield "[whole_chip]"
    yield f"boundary = {_text(about.boundary)}"
    if about.memory_bytes is not None:
        yield f"memory_bytes = {about.memory_bytes}"
    yield ""
    yield "[whole_chip.fitted]"
    yield f"points = {len(fit.points)}"
    yield f"models = {len(fit.models)}"
    for key, values in (
        ("sequences", [x.step.sequences for x in fit.points]),
        ("context", [x.step.context for x in fit.points]),
        ("gpus", [x.step.gpus for x in fit.points]),
    ):
        yield f"{key} = [{min(values):.6g}, {max(values):.6g}]"
    off = {name: target.interval for name, target in targets(fit).items()}
    found = {"energy": off["energy"], "latency": off.get("latency")}
    if fit.power_off is not None:
        low, high = off["step"]
        found |= {"rate": (1 / high, 1 / low), "power": fit.power_off.interval}
    yield ""
    yield "# Measured over predicted: where 90 % of the points of one more model are expected."
    yield "[whole_chip.intervals]"
    for key, ends in found.items():
        if ends is not None:
            yield f"{key} = [{ends[0]:.4g}, {ends[1]:.4g}]"


def _assumed(fit: Fit) -> Iterator[str]:
    yield (
        "A price has clock, control, static power and refresh of the memory in it: it is no price "
        "of a single operation."
    )
    yield (
        "A server in a steady state: sequences end and begin all the time, and a step reads its "
        "share of their prompts."
    )
    yield (
        "Activations move in 2 bytes; scores and weights of attention stay on the chip; experts "
        "are chosen independently, all equally likely."
    )
    yield (
        "Multiply-accumulates are charged alike in all widths; the points are of 16-bit arithmetic."
    )


def _prices(fit: Fit, about: About) -> Iterator[str]:
    source = f"{about.source}; fitted by `neurt-energy hw fit`"
    for name, target in targets(fit).items():
        for work in target.works:
            yield ""
            yield f"# {work.definition}"
            yield f"[whole_chip.{name}.{work}]"
            yield f"{_KEYS[name]} = {float(f'{1e12 * target.price(work):.5g}')!r}"
            yield f"source = {_text(source)}"
            yield 'evidence = "derived"'
            yield from _spread(target, work)


def _spread(target: FittedTarget, work: Work) -> Iterator[str]:
    spread = target.spread[work]
    if spread is None:
        yield (
            'note = "Zero fits best: what it costs, if anything, is in the other prices, or is too '
            'little to be seen"'
        )
        return
    low, high = max(_NARROWEST, spread[0]), min(_WIDEST, spread[1])
    yield f"spread = [{low:.4g}, {high:.4g}]"
    note = f"Bootstrap over models and their points, {percent(ENDS[1] - ENDS[0], 0)} of draws"
    if spread[0] < _NARROWEST:
        note += "; some are zero"
    yield f"note = {_text(note)}"


def _errors(fit: Fit, sizes: Mapping[str, tuple[float, float]]) -> Iterator[str]:
    yield ""
    yield "# Mean relative errors of a fit without the model, on the points of the model."
    for name, target in targets(fit).items():
        mean = target.error()
        assert mean is not None
        said = f"# {name}: {percent(mean, 1)} of all points"
        error, held = mean_of(target.unseen, "error"), mean_of(target.unseen, "held")
        if error is not None and held is not None:
            said += f"; {percent(error, 1)} where works are chosen without the model too, of whose"
            said += f" points intervals hold {percent(held, 1)}"
        yield said
    for row in errors_table(fit, sizes).rows:
        if row.total or row.kind is None:
            continue
        yield ""
        yield "[[whole_chip.left_out]]"
        yield f"model = {_text(row.model)}"
        yield f'kind = "{row.kind}"'
        yield f"points = {row.points}"
        for key, value in (("energy", row.energy), ("latency", row.latency), ("rate", row.rate)):
            if value is not None:
                yield f"{key} = {value:.4f}"


def _text(words: str) -> str:
    """A string of TOML, which is one of JSON where no character is below U+0020."""
    return json.dumps(words, ensure_ascii=False)
