"""Outputs that the system refuses: what is said, and what is left."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from builders import refused

from neurt.cli import main
from reports.kit.files import OutputError, prepare_directory, write_text

PLAN = "plan --model gpt2-nano --hw 45nm --seq-len 4 --pictures none --no-page --out out"


def fill_the_disk(patch: pytest.MonkeyPatch, after: int) -> None:
    # So many files find room.
    written = iter(range(after))

    def fsync(_: int) -> None:
        if next(written, None) is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    patch.setattr("reports.kit.files.os.fsync", fsync)


@pytest.mark.parametrize("after", [0, 3])
def test_a_disk_that_fills_leaves_what_says_that_it_is_unfinished(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], after: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        fill_the_disk(patch, after)
        assert main(PLAN.split()) == 1
        [said] = capsys.readouterr().err.splitlines()
        assert "cannot be written: No space left on device" in said
        assert ("; what 'out' holds is unfinished: give the command again" in said) == (after > 0)
    out = tmp_path / "out"
    assert len(list(out.iterdir()) if out.exists() else []) == after
    assert not (out / "run.json").exists()
    with pytest.MonkeyPatch.context() as patch:  # there is room again
        patch.chdir(tmp_path)
        assert main(PLAN.split()) == 0
    assert (out / "run.json").exists()


def test_a_link_to_nothing_is_called_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    link = Path("link")
    link.symlink_to("gone/away")
    why = "is a symbolic link to 'gone/away', which is not there"
    assert f"'link' cannot be written: it {why}" in refused(OutputError, prepare_directory, link)
    assert f"'link' {why}" in refused(OutputError, prepare_directory, link / "below")
    assert f"it {why}" in refused(OutputError, write_text, link, "text")
    assert not Path("gone").exists()


def test_a_file_in_the_way_is_called_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    taken = Path("taken")
    taken.write_text("a file", encoding="utf-8")
    for directory, called in ((taken, "it"), (taken / "below", "'taken'")):
        said = refused(OutputError, prepare_directory, directory)
        assert f"cannot be written: {called} is a file; choose another --out" in said


def test_no_force_is_offered_where_a_directory_has_the_name_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "energy.csv").mkdir()
    (tmp_path / "counts.csv").write_text("layer,mac\na,5\n", encoding="utf-8")
    for force in ([], ["--force"]):
        assert main(["price", "counts.csv", "--hw", "45nm", *force]) == 1
        [said] = capsys.readouterr().err.splitlines()
        assert "energy.csv' is a directory, and must be a regular file" in said
