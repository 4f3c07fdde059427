from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import torch
from builders import refused

from neurt.streaming.state import StreamState, window
from reports.kit.files import OutputError


def test_a_step_is_finished_or_was_never_taken(tmp_path: Path) -> None:
    state = StreamState(tmp_path / "state", {"model": "a"})
    with state.step("first") as step:
        step.put(window(0), hidden=torch.arange(6).view(2, 3).T)
        step.facts["sums"] = [1, 2.5]
    with suppress(KeyboardInterrupt), state.step("second") as step:
        step.put(window(0), hidden=torch.ones(1))
        raise KeyboardInterrupt
    again = StreamState(tmp_path / "state", {"model": "a"})
    assert (again.has("first"), again.has("second"), again.dropped) == (True, False, False)
    assert again.get("first", window(0))["hidden"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert again.facts("first") == {"sums": [1, 2.5]}
    with again.step("second"):
        pass
    again.forget("first")
    assert again.has("first")
    assert not [*(tmp_path / "state" / "first").glob("*.safetensors")]
    again.remove()
    assert not (tmp_path / "state").exists()


def test_steps_of_another_request_are_dropped(tmp_path: Path) -> None:
    with StreamState(tmp_path / "state", {"model": "a"}).step("first"):
        pass
    other = StreamState(tmp_path / "state", {"model": "b"})
    assert (other.has("first"), other.dropped) == (False, True)


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot be" in refused(OutputError, StreamState, tmp_path / "file" / "state", {})
