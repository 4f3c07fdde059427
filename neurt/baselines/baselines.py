"""Baselines that are ready to read: each a twin of one analog model, which stays what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial

import torch
from torch import Tensor
from transformers import PreTrainedModel

from energy import Conventions, Counts, count_pass
from energy.compare.twin import activation_bits
from energy.meter.evaluating import evaluating
from neurt.baselines.asked import Asked, Kind, check
from neurt.baselines.coded import Narrow, coded_as, zoned
from neurt.baselines.layers import Linears, inputs_changed, linears, out_by_in, weights_changed
from neurt.baselines.needed import needed, without_zeros
from neurt.baselines.rounding import Rounded, by_channel, by_group, symmetric
from neurt.baselines.silent import zones_of
from neurt.families import label
from neurt.spiking.config import SpikingConfig
from neurt.spiking.modeling import SpikingLanguageModel

Changed = Callable[[], AbstractContextManager[None]]


class Counted(Enum):
    """What is counted while a baseline reads."""

    NOTHING = "nothing"  #: it does what the analog model does
    ZEROS = "zeros"  #: MACs of the analog model whose input is zero
    SILENCE = "silence"  #: the same where a spiking model holds the values
    EVENTS = "events"  #: all of a spiking model


@dataclass(frozen=True)
class Baseline:
    """A twin of the analog model: a model, and what is done to it while it reads."""

    name: str  #: as it is asked for, such as `teal=0.4`
    kind: str  #: its kind, such as `teal`
    number: float | None  #: its share, factor or bits; None where it has none
    model: PreTrainedModel  #: the analog model, or the spiking one
    changed: Changed  #: inside of it, the model is the twin
    counted: Counted = Counted.NOTHING

    @torch.no_grad()
    def read(self, ids: Tensor, asa: Counts, conventions: Conventions) -> tuple[Tensor, Counts]:
        """Logits (batch, tokens, vocabulary) of token ids (batch, tokens), and what was counted.

        The counts are those of the analog model on these tokens (`asa`), with the MACs whose input
        is zero where the baseline silences inputs; those of a spiking model are its own.
        """
        logits: list[Tensor] = []

        def run() -> None:
            with self.changed():
                logits.append(self.model(input_ids=ids, use_cache=False).logits)

        with evaluating(self.model):
            if self.counted is Counted.NOTHING:
                run()
            elif self.counted is Counted.SILENCE:
                with needed(self.model, conventions) as found:
                    run()
                asa = without_zeros(asa, found)
            else:
                asa = self._count(run, asa, conventions)
        return logits[0], asa

    def _count(self, run: Callable[[], None], asa: Counts, conventions: Conventions) -> Counts:
        spiking = isinstance(self.model, SpikingLanguageModel)
        return count_pass(
            self.model,
            run,
            variant="ssa" if spiking else "asa",
            conventions=conventions if spiking else replace(conventions, zeros=True),
            label=label,
            tokens=asa.tokens,
            batch=asa.batch,
            timesteps=self.model.config.spiking["timesteps"] if spiking else 1,
        )


def known(asked: Sequence[Asked], spiking: SpikingConfig) -> tuple[Asked, ...]:
    """The same with the numbers that follow from the conversion: bits of its twin."""
    bits = float(activation_bits(spiking.timesteps))
    return tuple(replace(each, number=bits) if each == Asked(Kind.TWIN) else each for each in asked)


def prepare(
    asked: Sequence[Asked],
    analog: PreTrainedModel,
    spiking: SpikingLanguageModel,
    windows: Sequence[Tensor],
) -> Iterator[Baseline]:
    """The baselines that are asked for, in that order.

    Each twin with rounded weights is followed by the spiking model with the same, since a saving
    is one at equal widths. Weights are rounded once, and kept as one byte each.

    Args:
        asked: With the numbers of `known`.
        analog: The analog model.
        spiking: The converted one.
        windows: Token ids (batch, tokens) of calibration text, for the thresholds of `teal` and
            `wina`, and the ranges of `twin`.

    Raises:
        BaselineError: If a baseline does not fit the conversion, or there is no such text.
    """
    check(asked, spiking.choices)
    by_size = [each for each in asked if each.kind in (Kind.TEAL, Kind.WINA)]
    zones = zones_of(analog, by_size, windows) if by_size else {}
    layers = linears(analog, head=True)
    known: dict[object, Rounded] = {}
    for each in asked:
        made = partial(Baseline, str(each), str(each.kind), each.number)
        match each.kind:
            case Kind.TEAL | Kind.WINA:
                silenced = partial(inputs_changed, layers, zones[each])
                yield made(analog, silenced, Counted.ZEROS)
            case Kind.W8A8 | Kind.W4A16:
                eight = each.kind is Kind.W8A8
                lent, of_spiking = (
                    _lent(linears(model, head=True), by_channel if eight else by_group, known)
                    for model in (analog, spiking)
                )
                yield made(analog, partial(_both, lent, layers) if eight else lent)
                widths = "w8" if eight else "w4"
                yield Baseline(
                    f"spiking {widths}",
                    f"spiking-{widths}",
                    None,
                    spiking,
                    of_spiking,
                    Counted.EVENTS,
                )
            case Kind.ZONES:
                value = partial(zoned, factor=each.number or 1.0)
                yield made(spiking, partial(coded_as, spiking, value), Counted.SILENCE)
            case Kind.TWIN:
                twin = Narrow(spiking, windows, int(each.number or 0))
                yield made(spiking, partial(coded_as, spiking, twin))


def _lent(
    layers: Linears, round_weights: Callable[[Tensor], Rounded], known: dict[object, Rounded]
) -> Changed:
    """What gives layers rounded weights for a while; those that two models share once."""
    weights: dict[str, Callable[[], Tensor]] = {}
    for name, layer in layers.items():
        weight = out_by_in(layer)
        key = round_weights, weight.data_ptr()
        if key not in known:
            known[key] = round_weights(weight)
        weights[name] = partial(known[key].values, weight.dtype)
    return partial(weights_changed, layers, weights)


@contextmanager
def _both(lent: Changed, layers: Linears) -> Iterator[None]:
    """Rounded weights, and activations of 8 bits."""
    with lent(), inputs_changed(layers, dict.fromkeys(layers, symmetric)):
        yield
