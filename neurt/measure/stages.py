"""Counts of a request pass by pass, through one key-value cache, and spikes step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from typing import Any, Unpack

import numpy as np
import torch
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedModel

from energy import Counts, Label, Levels, count_pass
from energy.meter import CountSettings
from neurt.closed_form.passes import Pass, Stage
from neurt.families import label as label_of_model
from neurt.progress import Progress, silent
from neurt.spiking.neuron import SpikingNeuron
from reports.run.run import merged
from reports.run.steps import StepCount

#: Given the counts of each pass as soon as they are known.
Witness = Callable[[Pass, Counts], None]
Watch = Callable[[], AbstractContextManager[None]]


def count_stages(
    model: PreTrainedModel,
    inputs: Sequence[Tensor],
    stages: Sequence[Stage],
    variant: str,
    /,
    progress: Progress = silent,
    witness: Witness = silent,
    watch: Watch = nullcontext,
    **settings: Unpack[CountSettings],
) -> list[Counts]:
    """Counts of each stage, over all windows.

    Args:
        model: Analog (with its attention exposed) or spiking.
        inputs: Token ids (batch, tokens), one tensor per window.
        watch: Open while a pass is counted, for hooks of somebody else.
        **settings: See `energy.count_pass`.
    """
    passes = [(stage, step) for stage in stages for step in stage.passes]
    totals: dict[Stage, Counts] = {}
    name, done, total = f"counting {variant.upper()}", 0, len(inputs) * len(passes)
    for ids in inputs:
        calls = _calls(model, ids, [step for _, step in passes])
        for (stage, step), call in zip(passes, calls, strict=True):
            progress(name, done, total)
            tokens, phase = step.batch * step.queries, stage.phase
            with watch():
                counts = count_pass(
                    model, call, variant=variant, tokens=tokens, phase=phase, **settings
                )
            witness(step, counts)
            before = [totals[stage]] if stage in totals else []
            totals[stage] = merged([*before, counts], phase)
            done += 1
    progress(name, total, total)
    return [*totals.values()]


def _calls(
    model: PreTrainedModel, ids: Tensor, passes: Sequence[Pass]
) -> Iterator[Callable[[], object]]:
    """The forward of each pass over one window; each must be called before the next is drawn."""
    known = passes[0].keys - passes[0].queries
    if len(passes) == 1 and not known:
        yield partial(model, input_ids=ids, use_cache=False)
        return
    cached = partial(model, past_key_values=DynamicCache(config=model.config), use_cache=True)
    if known:  # the tokens before a decode step fill the cache, uncounted
        with torch.no_grad():
            cached(input_ids=ids[:, :known])
    for step in passes:
        yield partial(cached, input_ids=ids[:, step.keys - step.queries : step.keys])


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
        self._spikes: dict[str, list[int]] = {}
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
            sent = [_number(step, levels) for step in events.detach()]
            before = self._spikes.setdefault(name, [0] * len(sent))
            self._spikes[name] = [a + b for a, b in zip(before, sent, strict=True)]
            self._slots[name] = self._slots.get(name, 0) + events[0].numel()

        return record

    def counts(self) -> tuple[StepCount, ...]:
        """Everything so far: layers in the order of the model, each with its time steps."""
        return tuple(
            StepCount(name, self._label(name), step, spikes, self._slots[name])
            for name, _ in self._neurons
            for step, spikes in enumerate(self._spikes.get(name, ()))
        )


def _number(events: Tensor, levels: Levels) -> int:
    """Events of one time step, which the meter has checked or will check to be of the levels."""
    return sum(_reduced(part, levels) for part in events.reshape(-1).split(_EXACT))


def _reduced(events: Tensor, levels: Levels) -> int:
    if levels is Levels.BURST:
        return int(events.abs().sum())
    if levels is Levels.POWER:  # numpy counts bytes several times faster than torch
        return int(np.count_nonzero(events.to(torch.bool).cpu().numpy()))
    return int(torch.dot(events, events))
