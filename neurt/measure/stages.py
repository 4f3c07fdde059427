"""Counts of a request pass by pass, through one key-value cache, and spikes step by step."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from typing import Any, Unpack, cast

import numpy as np
import torch
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedModel

from energy import Counts, Label, Levels, count_pass
from energy.layers.trial import attempt
from energy.meter import CountSettings
from neurt.closed_form.passes import Pass, Stage
from neurt.families import label as label_of_model
from neurt.loading.placement import compute_device
from neurt.progress import silent
from neurt.spiking.neuron import SpikingNeuron
from reports.run.run import merged
from reports.run.steps import StepCount

#: Given the counts of each pass as soon as they are known.
Witness = Callable[[Pass, Counts], None]
Watch = Callable[[], AbstractContextManager[None]]


def cached(model: PreTrainedModel) -> dict[str, Any]:
    """The arguments with which a model remembers, in an empty cache, what it is given."""
    cache = DynamicCache(config=model.config)
    states = "cache_params" in inspect.signature(model.forward).parameters  # Mamba
    return {"cache_params" if states else "past_key_values": cache, "use_cache": True}


class Counting:
    """A model that is counted pass by pass."""

    def __init__(
        self,
        model: nn.Module,
        stages: Sequence[Stage],
        variant: str,
        /,
        witness: Witness = silent,
        watch: Watch = nullcontext,
        **settings: Unpack[CountSettings],
    ) -> None:
        """Prepare to count.

        Args:
            model: Analog (with its attention exposed while it is counted) or spiking; a part of
                one has no `passes` of its own.
            stages: The passes over each window.
            variant: `asa` or `ssa`.
            witness: Given the counts of each pass.
            watch: Open while a pass is counted, for hooks of somebody else.
            **settings: See `energy.count_pass`.
        """
        self._model, self._variant, self._settings = model, variant, settings
        self._passes = [(stage, step) for stage in stages for step in stage.passes]
        self._witness, self._watch = witness, watch
        self._totals: dict[Stage, Counts] = {}

    @property
    def counts(self) -> list[Counts]:
        """Counts of each stage, over all windows so far."""
        return [*self._totals.values()]

    @property
    def steps(self) -> list[tuple[Stage | None, Pass]]:
        """Forward passes over each window; one without a stage fills the cache for a decode step.

        A model that takes more than one is given a cache.
        """
        first = self._passes[0][1]
        filling = Pass(first.batch, first.known, first.known)
        return [*([(None, filling)] if first.known else ()), *self._passes]

    @property
    def runs(self) -> int:
        """Forward passes over each window."""
        return len(self.steps)

    def passes(self, ids: Tensor) -> Iterator[tuple[int, Any]]:
        """Run over a window (batch, tokens): where each pass begins in it, and what came out."""
        call = partial(self._model, use_cache=False)
        if self.runs > 1 or self._looks_at_values(ids):
            call = partial(self._model, **cached(cast(PreTrainedModel, self._model)))
        for stage, step in self.steps:
            new = ids[:, step.known : step.keys]
            yield step.known, self.count(stage, step, partial(call, input_ids=new))

    def _looks_at_values(self, ids: Tensor) -> bool:
        """Whether a prefill of sizes alone needs a cache, and the model takes one.

        Without a cache, transformers looks for several texts in one sequence.
        """
        if compute_device(self._model).type != "meta":
            return False
        return (
            attempt(self._model, input_ids=ids[:, :1], **cached(cast(PreTrainedModel, self._model)))
            is not None
        )

    def count(self, stage: Stage | None, step: Pass, call: Callable[[], Any]) -> Any:
        """Count one of `steps`, which `call` runs; returns what came out."""
        if stage is None:
            with torch.no_grad():
                return call()
        tokens, phase = step.batch * step.queries, stage.phase
        found: list[Any] = []
        with self._watch():
            counts = count_pass(
                self._model,
                lambda: found.append(call()),
                variant=self._variant,
                tokens=tokens,
                phase=phase,
                **self._settings,
            )
        self._witness(step, counts)
        before = [self._totals[stage]] if stage in self._totals else []
        self._totals[stage] = merged([*before, counts], phase)
        return found.pop()


#: A sum of so many units is exact in single precision; a burst has up to 7 of them.
_EXACT = 2**24 // 8


class StepMeter:
    """Counts the events of each time step, apart.

    One reduction for each layer of neurons: of events of one unit it is the product of the tensor
    with itself, the fastest sum that there is. An analog model, or a code without events, gives
    no rows.
    """

    def __init__(self, model: nn.Module, label: Callable[[str], Label] = label_of_model) -> None:
        self._label = label
        self._neurons = [
            (name, module)
            for name, module in model.named_modules()
            if isinstance(module, SpikingNeuron) and module.levels is not Levels.ANALOG
        ]
        self._spikes: dict[str, Tensor] = {}  #: of each time step, where the layer runs
        self._slots: dict[str, int] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Count the passes that run inside the block.

        Open it before `energy.counting`: hooks run in the order in which they were registered, and
        those that count end the pause in which the audit does not look.
        """
        with ExitStack() as stack:
            for name, neurons in self._neurons:
                hook = neurons.register_forward_hook(self._recorder(name, neurons.levels))
                stack.callback(hook.remove)
            yield

    def _recorder(self, name: str, levels: Levels) -> Callable[[nn.Module, Any, Tensor], None]:
        def record(_neurons: nn.Module, _args: Any, events: Tensor) -> None:
            if events.element_size() < 4:  # half precision counts to 2048 or less
                events = events.float()
            if events.device.type == "cpu":
                sent = torch.tensor([_number(step, levels) for step in events.detach()])
            else:  # which is not asked for it before all is over
                sent = _numbers_there(events.detach(), levels)
            self._spikes[name] = self._spikes[name] + sent if name in self._spikes else sent
            self._slots[name] = self._slots.get(name, 0) + events[0].numel()

        return record

    def counts(self) -> tuple[StepCount, ...]:
        """Everything so far: layers in the order of the model, each with its time steps."""
        return tuple(
            StepCount(name, self._label(name), step, spikes, self._slots[name])
            for name, _ in self._neurons
            for step, spikes in enumerate(
                self._spikes[name].cpu().tolist() if name in self._spikes else ()
            )
        )


def _numbers_there(events: Tensor, levels: Levels) -> Tensor:
    """Events of each time step (T,) on an accelerator."""
    units = events.abs() if levels is Levels.BURST else events != 0
    return units.flatten(1).sum(1, dtype=torch.int64)


def _number(events: Tensor, levels: Levels) -> int:
    """Events of one time step, which the meter has checked or will check to be of the levels."""
    return sum(_reduced(part, levels) for part in events.reshape(-1).split(_EXACT))


def _reduced(events: Tensor, levels: Levels) -> int:
    if levels is Levels.BURST:
        return int(events.abs().sum())
    if levels is Levels.POWER:  # numpy counts bytes several times faster than torch
        return int(np.count_nonzero(events.to(torch.bool).cpu().numpy()))
    return int(torch.dot(events, events))
