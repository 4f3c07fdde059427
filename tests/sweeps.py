"""What tests of a sweep share: a sweep to ask for, and what stands in for an evaluation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from neurt.requests.evaluate import EvaluateRequest
from neurt.requests.sweep import SweepRequest
from reports.quality.sweep import MEASURED

Ask = Callable[..., SweepRequest]


@dataclasses.dataclass
class Evaluations:
    """Stands in for the evaluation of a point, and keeps which ones it was asked for."""

    done: list[EvaluateRequest] = dataclasses.field(default_factory=list)
    fails: Callable[[EvaluateRequest], object] = lambda _: None

    def __call__(self, point: EvaluateRequest, _threads: int | None, _progress: Any) -> Any:
        why = self.fails(point)
        if isinstance(why, BaseException):
            raise why
        if why:
            return why
        self.done.append(point)
        row = dict.fromkeys(MEASURED, 0.5)
        how = {"timesteps": point.spiking.timesteps, "code": point.spiking.code}
        return [row | how | {"hw": hw} for hw in point.hw]


def order(points: Any) -> list[tuple[str, int]]:
    return [(str(p["code"]), p["timesteps"]) for p in points]


GRID = [("sar", 1), ("sar", 2), ("pow2", 1), ("pow2", 2)]
