"""Hooks count, a dispatch mode audits.

Every matrix product of a model must live in a layer whose type has a counting rule. The hooks of
those layers count; the audit watches every operation that runs outside of them and refuses a pass
in which a product escaped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Unpack

import torch
from torch import nn

from energy.counts import About, Counts, Label, LayerCount, Tally
from energy.formulas import Conventions
from energy.layers.matmul import AttentionCore
from energy.meter.audit import Audit, Named, refuse_opaque
from energy.meter.awaited import awaiting, settled
from energy.meter.evaluating import evaluating
from energy.meter.hooks import hook
from energy.meter.loose import PARTS
from energy.meter.recognise import recognise
from energy.meter.rules import is_counted, is_known
from energy.meter.spikes import Arrivals, arrivals, warn_of_spikes
from energy.meter.tally import tally_call
from hwmodels.errors import UserError
from hwmodels.plain import quoted

LabelLayer = Callable[[str], Label]


class NoModelError(UserError, TypeError):
    """What was given to be counted is no network, or nothing that runs one."""


class CountSettings(About, total=False):
    """What `count_pass` is told that is the same in every pass of a request."""

    conventions: Conventions
    label: LabelLayer
    loose: bool


class Meter:
    """The rows of a model, filled while its layers run."""

    def __init__(self, counted: Named, conventions: Conventions, label: LabelLayer) -> None:
        self.conventions = conventions
        self.uncounted: Counter[str] = Counter()
        #: Products outside of counted layers, by what they are and module or parameter.
        self.loose: dict[tuple[str, str], list[Tally]] = {}
        #: Residual additions, by module.
        self.residuals: dict[str, list[Tally]] = {}
        self._layers = [x for x in counted if not isinstance(x[1], AttentionCore)]
        self._calls: dict[str, list[Tally]] = {name: [] for name, _ in self._layers}
        self._parts: dict[str, list[str]] = {}  #: rows of parts that are no modules, by layer
        self._told: Counter[str] = Counter()  #: calls of rows that the rule of a layer above told
        #: What arrived at dense layers.
        self.arrived: dict[str, Arrivals] = {}
        self._label = label

    def recorder(self, layer: nn.Module, name: str) -> Callable[[tuple[Any, ...], Any], None]:
        """A function that adds one call of one layer, given its arguments and its output."""
        rule, calls, conventions = tally_call.dispatch(type(layer)), self._calls, self.conventions
        arrived = arrivals(layer, name)
        if arrived is not None:
            self.arrived[name] = arrived

        def record(args: tuple[Any, ...], out: Any) -> None:
            if arrived is not None and not arrived.analog:
                arrived.see(args[0])
            for part, tally in rule(layer, name, args, out, conventions).items():
                row = f"{name}.{part}" if part else name
                if row not in calls:
                    calls[row] = []
                    self._parts.setdefault(name, []).append(row)
                if part:
                    # Of a layer that runs otherwise than it is counted, its children do, too.
                    del calls[row][self._told[row] :]
                    self._told[row] += 1
                calls[row].append(tally)

        return record

    def counts(
        self, variant: str, *, phase: str = "prefill", tokens: int = 0, **about: Unpack[About]
    ) -> Counts:
        """Everything recorded so far, of `tokens` tokens; the names are those of `Counts`."""
        rows = [
            (row, type(module).__name__, self._label(row), self._calls[row])
            for name, module in self._layers
            for row in (name, *self._parts.get(name, ()))
            if row != name or self._calls[name] or name not in self._parts
        ]
        rows += [
            (f"{where}.({what})", what, self._loose_label(what, where), calls)
            for (what, where), calls in self.loose.items()
        ]
        for where, tallies in self.residuals.items():
            beneath = [at for at, row in enumerate(rows) if row[0].startswith(f"{where}.")]
            passes = min((len(rows[at][3]) for at in beneath if rows[at][3]), default=1)
            # Those of one pass have a row each, unless passes differ.
            each = 1 if len(tallies) % passes else len(tallies) // passes
            names = [f"{where}.residual.{at}" for at in range(each)]
            after = max(beneath, default=-1) + 1
            rows[after:after] = [
                (name, "Residual", self._label(name), tallies[at::each])
                for at, name in enumerate(names)
            ]
        layers = [
            LayerCount(name, kind, label, len(calls), Tally.total(map(settled, calls)))
            for name, kind, label, calls in rows
        ]
        return Counts(
            variant,
            tuple(layers),
            phase=phase,
            tokens=tokens,
            attention=str(self.conventions.attention),
            uncounted=dict(self.uncounted),
            **about,
        )

    def _loose_label(self, what: str, where: str) -> Label:
        """What a product outside of counted layers is: part of an attention, or nobody knows."""
        if what in PARTS:
            return Label("attention", what, self._label(where).depth)
        return Label(component=f"({what})")


def _no_label(name: str) -> Label:
    return Label(component=name.rpartition(".")[2])


@contextmanager
def counting(
    model: nn.Module,
    conventions: Conventions = Conventions(),  # noqa: B008 - frozen
    label: LabelLayer = _no_label,
    *,
    loose: bool = False,
) -> Iterator[Meter]:
    """Count every matrix product of the forward passes run inside the block.

    Hooks are removed on any exit and leave nothing on the model.

    Args:
        model: The model; attention must be exposed (`energy.exposed_attention`) or built of
            counted layers.
        conventions: Choices that change a count.
        label: Says what a layer is in the architecture, from its name.
        loose: Count products outside of counted layers from their operands where that can be
            done, in rows named `<module or parameter>.(<operation or part>)`; see
            `energy.meter.loose`. Otherwise refuse them.

    Yields:
        The meter.

    Raises:
        UncountedOperation: At the end, if a matrix product ran outside of every counted layer; at
            the start, if the model holds a module that is known to hide some.
        NoModelError: If it is no module of torch.
        EventError: If an operand declared as spikes holds something else.

    Warns (DenseSpikesWarning) if spikes of another library's neurons were counted as dense MACs.
    """
    _check_module(model)
    modules = list(model.named_modules())
    recognise(module for _, module in modules)
    refuse_opaque(modules, loose=loose)
    counts = is_known if loose else is_counted
    kinds = {kind for kind in {type(module) for _, module in modules} if counts(kind)}
    counted = [(name, module) for name, module in modules if type(module) in kinds]
    meter, audit = (
        Meter(counted, conventions, label),
        Audit(modules, keeps=conventions if loose else None),
    )
    with ExitStack() as stack:
        # An interrupted pass runs no hooks, so its guards would outlive it.
        stack.callback(audit.pauses.clear)
        fetch = stack.enter_context(awaiting())
        for name, module in counted:
            hook(module, meter.recorder(module, name), audit, stack, name)
        stack.enter_context(audit)
        yield meter
    fetch()
    meter.uncounted.update(audit.elementwise())
    meter.loose.update({} if audit.kept is None else audit.kept.kept)
    meter.residuals.update(audit.residuals)
    audit.refuse_escaped()
    warn_of_spikes(modules, meter.arrived)


def _check_module(model: object) -> None:
    if not isinstance(model, nn.Module):
        raise NoModelError(
            f"only a torch.nn.Module can be counted, and {quoted(model)} is none; give the network "
            "itself"
        )


@torch.no_grad()
def count_pass(
    model: nn.Module,
    run: Callable[[], object],
    /,
    *,
    variant: str,
    conventions: Conventions = Conventions(),  # noqa: B008 - frozen
    label: LabelLayer = _no_label,
    loose: bool = False,
    phase: str = "prefill",
    tokens: int = 0,
    **about: Unpack[About],
) -> Counts:
    """Count one forward pass in evaluation mode, without gradients.

    `run` calls the model; the other arguments, and the errors, are those of `counting` and of
    `Meter.counts`.
    """
    _check_module(model)
    if not callable(run):
        raise NoModelError(
            f"run (= {quoted(run)}) is no function that calls the model; give one, such as "
            "`lambda: model(inputs)`"
        )
    with evaluating(model), counting(model, conventions, label, loose=loose) as meter:
        run()
    return meter.counts(variant, phase=phase, tokens=tokens, **about)
