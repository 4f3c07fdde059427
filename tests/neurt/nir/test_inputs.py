"""Random spikes of a rate, and recorded events from files that may be broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from energy.counts import Levels
from neurt.nir.graph import NIRError
from neurt.nir.inputs import levels_of, random_spikes, read_events

SHAPES = {"input": (2, 3)}


def test_random_spikes_have_their_rate_and_their_seed() -> None:
    spikes = random_spikes(SHAPES, timesteps=500, samples=4, rate=0.1, seed=3)["input"]
    assert spikes.shape == (500, 4, 2, 3)
    assert levels_of(spikes) is Levels.BINARY
    # 12,000 draws of p = 0.1: a standard deviation of sqrt(0.1 * 0.9 / 12000) = 0.0027
    assert abs(float(spikes.mean()) - 0.1) < 5 * 0.0027
    again = random_spikes(SHAPES, timesteps=500, samples=4, rate=0.1, seed=3)["input"]
    assert torch.equal(spikes, again)
    other = random_spikes(SHAPES, timesteps=500, samples=4, rate=0.1, seed=4)["input"]
    assert not torch.equal(spikes, other)


@pytest.mark.parametrize(("rate", "spikes"), [(0, 0), (1, 60)])
def test_the_ends_of_the_rate(rate: float, spikes: int) -> None:
    found = random_spikes(SHAPES, timesteps=10, rate=rate)["input"]  # 10 * 2 * 3 slots
    assert found.count_nonzero() == spikes


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_a_rate_is_a_probability(rate: float) -> None:
    with pytest.raises(NIRError, match="it is spikes per time step, 0 to 1"):
        random_spikes(SHAPES, rate=rate)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float16, np.float64])
def test_events_are_read_as_they_were_saved(tmp_path: Path, dtype: Any) -> None:
    path = tmp_path / "events.npy"
    whole = np.random.default_rng(0).random((7, 5, 2, 3)) < 0.5
    np.save(path, whole.astype(dtype))
    assert np.array_equal(read_events(path, SHAPES)["input"].numpy(), whole)
    np.save(path, whole[:, 0].astype(dtype))  # of one sample
    assert np.array_equal(read_events(path, SHAPES, timesteps=7)["input"].numpy(), whole[:, :1])


def test_what_an_input_holds_is_looked_at() -> None:
    assert levels_of(torch.tensor([0.0, 1.0])) is Levels.BINARY
    assert levels_of(torch.tensor([0.0, -1.0])) is Levels.TERNARY
    assert levels_of(torch.tensor([0.0, 0.5])) is Levels.ANALOG


def refused(path: Path, sentence: str, shapes: Any = SHAPES, **how: Any) -> None:
    with pytest.raises(NIRError, match=sentence) as caught:
        read_events(path, shapes, **how)
    assert "\n" not in str(caught.value)


def test_files_that_hold_no_events_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "events.npy"
    refused(path, "does not exist")
    path.write_bytes(b"no array")
    refused(path, "cut short, or no .npy file")
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)  # nothing is unpickled
    refused(path, "cut short, or no .npy file of numbers")
    np.save(path, np.array(["a", "b"]))
    refused(path, "holds '<U1', and must hold numbers")
    np.save(path, np.full((4, 2, 3), np.nan))
    refused(path, "not finite")
    np.save(path, np.full((4, 2, 3), 1e300))  # more than single precision holds
    refused(path, "not finite")
    head = b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f8', 'fortran_order': False, 'shape': (4,\n"
    path.write_bytes(head.ljust(128))
    refused(path, "cut short")
    np.save(path, np.ones((4, 2, 3)))
    path.write_bytes(path.read_bytes()[:-8])
    refused(path, "cut short")


@pytest.mark.parametrize("shape", [(4, 3, 2), (4, 6), (2, 3), (4, 1, 1, 2, 3), (0, 2, 3)])
def test_events_of_another_shape_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "events.npy", np.ones(shape))
    refused(tmp_path / "events.npy", r"it must be \(time steps, 2, 3\), or")


def test_events_that_ask_for_something_else_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "events.npy"
    np.save(path, np.ones((4, 2, 3)))
    refused(path, "has 4 time steps, and --timesteps says 5", timesteps=5)
    # 4 * 2 * 3 values of 4 bytes
    refused(path, "takes 96 bytes in single precision, and 95 bytes", limit_bytes=95)
    refused(path, r"the network has 2 \(a, b\); use --input-rate", {"a": (3,), "b": (3,)})
