"""What may be asked of a Ray cluster by commands that work on many points. No torch."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from neurt.requests.base import Count, Flag, Request, RequestError


class Clustered(Request):
    """Where points are worked on, and what of a machine each has; no record keeps that."""

    group: ClassVar[str] = "cluster"

    ray: Annotated[str | None, Field(exclude=True), Flag("ADDRESS")] = None
    """run on a Ray cluster whose machines see the same files; `local` starts one here"""
    cpus_per_point: Annotated[Count, Field(exclude=True)] = 1
    """cores that a point has on the cluster, and threads that it runs"""
    gpus_per_point: Annotated[
        float, Field(ge=0, le=1024, allow_inf_nan=False, exclude=True), Flag("N", "none")
    ] = 0.0
    """GPUs that a point has on the cluster; below 1, points share one"""

    def idle(self) -> dict[str, str]:
        """See `Request.idle`."""
        found = super().idle()
        if self.ray is None:
            found |= dict.fromkeys(
                ("cpus_per_point", "gpus_per_point"),
                "it is asked of a cluster, and points run in processes here; give --ray",
            )
        elif getattr(self, "device", "auto") == "cpu":
            found["gpus_per_point"] = "points run on --device cpu; leave that out"
        return found

    def check(self) -> None:
        """See `Request.check`."""
        super().check()
        device: str = getattr(self, "device", "auto")
        if self.ray is not None and ":" in device:
            raise RequestError(
                f"--device {device} is one accelerator, and on a Ray cluster each point has its "
                f"own; give --device {device.partition(':')[0]} and --gpus-per-point"
            )
        if self.gpus_per_point > 1 and self.gpus_per_point % 1:
            raise RequestError(
                f"--gpus-per-point (= {self.gpus_per_point:g}) must be a whole number, or a share "
                "below 1 of a GPU that points have together"
            )
