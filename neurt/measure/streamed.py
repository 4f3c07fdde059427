"""Two models that are counted pass by pass, with one layer of each in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from operator import add
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from energy import Counts, Label, exposed_attention
from energy.meter import CountSettings
from neurt.closed_form.passes import Stage
from neurt.measure.caches import filled, instead
from neurt.measure.scoring import score_rows
from neurt.measure.stages import Counting, StepMeter, cached
from neurt.progress import Progress, silent
from neurt.streaming.counted import to_facts, whole
from neurt.streaming.skeleton import Call, Streamed
from neurt.streaming.state import StreamState
from neurt.streaming.state import window as window_name
from reports.kit.closeness import Closeness, Scored
from reports.run.steps import StepCount


class Side(NamedTuple):
    """One of two models that are counted."""

    variant: str  #: `asa` or `ssa`
    streamed: Streamed
    settings: CountSettings  #: see `energy.count_pass`


class Counted(NamedTuple):
    """What two models did."""

    counts: tuple[list[Counts], list[Counts]]  #: of each stage, analog and spiking
    steps: tuple[StepCount, ...]  #: spikes by time step
    quality: Closeness | None  #: see `scoring.count_both`


@torch.no_grad()
def count_streamed(
    sides: tuple[Side, Side],
    stages: Sequence[Stage],
    inputs: Sequence[Tensor],
    state: StreamState,
    progress: Progress = silent,
    *,
    scored: bool,
) -> Counted:
    """What `scoring.count_both` finds, with one layer of each model in memory.

    Args:
        sides: The analog model, and the converted one, which shares its weights.
        stages: The passes over each window.
        inputs: Token ids (batch, tokens), one tensor of the same shape per window.
        state: Where finished layers are; those that are finished are not run again.
        progress: Told windows of layers that are done, and in all.
        scored: Whether predictions are worth anything.

    Raises:
        ScoreError: If a prediction is not finite.
        StreamError: If a weight is not finite.
    """
    passing = _Passing(sides, stages, inputs, state, progress)
    analog = sides[0].streamed
    with exposed_attention(analog.model):
        passing.enter()
        for depth in analog.depths:
            passing.pass_layer(depth)
        return passing.leave(scored=scored)


class _Passing:
    """Two models in the middle of their passes."""

    def __init__(
        self,
        sides: tuple[Side, Side],
        stages: Sequence[Stage],
        inputs: Sequence[Tensor],
        state: StreamState,
        progress: Progress,
    ) -> None:
        self._sides, self._stages, self._inputs, self._state = sides, stages, inputs, state
        self._analog, self._spiking = (side.streamed for side in sides)
        self._passes = self._counting(sides[0], self._analog.model).steps
        #: What a model is called with in each pass, and what it then gives its layers.
        self._given: dict[str, list[dict[str, Any]]] = {
            variant: [filled(streamed.model, step.known) for _, step in self._passes]
            if len(self._passes) > 1
            else [{}]
            for variant, streamed, _ in sides
        }
        self._calls: dict[str, list[tuple[Call, ...]]] = {}
        self._progress = progress
        self._done, self._total = 0, (len(self._analog.depths) + 1) * len(inputs)
        progress("counting", 0, self._total)

    def _counting(self, side: Side, module: nn.Module, **more: Any) -> Counting:
        return Counting(module, self._stages, side.variant, **more, **side.settings)

    def _tell(self, windows: int = 1) -> None:
        self._done += windows
        self._progress("counting", self._done, self._total)

    def _part(self, ids: Tensor, at: int) -> Tensor:
        step = self._passes[at][1]
        return ids[:, step.known : step.keys]

    def enter(self) -> None:
        """Embed the windows, and learn what layers are given beside."""
        with self._analog.resident(None, self._spiking):
            if self._state.has("counted-0"):
                self._embed(self._inputs[0])
                return
            with self._state.step("counted-0") as step:
                for at, ids in enumerate(self._inputs):
                    step.put(window_name(at), **self._embed(ids))

    def _embed(self, ids: Tensor) -> dict[str, Tensor]:
        hidden = {}
        for variant, streamed, _ in self._sides:
            self._calls[variant] = []
            for at, given in enumerate(self._given[variant]):
                hidden[f"{variant}-{at}"], calls = streamed.enter(self._part(ids, at), **given)
                self._calls[variant].append(calls)
        return hidden

    def _kept(self, step: str, window: int) -> dict[str, Tensor]:
        kept = self._state.get(step, window_name(window))
        return {name: hidden.to(self._analog.where.device) for name, hidden in kept.items()}

    def pass_layer(self, depth: int) -> None:
        """Let all passes over all windows go through a layer of both models."""
        given, done = f"counted-{depth}", f"counted-{depth + 1}"
        if self._state.has(done):
            self._tell(len(self._inputs))
            return
        alone = {side.variant: side.streamed.alone(depth) for side in self._sides}
        meter = StepMeter(alone["ssa"])
        watching = {"asa": {}, "ssa": {"watch": meter.watching}}
        counting = {
            side.variant: self._counting(side, alone[side.variant], **watching[side.variant])
            for side in self._sides
        }
        with self._analog.resident(depth, self._spiking), self._state.step(done) as step:
            for window in range(len(self._inputs)):
                before, made = self._kept(given, window), dict[str, Tensor]()
                for side in self._sides:
                    made |= self._through(side, depth, counting[side.variant], before)
                step.put(window_name(window), **made)
                self._tell()
            step.facts["counts"] = {
                variant: [to_facts(found) for found in each.counts]
                for variant, each in counting.items()
            }
            step.facts["steps"] = [
                [it.layer, [it.label.block, it.label.component, it.label.depth], *it[2:]]
                for it in meter.counts()
            ]
        self._state.forget(given)

    def _through(
        self, side: Side, depth: int, counting: Counting, before: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """What a layer makes of the passes over a window, which share a cache of its own."""
        variant, streamed, _ = side
        own, made = cached(streamed.model), dict[str, Tensor]()
        for at, (stage, step) in enumerate(self._passes):
            name, given = f"{variant}-{at}", self._given[variant][at]
            call = instead(self._calls[variant][at][depth], given, own)
            run = partial(streamed.through, depth, before[name], call)
            made[name] = counting.count(stage, step, run)
        return made

    def leave(self, *, scored: bool) -> Counted:
        """Predict, score, and put together what all layers did."""
        meter, closeness = StepMeter(self._spiking.model), list[Scored]()
        asa, ssa = self._sides
        both = (
            self._counting(asa, self._analog.model),
            self._counting(ssa, self._spiking.model, watch=meter.watching),
        )
        last = f"counted-{len(self._analog.depths)}"
        with self._analog.resident(None, self._spiking):
            for window, ids in enumerate(self._inputs):
                sums, hidden = [Scored() for _ in ids], self._kept(last, window)
                for at, (_, step) in enumerate(self._passes):
                    logits = [
                        self._predict(*pair, at, ids, hidden)
                        for pair in zip(self._sides, both, strict=True)
                    ]
                    if scored:
                        found = score_rows(step.known, logits[0], logits[1], ids)
                        sums = [Scored(*map(add, *pair)) for pair in zip(sums, found, strict=True)]
                closeness += sums
                self._tell()
        facts = [self._state.facts(f"counted-{depth + 1}") for depth in self._analog.depths]
        counts = (self._whole(asa, both[0], facts), self._whole(ssa, both[1], facts))
        told = any(each.tokens for each in closeness)
        quality = Closeness(tuple(closeness)) if told else None
        return Counted(counts, self._steps(meter, facts), quality)

    def _predict(
        self, side: Side, counting: Counting, at: int, ids: Tensor, hidden: Mapping[str, Tensor]
    ) -> Tensor:
        stage, step = self._passes[at]
        given = self._given[side.variant][at]
        part, made = self._part(ids, at), hidden[f"{side.variant}-{at}"]
        run = partial(side.streamed.leave, part, made, **given)
        logits: Tensor = counting.count(stage, step, run)
        return logits

    def _whole(
        self, side: Side, outside: Counting, facts: Sequence[Mapping[str, Any]]
    ) -> list[Counts]:
        """Counts of each stage."""
        return [
            whole(
                found,
                {
                    side.streamed.name(depth): each["counts"][side.variant][at]
                    for depth, each in enumerate(facts)
                },
            )
            for at, found in enumerate(outside.counts)
        ]

    def _steps(
        self, outside: StepMeter, facts: Sequence[Mapping[str, Any]]
    ) -> tuple[StepCount, ...]:
        """Spikes by time step in the order of the modules."""
        found = [*outside.counts()]
        for each in facts:
            for layer, label, *numbers in each["steps"]:
                found.append(StepCount(layer, Label(*label), *numbers))
        place = {name: at for at, (name, _) in enumerate(self._spiking.model.named_modules())}
        return tuple(sorted(found, key=lambda count: place[count.layer]))
