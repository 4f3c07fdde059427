from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reports import Run
from reports.run.record import RunError, is_changed, read_record
from reports.run.summary import FORMAT, summary


@pytest.fixture
def changed(run: Run, tmp_path: Path) -> Callable[[Callable[[Any], Any]], Path]:
    def write(change: Callable[[Any], Any]) -> Path:
        found = json.loads(json.dumps(summary(run)))
        found = change(found) or found
        (tmp_path / "run.json").write_text(json.dumps(found), encoding="utf-8")
        return tmp_path

    return write


def test_what_was_written_is_read(run: Run, changed: Any) -> None:
    record = read_record(changed(lambda _found: None))
    assert [entry.profile for entry in record.hardware.values()] == list(run.profiles)
    assert record.settings == run.settings
    assert record.counts["ssa"].uncounted == {"add": 5, "mean": 2}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda found: found.pop("format") and None, "says no format: it is of a version before"),
        (
            lambda found: found.update(format=1),
            f"format 1, but this version reads 2 and {FORMAT}; run",
        ),
        (lambda found: found.update(format=99), "format 99, but .*install a newer neurt-energy"),
        (lambda found: found.update(format="x"), "format x, but"),
        (lambda _found: [1], "says no format"),
        (lambda found: found.pop("settings") and None, "field 'settings': Field required"),
        (lambda found: found.update(hardware={}), "field 'hardware': "),
        (
            lambda found: found["settings"].update(
                widths_used={"45nm": {"kv": {"bits": [32, []], "from": "profile"}}}
            ),
            r"field 'settings\.45nm\.kv\.bits\.1': Input should be a valid number",
        ),
        (lambda found: found.update(dataflow="sideways"), "field 'dataflow': Input should be"),
        (lambda found: found["counts"].pop("ssa") and None, "has counts of asa; a run has asa"),
        (lambda found: found.update(counts={}), "has counts of nothing"),
        (
            lambda found: found.update(command="evaluate"),
            "is that of `neurt-energy evaluate`; give",
        ),
        (lambda found: found.update(command="plan"), "settings: 'plan' is of an assumed spike"),
        (
            lambda found: found.update(hardware={"mine": found["hardware"]["45nm"]}),
            "hardware 'mine' holds the profile '45nm'",
        ),
        (
            lambda found: found["hardware"]["45nm"]["profile"]["prices"]["mac"].update(pj=-1),
            "field 'hardware.45nm.profile.prices.mac.pj': must be 0, or from",
        ),
    ],
)
def test_a_record_that_is_no_record_is_explained(
    changed: Any, change: Callable[[Any], Any], says: str
) -> None:
    with pytest.raises(RunError, match=says) as caught:
        # A change that returns what it took out has still changed the record in place.
        read_record(
            changed(lambda found: result if isinstance(result := change(found), list) else None)
        )
    assert "run.json" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "data", [b"\xff\xfe\xfa", b'{"format": ' + b"9" * 5000 + b"}", b"[" * 99999]
)
def test_what_is_no_text_or_no_number_is_explained(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "run.json").write_bytes(data)
    with pytest.raises(
        RunError, match=r"run.json is (no valid JSON|nested deeper than 100).*; run the"
    ):
        read_record(tmp_path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "run.json").mkdir()
    with pytest.raises(RunError, match=r"run.json is a directory, and must be a"):
        read_record(tmp_path)


def test_a_file_is_changed_if_a_byte_is(changed: Any) -> None:
    out = changed(lambda found: found["sha256"].update({"x": "0"}))
    (out / "x").write_bytes(b"")
    assert is_changed(out, "x", read_record(out))
