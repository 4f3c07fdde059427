"""Says which module is running, and which of its outputs are spikes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from energy.counts import Levels, Tally
from energy.meter.events import EventError
from energy.network import updates
from energy.network.arrive import NetworkError
from energy.network.call import Call
from energy.network.frame import Frame
from energy.network.kind import NeuronKind
from energy.network.provenance import Storages
from energy.network.sites import site
from energy.network.spikes import Spikes
from energy.network.trace import Trace, Use
from energy.network.watch import Watch
from energy.network.whole import whole


class Hooks:
    """The modules of a network, watched while they run."""

    def __init__(
        self,
        watch: Watch,
        root: nn.Module,
        kinds: Mapping[str, NeuronKind],
        names: Mapping[nn.Module, str],
    ) -> None:
        self.traces: dict[str, Trace] = {}  #: neuron layers that ran
        self.entered = Trace(False)  #: calls of the network itself
        self.began: set[str] = set()  #: neuron layers that were called
        self.clock = ""  #: neurons whose calls are ticks: the first that take a step in each
        self._states: Storages[tuple[str, int]] = Storages()  #: with neurons and chain of each
        #: neurons without synapses of their own
        self._alone = {
            name for module, name in names.items() if name in kinds and not _multiplies(module)
        }
        #: layers that are one operation
        self._whole = {
            name: found
            for module, name in names.items()
            if name not in kinds and (found := whole(module)) is not None
        }
        self.inputs: NeuronKind | None = None  #: what it is given, if that is spikes
        self._watch, self._root, self._kinds, self._names = watch, root, kinds, names

    def attach(self, stack: ExitStack) -> None:
        """Put the hooks on, until the stack closes."""
        stack.callback(self._clear)
        for module in self._names:
            stack.callback(module.register_forward_pre_hook(self._enter, with_kwargs=True).remove)
            hook = module.register_forward_hook(self._leave, with_kwargs=True, always_call=True)
            stack.callback(hook.remove)

    def _clear(self) -> None:
        for frame in self._watch.frames:  # of an interrupted pass
            frame.pause = None
        self._watch.frames.clear()

    def _enter(self, module: nn.Module, args: tuple[Any, ...], words: dict[str, Any]) -> None:
        frames, name = self._watch.frames, self._names[module]
        outer = frames[-1].inside if frames else None
        kind = self._kinds.get(name) if outer is None else None
        x = _first((*args, *words.values()))
        if x is not None and torch._C._functorch.is_functorch_wrapped_tensor(x):
            raise NetworkError(
                f"layer '{name or 'the network itself'}' runs inside of torch.func (vmap or grad), "
                "which shows no values; give it the whole batch, without the transformation"
            )
        if kind is not None:
            self.began.add(name)
        frame = Frame(name, module, kind, shape=() if x is None else tuple(x.shape))
        frame.inside = outer if kind is None else frame
        if module._modules and kind is None:
            frame.shape = ()  # what runs in it by itself has operands of its own
        frames.append(frame)
        if module is self._root:
            self.entered.add(frame.shape or (() if x is None else tuple(x.shape)))
            if self.inputs is not None:
                for tensor in tensors_in((*args, *words.values())):
                    self._watch.known.tell(tensor, self.inputs.sends(module))
        if kind is not None and not kind.assumed and name in self._alone:
            frame.pause = torch._C._DisableTorchDispatch()
        elif name in self._whole and outer is None:
            frame.whole = self._whole[name]
            if frame.whole.is_plain(module, args, words):
                frame.pause = torch._C._DisableTorchDispatch()

    def _leave(
        self, module: nn.Module, args: tuple[Any, ...], words: dict[str, Any], out: Any
    ) -> None:
        frames = self._watch.frames
        if all(frame.module is not module for frame in frames):
            return  # a hook before `_enter` raised
        while frames[-1].module is not module:  # of one that was interrupted
            frames.pop().pause = None
        frame = frames[-1]
        try:
            if frame.whole is not None and frame.pause is not None and out is not None:
                taken, result = frame.whole.operands(module, args[0], out)
                self._watch.whole(frame.whole.operation, taken, result)
        finally:
            frame.pause = None
            frames.pop()
        if out is None:  # the forward raised, or gives nothing back
            return
        quiet = torch._C._DisableTorchDispatch()
        try:
            if frame.kind is not None:
                self._neurons(frame, frame.kind, (*args, *words.values()), out)
            elif frame.inside is None and (made := _first((out,))) is not None:
                self._watch.note(made, frame.name, None)
        finally:
            del quiet

    def _neurons(self, frame: Frame, kind: NeuronKind, args: Sequence[Any], out: Any) -> None:
        sent, given = _first((out,)), _first(args)
        if sent is None or given is None:
            raise NetworkError(
                f"neurons '{frame.name}' must take a tensor and return one; what they return "
                f"first is {type(out).__name__}"
            )
        multi = kind.is_multi_step(frame.module)
        if not kind.encodes:
            trace = self.traces.setdefault(frame.name, Trace(multi, kind.remembers))
            made = self._watch.made.get(given)
            use = Use(site(2, 1), False) if made is None else Use(made, True)
            trace.add(tuple(given.shape), use, self.entered.calls)
            if not multi:
                self._chain(frame.name, trace, args, out)
        spikes = kind.sends(frame.module)
        self._watch.note(sent, frame.name, spikes)
        if spikes is None:
            tally = updates.analog(sent.numel(), given.numel(), kind.dynamics)
            analog = Tally()
        else:
            events = self._sent(frame, sent, spikes)
            levels = spikes.levels or kind.levels
            tally = updates.spiking(frame.module, kind, levels, events, sent, given)
            analog = updates.relu(sent.numel())
        call = Call(tally, analog, shape=tuple(given.shape))
        self._watch.add(frame.name, type(frame.module).__name__, "neuron", call)
        if not (kind.encodes or multi):
            self.clock = self.clock or frame.name
            self._watch.tick += frame.name == self.clock

    def _chain(self, name: str, trace: Trace, args: Sequence[Any], out: Any) -> None:
        """Note the state that neurons were given and gave back, which says whose step it was."""
        _, *states = tensors_in(args)
        known = (self._states.get(x) for x in states)
        chain = next((x[1] for x in known if x is not None and x[0] == name), len(trace.chains))
        trace.chains[chain] += 1
        _, *states = tensors_in((out,))
        for tensor in states:
            self._states.put(tensor, (name, chain))

    def _sent(self, frame: Frame, sent: Tensor, spikes: Spikes) -> int:
        """The events that neurons sent."""
        try:
            return self._watch.events.count(sent, spikes, frame.name)
        except EventError as error:
            low, high = sent.min().item(), sent.max().item()
            raise EventError(
                f"neurons '{frame.name}' ({type(frame.module).__name__}) are {spikes.levels}, but "
                f"the first tensor that they return goes from {low:.4g} to {high:.4g} and is none "
                "of such spikes; return the spikes first, or declare what they send "
                f"({', '.join(Levels)})"
            ) from error


def _multiplies(module: nn.Module) -> bool:
    """Whether neurons may hold synapses of their own."""
    return any(parameter.dim() > 1 for parameter in module.parameters())


def tensors_in(values: Iterable[Any]) -> Iterator[Tensor]:
    """The tensors of what was given or returned, in tuples, lists and dictionaries too."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from tensors_in(value)
        elif isinstance(value, dict):
            yield from tensors_in(value.values())


def _first(values: Iterable[Any]) -> Tensor | None:
    return next(tensors_in(values), None)
