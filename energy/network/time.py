"""How many time steps a network took: found from its neurons, and compared with what was said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from energy.network.arrive import NetworkError
from energy.network.call import Call
from hwmodels.plain import several


@dataclass
class Trace:
    """The calls of one neuron layer."""

    multi_step: bool | None  #: whether the first dimension of its input is time
    remembers: bool = True  #: whether it keeps its state itself
    calls: int = 0
    shapes: Counter[tuple[int, ...]] = field(default_factory=Counter)  #: of its inputs, by calls

    def add(self, shape: tuple[int, ...]) -> None:
        """Add a call."""
        self.calls += 1
        self.shapes[shape] += 1

    def batches(self, at: int) -> Counter[int]:
        """Samples side by side, which are the dimension `at` of inputs of vectors; with calls."""
        found: Counter[int] = Counter()
        for shape, calls in self.shapes.items():
            found[shape[at] if len(shape) > at + 1 else 1] += calls
        return found


class Time(NamedTuple):
    """The time steps of a pass."""

    steps: int = 1
    inferences: int = 1  #: how often the network ran through all of them
    batches: tuple[int, ...] = (1,)  #: samples side by side, of each size that there was
    samples: int = 1  #: of all inferences
    multi_step: bool = False  #: whether time is the first dimension of some tensors

    def executions(self, calls: list[Call], *, spiking: bool) -> int:
        """How many of the calls of a row, or of their steps, an analog network does once."""
        if self.steps == 1:
            return 1
        each = len(calls) / self.inferences
        if not self.multi_step or each >= self.steps:
            return max(1, min(round(each), self.steps))
        timed = spiking or any(self._has_time(call.shape) for call in calls)
        return self.steps if timed else 1

    def by_calls(self, calls: list[Call]) -> bool:
        """Whether each time step of a row is a call of its own."""
        return not self.multi_step or len(calls) / self.inferences >= self.steps

    def _has_time(self, shape: tuple[int, ...]) -> bool:
        """Whether a tensor holds all time steps: (T, batch, ...), or (T x batch, ...)."""
        if not shape or shape[0] in self.batches:
            return shape[:2] in [(self.steps, batch) for batch in self.batches]
        rows = [self.steps * batch for batch in self.batches]
        return shape[0] == self.steps or any(shape[0] % n == 0 for n in rows)


def one_step_each(traces: Mapping[str, Trace], given: int) -> bool:
    """Whether one call of the network was one time step, so that it has to be called again.

    Raises:
        NetworkError: If neurons return their state, which nobody would give back to them.
    """
    once = bool(traces) and all(
        trace.calls == 1
        and not trace.multi_step
        and not (trace.multi_step is None and _first(trace) == given)
        for trace in traces.values()
    )
    forgetful = next((name for name, trace in traces.items() if not trace.remembers), None)
    if once and given > 1 and forgetful is not None:
        raise NetworkError(
            f"neurons '{forgetful}' took one time step and return their state instead of keeping "
            f"it, so calling the network {given} times would begin anew each time; give `run`, a "
            "function of the network that loops over time"
        )
    return once


def time_of(traces: Mapping[str, Trace], entered: Trace, given: int | None) -> Time:
    """The time steps that all neurons agree on.

    Args:
        traces: The neuron layers that ran, by name.
        entered: The calls of the network itself.
        given: The number of time steps, where somebody said it.

    Raises:
        NetworkError: If neurons disagree with each other or with what was given, or if only the
            caller can know.
    """
    passes = max(1, entered.calls)
    found = {name: _steps(name, trace, passes, given) for name, trace in traces.items()}
    sure = {name: steps for name, steps in found.items() if steps is not None}
    if not sure:
        steps = given or _unsure(traces)
        sure = {name: _with(trace, steps, passes) for name, trace in traces.items()}
    else:
        least = min(sure.values())
        sure |= {
            name: _with(traces[name], given or least, passes)
            for name, steps in found.items()
            if steps is None
        }
    if not sure:
        batches = entered.batches(0) or Counter({1: 1})
        samples = sum(size * calls for size, calls in batches.items())
        return Time(given or 1, passes, tuple(batches), samples)
    steps = min(sure.values())
    odd = next((name for name, n in sure.items() if n % steps), None)
    if odd is not None:
        least_name = next(name for name, n in sure.items() if n == steps)
        raise NetworkError(
            f"neurons '{odd}' took {several(sure[odd], 'time step')} and neurons '{least_name}' "
            f"{steps}, which is no part of them; count networks of different time steps apart"
        )
    if given is not None and given != steps:
        raise NetworkError(
            f"timesteps (= {given}) was given, but neurons '{next(iter(sure))}' took "
            f"{several(steps, 'time step')}; leave timesteps out, run the network for as many, or, "
            "if one module stands for several layers, give each of them one of its own"
        )
    multi = [trace for trace in traces.values() if _is_multi(trace, steps, passes)]
    some = (multi or [*traces.values()])[0]
    batches = some.batches(1 if multi else 0)
    inferences = max(1, min(_runs(trace, steps, passes) for trace in traces.values()))
    # Of neurons that are used several times in a step, each use has all samples.
    each = some.calls if multi else some.calls // steps
    samples = sum(size * calls for size, calls in batches.items())
    samples = samples * inferences // (each * (1 if multi else steps))
    return Time(steps, inferences, tuple(batches), samples, bool(multi))


def _steps(name: str, trace: Trace, passes: int, given: int | None) -> int | None:
    """The steps of one inference; None where nobody can tell."""
    if trace.multi_step:
        lengths = {shape[0] for shape in trace.shapes if shape}
        if len(lengths) > 1:
            listed = " and ".join(map(str, sorted(lengths)))
            raise NetworkError(
                f"neurons '{name}' took {listed} time steps in different calls; count passes of "
                "different time steps apart"
            )
        return next(iter(lengths), 1)
    if given is not None and _may_be_axis(trace, given, passes):
        return given
    if trace.calls == passes:
        if trace.multi_step is None and passes == 1:
            return None
        # Several inferences, of which each call is one step.
        return given if given is not None and passes % given == 0 else passes
    return max(1, trace.calls // passes)


def _first(trace: Trace) -> int:
    return next((shape[0] for shape in trace.shapes if shape), 1)


def _is_multi(trace: Trace, steps: int, passes: int) -> bool:
    return bool(trace.multi_step) or _may_be_axis(trace, steps, passes)


def _may_be_axis(trace: Trace, steps: int, passes: int) -> bool:
    """Whether neurons of which nobody said it took all steps at once."""
    firsts = {shape[:1] for shape in trace.shapes}
    unsure = trace.multi_step is None and trace.calls == passes != steps
    return unsure and steps > 1 and firsts == {(steps,)}


def _with(trace: Trace, steps: int, passes: int) -> int:
    """The steps of neurons of which nobody can tell, if others took so many."""
    return steps if _first(trace) == steps else max(1, trace.calls // passes)


def _unsure(traces: Mapping[str, Trace]) -> int:
    for name, trace in traces.items():
        if (first := _first(trace)) > 1:
            raise NetworkError(
                f"neurons '{name}' ran once, on an input whose first dimension is {first}, and "
                f"nobody said whether that is time; give timesteps={first} if it is, and "
                "timesteps=1 if it is not"
            )
    return 1


def _runs(trace: Trace, steps: int, passes: int) -> int:
    return trace.calls if _is_multi(trace, steps, passes) else max(1, trace.calls // steps)
