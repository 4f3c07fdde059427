from __future__ import annotations

import pytest
from builders import refused

from neurt.requests.base import RequestError
from neurt.requests.reproduce import ReproduceRequest


def test_gpus_are_whole_or_shares_of_one() -> None:
    for number in (0, 0.25, 1, 8):
        ReproduceRequest(ray="local", gpus_per_point=number).check()
    assert refused(RequestError, ReproduceRequest(ray="local", gpus_per_point=1.5).check) == (
        "--gpus-per-point (= 1.5) must be a whole number, or a share below 1 of a GPU that points "
        "have together"
    )


def test_a_device_by_its_number_is_no_machines_own() -> None:
    assert refused(RequestError, ReproduceRequest(ray="local", device="cuda:1").check) == (
        "--device cuda:1 is one accelerator, and on a Ray cluster each point has its own; give "
        "--device cuda and --gpus-per-point"
    )
    ReproduceRequest(device="cuda:1").check()


@pytest.mark.parametrize(
    ("how", "idle"),
    [
        ({}, {"cpus_per_point", "gpus_per_point"}),
        ({"ray": "local"}, {"jobs", "memory_gib"}),
        ({"ray": "local", "device": "cpu"}, {"jobs", "memory_gib", "gpus_per_point"}),
    ],
)
def test_resources_are_asked_of_a_cluster_alone(how: dict[str, str], idle: set[str]) -> None:
    assert {*ReproduceRequest(**how).idle()} - {"head_threshold"} == idle
