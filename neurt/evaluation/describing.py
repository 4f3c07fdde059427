"""From what was read to an evaluation, without any model; and which part of it is read by whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from neurt.evaluation.comparison import compared
from neurt.evaluation.read import Facts, Read
from neurt.loading.source import resolve
from neurt.measure.planning import now, versions
from neurt.measure.widths import stored_widths
from neurt.requests.evaluate import EvaluateRequest
from neurt.text.windows import QualityError, Window
from reports.quality.evaluation import Comparison, Evaluation


def described(request: EvaluateRequest, facts: Facts, read: Read | Comparison) -> Evaluation:
    """What was measured, priced on the hardware of a request."""
    if isinstance(read, Read):
        sums = read.sums, read.scores, read.counts
        read = compared(*sums, facts.baselines, facts.layers, facts.windows)
    stored = stored_widths(resolve(request.model), facts.weights, request.widths)
    found = replace(
        read,
        asa=replace(stored.rows(read.asa), model=facts.name, weights=facts.analog_weights),
        ssa=replace(stored.rows(read.ssa), model=facts.name, weights=facts.weights),
        baselines=tuple(replace(x, counts=stored.rows(x.counts)) for x in read.baselines),
    )
    machines = stored.machines(request.profiles())
    settings = request.model_dump(mode="json", exclude={"out", "model", "hw", "spiking"})
    window, stride, _ = facts.windows
    return Evaluation(
        found,
        facts.choices,
        facts.text,
        machines,
        settings
        | facts.ran
        | {"window": window, "stride": stride, "calibration": facts.calibration, **facts.aim}
        | {"widths_used": {it.name: stored.used(found.asa, it) for it in machines}},
        versions(),
        now(),
        request.dataflow,
        {
            (name, precision): stored.machine(it)
            for precision in ("int8", "fp16")
            for name, it in request.siblings(precision).items()
        },
    )


def share_of(parts: Sequence[list[Window]], number: int, of: int) -> Sequence[list[Window]]:
    """Batches of windows of one of so many parts, which are as alike as can be.

    Raises:
        QualityError: If there are fewer batches than parts.
    """
    if of > len(parts):
        raise QualityError(
            f"--windows-in-parallel (= {of}) is more than this text has batches of windows "
            f"({len(parts)}); lower it, or --batch, or raise --max-tokens"
        )
    return parts[number * len(parts) // of : (number + 1) * len(parts) // of]
