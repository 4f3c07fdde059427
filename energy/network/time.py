"""How many time steps a network took: found from its neurons, and compared with what was said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from energy.network.arrive import NetworkError
from energy.network.call import Call
from energy.network.trace import Trace
from hwmodels.plain import several


class Time(NamedTuple):
    """The time steps of a pass."""

    steps: int = 1
    inferences: int = 1  #: how often the network ran through all of them
    batches: tuple[int, ...] = (1,)  #: samples side by side, of each size that there was
    samples: int = 1  #: of all inferences
    multi_step: bool = False  #: whether time is the first dimension of some tensors
    ticks: int = 0  #: calls of the neurons that are the clock, in one step; 0 where none are

    def executions(self, calls: list[Call], *, spiking: bool) -> int:
        """How many of the calls of a row, or of their steps, an analog network does once."""
        if self.steps == 1:
            return 1
        if self.multi_step and (spiking or self._timed(calls)):
            return self.steps
        if (ticked := self._ticked(calls)) > 1 or (self.ticks and not self.multi_step):
            return ticked
        each = len(calls) / self.inferences
        if not self.multi_step:
            return max(1, min(round(each), self.steps))
        return self.steps if each >= self.steps else 1

    def by_calls(self, calls: list[Call]) -> bool:
        """Whether each time step of a row is a call of its own."""
        if not self.multi_step:
            return True
        return len(calls) / self.inferences >= self.steps and not self._timed(calls)

    def guessed(self, calls: list[Call], *, spiking: bool) -> bool:
        """Whether the calls of a row are taken for time steps because they are as many."""
        if not self.multi_step or self.steps == 1 or spiking:
            return False
        return self.by_calls(calls) and self._ticked(calls) == 1 and not _parts(calls, self.steps)

    def _ticked(self, calls: list[Call]) -> int:
        """The time steps in which a row was called, by the clock; what is outside of all is one."""
        return len({call.tick // self.ticks % self.steps for call in calls}) if self.ticks else 1

    def _timed(self, calls: list[Call]) -> bool:
        return any(self._has_time(call.shape) for call in calls)

    def _has_time(self, shape: tuple[int, ...]) -> bool:
        """Whether a tensor holds all time steps: (T, batch, ...), or (T x batch, ...)."""
        if not shape or shape[0] in self.batches:
            return shape[:2] in [(self.steps, batch) for batch in self.batches]
        rows = [self.steps * batch for batch in self.batches]
        return shape[0] == self.steps or any(shape[0] % n == 0 for n in rows)


def _parts(calls: list[Call], steps: int) -> bool:
    """Whether a row took one tensor after the other of as many as there are steps."""
    return {call.part for call in calls} == {(at, steps) for at in range(steps)}


def one_step_each(traces: Mapping[str, Trace], given: int) -> bool:
    """Whether one call of the network was one time step, so that it has to be called again.

    Raises:
        NetworkError: If neurons return their state, which nobody would give back to them.
    """
    once = bool(traces) and all(
        trace.calls == trace.each
        and not trace.multi_step
        and not (trace.multi_step is None and trace.first == given)
        and not (trace.unclear and trace.calls % given == 0)
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


def time_of(traces: Mapping[str, Trace], entered: Trace, given: int | None, clock: str) -> Time:
    """The time steps that all neurons agree on.

    Args:
        traces: The neuron layers that ran, by name.
        entered: The calls of the network itself.
        given: The number of time steps, where somebody said it.
        clock: The neurons whose calls were ticks, if there were any.

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
    inferences = min(
        trace.runs(steps, multi=_is_multi(trace, steps, passes)) for trace in traces.values()
    )
    # Of neurons that are used several times in a step, each use has all samples.
    each = some.calls if multi else some.calls // steps
    samples = sum(size * calls for size, calls in batches.items())
    samples = samples * inferences // (each * (1 if multi else steps))
    ticks = _ticks(traces.get(clock), inferences * steps, multi)
    return Time(steps, inferences, tuple(batches), samples, bool(multi), ticks)


def _ticks(clock: Trace | None, steps: int, multi: Sequence[Trace]) -> int:
    """The calls of the clock in one step; 0 if it is none."""
    if clock is None or any(clock is trace for trace in multi) or clock.calls % steps:
        return 0
    return clock.calls // steps


def _steps(name: str, trace: Trace, passes: int, given: int | None) -> int | None:
    """The steps of one inference; None where nobody can tell."""
    if trace.multi_step:
        return trace.axis(name)
    trace.each_pass(name)
    each_pass = trace.calls // passes
    passed_on = trace.passed_on
    if passed_on is not None and (passed_on <= each_pass or each_pass == trace.each):
        return passed_on
    if given is not None and _may_be_axis(trace, given, passes):
        return given
    if trace.unclear:
        return given if given is not None and trace.calls % given == 0 else None
    calls = trace.calls // trace.each
    if calls == passes:
        if trace.multi_step is None and passes == 1:
            return None
        # Several inferences, of which each call is one step.
        return given if given is not None and passes % given == 0 else passes
    return max(1, calls // passes)


def _is_multi(trace: Trace, steps: int, passes: int) -> bool:
    return bool(trace.multi_step) or _may_be_axis(trace, steps, passes)


def _may_be_axis(trace: Trace, steps: int, passes: int) -> bool:
    """Whether neurons of which nobody said it took all steps at once."""
    firsts = {shape[:1] for shape in trace.shapes}
    unsure = trace.multi_step is None and trace.calls // trace.each == passes != steps
    return unsure and steps > 1 and firsts == {(steps,)}


def _with(trace: Trace, steps: int, passes: int) -> int:
    """The steps of neurons of which nobody can tell, if others took so many."""
    whole = trace.first == steps or (trace.unclear and trace.calls % steps == 0)
    return steps if whole else max(1, trace.calls // passes)


def _unsure(traces: Mapping[str, Trace]) -> int:
    for name, trace in traces.items():
        if trace.unclear:
            raise NetworkError(
                f"neurons '{name}' ran from {trace.each} places in the code, equally often, and "
                "nobody said whether these are time steps or layers that share them; give "
                "timesteps, or each layer neurons of its own"
            )
        if (first := trace.first) > 1:
            raise NetworkError(
                f"neurons '{name}' ran once, on an input whose first dimension is {first}, and "
                f"nobody said whether that is time; give timesteps={first} if it is, and "
                "timesteps=1 if it is not"
            )
    return 1
