"""Two models that read the same windows, layer by layer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce
from operator import add

import torch
from torch import Tensor, nn

from energy import Conventions, Counts, count_pass, exposed_attention
from neurt.evaluation.comparison import check_pair, check_predictions, compared, inputs_of
from neurt.evaluation.hidden import (
    Place,
    add_similarity,
    final_place,
    hidden_states,
    layer_places,
)
from neurt.evaluation.sums import Scores, Sums, add_scores
from neurt.families import label
from neurt.spiking.modeling import SpikingLanguageModel
from neurt.streaming.counted import to_facts, whole
from neurt.streaming.skeleton import Call, Streamed
from neurt.streaming.state import StreamState
from neurt.streaming.state import window as window_name
from neurt.text.windows import Window, batches, plan_windows
from reports.quality.evaluation import Comparison

#: What the two models are called where something is kept of them.
ANALOG, SPIKING = "analog", "spiking"


@dataclass
class _Side:
    """One of the two models."""

    name: str
    streamed: Streamed
    conventions: Conventions
    #: what its layers are given beside hidden states, by the shape of the token ids
    calls: dict[torch.Size, tuple[Call, ...]] = field(default_factory=dict)

    def count(
        self,
        module: nn.Module,
        places: dict[Place, nn.Module],
        part: list[Window],
        run: Callable[[], Tensor],
    ) -> tuple[Tensor, dict[Place, Tensor], Counts]:
        """What a part of the model made of a batch of windows, the hidden states in it, counts."""
        model, made = self.streamed.model, list[Tensor]()
        is_spiking = isinstance(model, SpikingLanguageModel)
        with hidden_states(places, part) as hidden:
            counts = count_pass(
                module,
                lambda: made.append(run()),
                variant="asa" if self.name == ANALOG else "ssa",
                conventions=self.conventions,
                label=label,
                batch=len(part),
                tokens=sum(each.tokens for each in part),
                timesteps=model.config.spiking["timesteps"] if is_spiking else 1,
            )
        return made[0], hidden, counts


@torch.no_grad()
def compare_streamed(
    analog: Streamed,
    spiking: Streamed,
    ids: Tensor,
    *,
    window: int,
    stride: int,
    state: StreamState,
    batch: int = 1,
    conventions: Conventions = Conventions(),  # noqa: B008 - frozen
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Comparison:
    """What `neurt.evaluation.quality.compare` finds, with one layer of each model in memory.

    Args:
        analog: The model that sets the standard.
        spiking: The converted model; with the same checkpoint it shares the weights.
        ids: Token ids of the text, (tokens,).
        window: Tokens per window, 2 to the positions of the models.
        stride: Tokens from the start of a window to that of the next, 1 to `window`.
        state: Where finished layers are; those that are finished are not run again.
        batch: Windows side by side.
        conventions: Choices that change a count.
        progress: Called with windows of layers that are done, and in all.

    Raises:
        QualityError: As `neurt.evaluation.quality.compare`.
        StreamError: If a weight is not finite.
    """
    shape = check_pair(analog.model, spiking.model, ids, window, stride)
    plan = plan_windows(ids.numel(), window, stride)
    sides = [_Side(ANALOG, analog, conventions), _Side(SPIKING, spiking, conventions)]
    reading = _Reading(sides, ids, list(batches(plan, batch)), state, progress)
    with exposed_attention(analog.model):
        reading.enter()
        for depth in analog.depths:
            reading.pass_layer(depth)
        sums, scores, outside = reading.leave()
    counts = []
    for side in sides:
        layers = {}
        for depth in analog.depths:
            facts = state.facts(f"read-{depth + 1}")
            layers[side.streamed.name(depth)] = facts["counts"][side.name]
            sums.update({(metric, (depth, name)): x for metric, name, x in facts["sums"]})
        counts.append(whole(outside[side.name], layers))
    return compared(sums, scores, counts, (), shape.layers, (window, stride, len(plan)))


class _Reading:
    """Two models that are reading a text."""

    def __init__(
        self,
        sides: Sequence[_Side],
        ids: Tensor,
        parts: Sequence[list[Window]],
        state: StreamState,
        progress: Callable[[int, int], None],
    ) -> None:
        self._sides, self._ids, self._parts, self._state = sides, ids, parts, state
        self._analog, self._spiking = (side.streamed for side in sides)
        self._done, self._total = 0, (len(self._analog.depths) + 1) * sum(map(len, parts))
        self._progress = progress
        progress(0, self._total)

    def _tell(self, part: list[Window]) -> None:
        self._done += len(part)
        self._progress(self._done, self._total)

    def _given(self, step: str, at: int) -> dict[str, Tensor]:
        """What both models made of a batch of windows in a finished step."""
        device = self._analog.where.device
        kept = self._state.get(step, window_name(at))
        return {name: hidden.to(device) for name, hidden in kept.items()}

    def _inputs(self, part: list[Window]) -> Tensor:
        return inputs_of(self._analog.model, self._ids, part)

    def enter(self) -> None:
        """Embed the windows, and learn what layers are given beside."""
        with self._analog.resident(None, self._spiking):
            if self._state.has("read-0"):
                for ids in {x.shape: x for x in map(self._inputs, self._parts)}.values():
                    self._embed(ids)
                return
            with self._state.step("read-0") as step:
                for at, part in enumerate(self._parts):
                    step.put(window_name(at), **self._embed(self._inputs(part)))

    def _embed(self, ids: Tensor) -> dict[str, Tensor]:
        hidden = {}
        for side in self._sides:
            hidden[side.name], side.calls[ids.shape] = side.streamed.enter(ids)
        return hidden

    def pass_layer(self, depth: int) -> None:
        """Let all windows pass a layer of both models."""
        given, done = f"read-{depth}", f"read-{depth + 1}"
        if self._state.has(done):
            for part in self._parts:
                self._tell(part)
            return
        sums: Sums = defaultdict(float)
        counts: dict[str, list[Counts]] = {side.name: [] for side in self._sides}
        places = {side.name: layer_places(side.streamed.model, depth) for side in self._sides}
        alone = {side.name: side.streamed.alone(depth) for side in self._sides}
        with self._analog.resident(depth, self._spiking), self._state.step(done) as step:
            for at, part in enumerate(self._parts):
                before, made, states = self._given(given, at), {}, {}
                shape = self._inputs(part).shape
                for side in self._sides:
                    call = side.calls[shape][depth]
                    made[side.name], states[side.name], found = side.count(
                        alone[side.name],
                        places[side.name],
                        part,
                        partial(side.streamed.through, depth, before[side.name], call),
                    )
                    counts[side.name] = [reduce(add, [*counts[side.name], found])]
                for place, expected in states[ANALOG].items():
                    add_similarity(sums, place, expected, states[SPIKING][place])
                step.put(window_name(at), **made)
                self._tell(part)
            step.facts["sums"] = [[metric, at[1], value] for (metric, at), value in sums.items()]
            step.facts["counts"] = {name: to_facts(found) for name, [found] in counts.items()}
        self._state.forget(given)

    def leave(self) -> tuple[Sums, Scores, dict[str, Counts]]:
        """Sums of similarities, scores, and counts, of what is outside of all layers."""
        sums: Sums = defaultdict(float)
        scores: Scores = defaultdict(list)
        counts: dict[str, list[Counts]] = {side.name: [] for side in self._sides}
        given = f"read-{len(self._analog.depths)}"
        with self._analog.resident(None, self._spiking):
            for at, part in enumerate(self._parts):
                self._score(sums, scores, counts, part, self._given(given, at))
                self._tell(part)
        return sums, scores, {name: found for name, [found] in counts.items()}

    def _score(
        self,
        sums: Sums,
        scores: Scores,
        counts: dict[str, list[Counts]],
        part: list[Window],
        given: dict[str, Tensor],
    ) -> None:
        """Compare the predictions in one batch of windows, which are gone afterwards."""
        ids = self._inputs(part)
        logits: dict[str, Tensor] = {}
        states: dict[str, dict[Place, Tensor]] = {}
        for side in self._sides:
            model = side.streamed.model
            run = partial(side.streamed.leave, ids, given[side.name])
            logits[side.name], states[side.name], found = side.count(
                model, final_place(model), part, run
            )
            check_predictions(f"{side.name} model", logits[side.name], part)
            counts[side.name] = [reduce(add, [*counts[side.name], found])]
        add_scores(scores, SPIKING, logits[ANALOG], logits[SPIKING], self._ids, part)
        for place, expected in states[ANALOG].items():
            add_similarity(sums, place, expected, states[SPIKING][place])
