"""What a bill is asked for: of another kind than was meant, it is refused in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

from energy.counts import Counts
from hwmodels import Dataflow, HardwareProfile
from hwmodels.given import ChoiceError, check_kind, chosen

_PROFILE = "`hwmodels.load_profile` makes one of a name or a file"
_COUNTS = "`run.asa` and `run.ssa` of a run are some, as is what `energy.count_pass` returns"


def checked(
    counts: object, profile: object, dataflow: object = None, latency_s: float | None = None
) -> Dataflow | None:
    """The dataflow that was asked for, also by its word.

    Raises:
        KindError: If something else than counts, a profile or a number of seconds is given.
        ChoiceError: If there is no such dataflow, or the seconds are negative.
    """
    check_kind("counts", counts, Counts, _COUNTS)
    check_kind("profile", profile, HardwareProfile, _PROFILE)
    if latency_s is not None:
        check_kind("latency_s", latency_s, (float, int))
        if not latency_s >= 0:
            raise ChoiceError(f"`latency_s` (= {latency_s}) must be at least 0 seconds")
    return None if dataflow is None else chosen("dataflow", dataflow, Dataflow)


def check_phases(phases: object) -> None:
    """Make sure that there is a phase, and a list of them; errors as those of `checked`."""
    check_kind("phases", phases, Sequence, f"give a list of counts: {_COUNTS}")
    if not phases:
        raise ChoiceError("`phases` is empty; a bill needs the counts of at least one phase")
