"""Thresholds of a conversion, found layer by layer.

They are those that `neurt.spiking.conversion.convert` finds: what a layer gives in a window depends
on nothing but the layers before it in that window, so windows may pass one layer after the other.
The curvature is that of the whole model, too: what each layer was given is kept, and on the way
back each runs once more with the gradient of what it gave (Chen et al., 2016, from the disk).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from neurt.spiking.coder import Coder
from neurt.spiking.config import DeadZone, SpikingConfig
from neurt.spiking.conversion import ConversionError, check_threshold, zones_by_output
from neurt.spiking.curvature import listening, set_zones_of, surprise
from neurt.spiking.foreseen import Foreseen, costing, foreseen, uncoded
from neurt.spiking.neuron import NeuronError, calibrating
from neurt.streaming.skeleton import Call, Streamed
from neurt.streaming.state import Step, StreamState, window

#: What is outside of all layers, in names of steps.
OUTSIDE = "outside"


class Calibration:
    """A conversion whose thresholds are being found.

    Args:
        spiking: The converted model, whose checkpoint is that of the analog one.
        windows: Token ids (batch, tokens) of calibration text.
        state: Where finished steps are.
        progress: Called with windows of layers that are done, and in all.
    """

    def __init__(
        self,
        spiking: Streamed,
        windows: Sequence[Tensor],
        state: StreamState,
        progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> None:
        self._spiking, self._windows, self._state = spiking, windows, state
        self._progress, self._done = progress, 0
        self._choices = SpikingConfig.model_validate(spiking.model.config.spiking)
        self._by_loss = self._choices.dead_zone is DeadZone.LOSS
        layers = len(spiking.depths)
        parts = 2 * layers + 1 if self._by_loss else layers + self._choices.head
        self._total = parts * len(windows)
        self._calls: dict[torch.Size, tuple[Call, ...]] = {}
        self._felt: dict[str, Tensor] = {}

    def run(self, judge: Callable[[Foreseen], object] | None = None) -> dict[str, Tensor]:
        """Find all thresholds, which the model has from then on.

        Args:
            judge: Told what dead zones by loss cost on the first window, and what they should.

        Returns:
            They, by name.

        Raises:
            ConversionError: If a value or a gradient is not finite, or a threshold not above zero.
        """
        try:
            self._enter()
            if self._by_loss:
                self._forwards()
                self._backwards()
                if judge is not None:
                    judge(self._foresee())
            else:
                self._through()
        except NeuronError as error:
            raise ConversionError(f"cannot convert: {error}") from error
        return self._spiking.thresholds

    def _tell(self, done: int) -> None:
        self._done += done
        self._progress(self._done, self._total)

    @torch.no_grad()
    def _enter(self) -> None:
        """Embed the windows, and learn what layers are given beside."""
        with self._spiking.resident(None):
            if self._state.has("given-0"):
                for ids in {ids.shape: ids for ids in self._windows}.values():
                    self._calls[ids.shape] = self._spiking.enter(ids).calls
                return
            with self._state.step("given-0") as step:
                for at, ids in enumerate(self._windows):
                    hidden, self._calls[ids.shape] = self._spiking.enter(ids)
                    step.put(window(at), hidden=hidden)

    def _given(self, step: str) -> Iterator[tuple[int, Tensor, Tensor]]:
        # Index, token ids and hidden states of each window.
        for at, ids in enumerate(self._windows):
            yield at, ids, self._kept(step, window(at), "hidden")
            self._tell(1)

    def _kept(self, step: str, name: str, tensor: str) -> Tensor:
        """A tensor of a finished step, where the model runs."""
        return self._state.get(step, name)[tensor].to(self._spiking.where.device)

    def _pass(self, depth: int, step: Step) -> None:
        """Let all windows pass a layer, which is resident."""
        for at, ids, hidden in self._given(f"given-{depth}"):
            made = self._spiking.through(depth, hidden, self._calls[ids.shape][depth])
            step.put(window(at), hidden=made)

    @torch.no_grad()
    def _through(self) -> None:
        """Calibrate each layer on what the calibrated ones before it really send."""
        model, last = self._spiking.model, len(self._spiking.depths)
        for depth in self._spiking.depths:
            done = f"given-{depth + 1}"
            if self._know(done):
                continue
            layer = self._spiking.layers[depth]
            with (
                self._spiking.resident(depth),
                self._state.step(done) as step,
                zones_by_output(layer),
                calibrating(model),
            ):
                self._pass(depth, step)
                self._keep(step, depth)
            self._state.forget(f"given-{depth}")
        if self._choices.head and not self._know(OUTSIDE):
            with (
                self._spiking.resident(None),
                self._state.step(OUTSIDE) as step,
                zones_by_output(model.get_submodule("lm_head")),
                calibrating(model),
            ):
                for _, ids, hidden in self._given(f"given-{last}"):
                    self._spiking.leave(ids, hidden)
                self._keep(step, None)

    def _know(self, step: str) -> bool:
        """Whether a step is finished; the model then has the thresholds that it found."""
        if not self._state.has(step):
            return False
        self._spiking.thresholds.update(self._state.get(step, "thresholds"))
        if self._by_loss:
            self._felt |= self._state.get(step, "felt")
        self._tell(len(self._windows))
        return True

    def _keep(
        self, step: Step, depth: int | None, felt: Mapping[str, Tensor] | None = None
    ) -> None:
        """Keep the thresholds of the part that is resident, and the curvature behind them."""
        found = self._spiking.thresholds_of(depth)
        for name, threshold in found.items():
            check_threshold(name, threshold)
        step.put("thresholds", **found)
        self._spiking.thresholds.update(found)
        if felt is not None:
            step.put("felt", **felt)
            self._felt |= felt

    def _coders(self, depth: int | None) -> dict[str, Coder]:
        found = self._spiking.neurons(depth)
        return {name: it for name, it in found.items() if isinstance(it, Coder)}

    @torch.no_grad()
    def _forwards(self) -> None:
        """Keep what each layer is given, uncoded."""
        for depth in self._spiking.depths:
            if self._state.has(f"given-{depth + 1}"):
                self._tell(len(self._windows))
                continue
            with (
                self._spiking.resident(depth),
                self._state.step(f"given-{depth + 1}") as step,
                uncoded(self._coders(depth)),
            ):
                self._pass(depth, step)

    @contextmanager
    def _measuring(self, done: str, depth: int | None) -> Iterator[Step]:
        """Measure the curvature at the coders of a part inside the block, then set their zones."""
        coders, model = self._coders(depth), self._spiking.model
        with self._spiking.resident(depth), self._state.step(done) as step:
            with listening([*coders.items()], model) as heard, torch.enable_grad():
                yield step
            felt = {name: heard[coder].mean() for name, coder in coders.items()}
            tokens = max(ids.shape[1] for ids in self._windows)
            part = model.lm_head if depth is None else self._spiking.layers[depth]
            for block in part.modules():
                set_zones_of(block, {coders[name]: each for name, each in felt.items()}, tokens)
            self._keep(step, depth, felt)

    def _backwards(self) -> None:
        """Carry the gradient of the loss back, and set the zones of each layer."""
        if not self._know(OUTSIDE):
            draw = torch.Generator().manual_seed(0)
            with self._measuring(OUTSIDE, None) as step:
                for at, ids, hidden in self._given(f"given-{len(self._spiking.depths)}"):
                    hidden.requires_grad_()
                    surprise(self._spiking.leave(ids, hidden).flatten(0, 1), draw).backward()
                    step.put(window(at), gradient=_gradient(hidden))
        before = OUTSIDE
        for depth in reversed(self._spiking.depths):
            done = f"felt-{depth}"
            if not self._know(done):
                with self._measuring(done, depth) as step:
                    for at, ids, hidden in self._given(f"given-{depth}"):
                        if depth:
                            hidden.requires_grad_()
                        made = self._spiking.through(depth, hidden, self._calls[ids.shape][depth])
                        made.backward(self._kept(before, window(at), "gradient"))
                        if depth:
                            step.put(window(at), gradient=_gradient(hidden))
                self._state.forget(before)
                if depth:
                    self._state.forget(f"given-{depth}")
            before = done

    @torch.no_grad()
    def _foresee(self) -> Foreseen:
        """Compare what the errors on the first window should cost with what they do."""
        ids = self._windows[0]
        calls, costs = self._calls[ids.shape], list[Tensor]()
        analog = spiking = self._kept("given-0", window(0), "hidden")
        for depth in self._spiking.depths:
            coders = self._coders(depth)
            with self._spiking.resident(depth):
                with uncoded(coders):
                    analog = self._spiking.through(depth, analog, calls[depth])
                with costing(coders, self._felt) as of_layer:
                    spiking = self._spiking.through(depth, spiking, calls[depth])
            costs += of_layer
        coders = self._coders(None)
        with self._spiking.resident(None):
            with uncoded(coders):
                expected = self._spiking.leave(ids, analog)
            with costing(coders, self._felt) as of_head:
                found = self._spiking.leave(ids, spiking)
            return foreseen(expected, found, costs + of_head)


def _gradient(x: Tensor) -> Tensor:
    assert x.grad is not None
    return x.grad
