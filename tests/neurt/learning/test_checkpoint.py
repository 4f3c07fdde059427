from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from builders import refused
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError
from safetensors.torch import save_file

from neurt.learning import checkpoint
from neurt.learning.checkpoint import (
    CHECKPOINT,
    MODEL,
    CheckpointError,
    check_unused,
    load_checkpoint,
    save_checkpoint,
)
from reports.kit.files import OutputError

FINGERPRINT = {"stage": "one", "steps": "10", "sha256 of the token ids": "abc"}
TENSORS = {
    "parameter/a.b": torch.tensor([[1.5, -2.0], [0.1, 3e-8]]),
    "step/a.b": torch.tensor(7.0),
    "exp_avg/a.b": torch.tensor([[0.25, 0.5]]).half(),
}


def save(directory: Path, step: int = 4) -> Path:
    return save_checkpoint(directory, step, FINGERPRINT, TENSORS)


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    assert save(tmp_path) == tmp_path / CHECKPOINT
    step, tensors, *_ = load_checkpoint(tmp_path, FINGERPRINT)
    assert step == 4
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype
        assert torch.equal(tensors[name], tensor)


def test_a_tensor_that_is_not_contiguous_is_saved(tmp_path: Path) -> None:
    turned = torch.arange(6.0).view(2, 3).T
    save_checkpoint(tmp_path, 1, FINGERPRINT, {"a": turned})
    assert torch.equal(load_checkpoint(tmp_path, FINGERPRINT)[1]["a"], turned)


def test_a_later_one_takes_its_place_and_leaves_nothing_else(tmp_path: Path) -> None:
    save(tmp_path, 4)
    save(tmp_path, 8)
    assert load_checkpoint(tmp_path, FINGERPRINT)[0] == 8
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]


def test_one_that_cannot_be_written_leaves_the_older(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path)

    def full(*_: object) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(checkpoint, "save_file", full)
    assert refused(OutputError, save, tmp_path, 8) == (
        f"'{tmp_path / CHECKPOINT}' cannot be written: I/O error: No space left on device "
        "(os error 28)"
    )
    assert load_checkpoint(tmp_path, FINGERPRINT)[0] == 4
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]


def test_there_is_nothing_to_resume(tmp_path: Path) -> None:
    assert refused(CheckpointError, load_checkpoint, tmp_path, FINGERPRINT) == (
        f"nothing to resume in '{tmp_path}': no {CHECKPOINT}; leave out --resume"
    )


def test_a_finished_training_is_not_resumed(tmp_path: Path) -> None:
    (tmp_path / MODEL).touch()
    assert refused(CheckpointError, load_checkpoint, tmp_path, FINGERPRINT) == (
        f"nothing to resume in '{tmp_path}': the training there is finished ({MODEL}); choose "
        "another --out to train again"
    )


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path: Path, share: float) -> None:
    path = save(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    said = refused(CheckpointError, load_checkpoint, tmp_path, FINGERPRINT)
    assert said.startswith(f"checkpoint '{path}' is truncated or damaged (")
    assert said.endswith("); delete it and start again without --resume")


@settings(max_examples=200)
@given(st.data())
def test_a_file_with_another_byte_anywhere_is_refused_in_one_line(data: st.DataObject) -> None:
    with TemporaryDirectory() as directory:
        path = save(Path(directory))
        content = bytearray(path.read_bytes())
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
        said = refused(CheckpointError, load_checkpoint, Path(directory), FINGERPRINT)
        assert len(said) <= 300 + len(str(path))
        assert "\n" not in said


def test_another_version_is_refused(tmp_path: Path) -> None:
    metadata = {
        "format": "neurt-energy checkpoint",
        "version": "2",
        "stage": "one",
        "step": "4",
        "fingerprint": json.dumps(FINGERPRINT),
    }
    path = tmp_path / CHECKPOINT
    save_file(TENSORS, path, metadata=metadata)
    assert refused(CheckpointError, load_checkpoint, tmp_path, FINGERPRINT) == (
        f"checkpoint '{path}' has version 2, this program reads version 4; continue it with the "
        "program that wrote it, or start anew in another --out"
    )


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_a_file_of_another_program_is_refused(
    tmp_path: Path, metadata: dict[str, str] | None
) -> None:
    save_file(TENSORS, tmp_path / CHECKPOINT, metadata=metadata)
    with pytest.raises(CheckpointError, match="is not a checkpoint of this program"):
        load_checkpoint(tmp_path, FINGERPRINT)


@pytest.mark.parametrize(
    ("asked", "difference"),
    [
        ({"stage": "two", "steps": "11"}, "stage = one, but now stage = two"),
        ({"steps": "11", "sha256 of the token ids": "x"}, "steps = 10, but now steps = 11"),
        ({"teacher": "x"}, "teacher = nothing, but now teacher = x"),
    ],
)
def test_the_first_difference_is_named(
    tmp_path: Path, asked: dict[str, str], difference: str
) -> None:
    path = save(tmp_path)
    assert refused(CheckpointError, load_checkpoint, tmp_path, FINGERPRINT | asked) == (
        f"checkpoint '{path}' was made with {difference}; resume with the old setting, or start "
        "anew in another --out"
    )


def test_an_unused_directory_is_fine(tmp_path: Path) -> None:
    check_unused(tmp_path)
    check_unused(tmp_path / "absent")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (CHECKPOINT, "holds an unfinished training (checkpoint.safetensors); continue it with "),
        (MODEL, "holds a model (model.safetensors); choose another --out"),
    ],
)
def test_a_used_directory_is_refused(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / name).touch()
    assert refused(CheckpointError, check_unused, tmp_path).startswith(f"'{tmp_path}' {said}")
