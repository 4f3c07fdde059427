from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neurt.grid.points
from neurt.closed_form.passes import prefill
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import Shape
from neurt.grid.measuring import Measurement
from neurt.grid.points import CountsStore, PointError, RowsStore, fingerprint, point_stem
from neurt.loading.source import resolve
from neurt.requests.passes import ProfileRequest
from neurt.spiking.config import SpikingConfig

TINY = Shape(layers=1, width=8, heads=2, inner=32, vocabulary=50, positions=16)


@pytest.fixture
def store(tmp_path: Path) -> CountsStore:
    return CountsStore(tmp_path)


def counts() -> Measurement:
    asa = plan_asa(TINY, prefill(4), model="tiny", weights="random(seed=0)")
    ssa = plan_ssa(TINY, prefill(4), SpikingConfig(), 0.2, model="tiny", weights="x")
    return Measurement(asa, ssa)


def ask(**changes: Any) -> ProfileRequest:
    return ProfileRequest(**{"model": "gpt2-nano", "hw": (), "out": Path("out")} | changes)


def test_what_is_written_is_found_and_read(store: CountsStore) -> None:
    assert store.get("tiny-T4-key") is None
    store.put("tiny-T4-key", counts())
    assert store.get("tiny-T4") is None  # no other run's name begins like it
    assert store.get("tiny-T4-key") == counts()


def test_a_second_write_is_the_same_file(store: CountsStore) -> None:
    first = store.put("tiny", counts())
    content = first.read_bytes()
    assert store.put("tiny", counts()) == first
    assert first.read_bytes() == content


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[: content.rindex(b"\n", 0, -1) + 1],  # a whole row less
        lambda content: content.replace(b"attention", b"ffn", 1),
        lambda _: b"",
    ],
    ids=["half", "row", "edited", "empty"],
)
def test_a_file_that_was_cut_or_edited_is_not_taken(
    store: CountsStore, damage: Callable[[bytes], bytes]
) -> None:
    path = store.put("tiny", counts())
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(PointError) as caught:
        store.get("tiny")
    assert str(caught.value) == (
        f"'{path}' was cut or edited since it was measured; delete it and run the same command "
        "again"
    )


def test_a_file_that_cannot_be_read_is_said(store: CountsStore, tmp_path: Path) -> None:
    path = tmp_path / "tiny.0123.csv"
    path.mkdir()
    with pytest.raises(PointError, match="is a directory, and must be a regular file"):
        store.get("tiny")


ROWS = [{"hw": "45nm", "loss": 1.5}, {"hw": "7nm", "loss": None}]


@settings(max_examples=100)
@given(st.data())
def test_rows_are_those_that_were_kept_or_are_not_taken(data: st.DataObject) -> None:
    with TemporaryDirectory() as directory:
        kept = RowsStore(Path(directory), ("hw", "loss"))
        path = kept.put("key", ROWS)
        assert kept.get("key") == ROWS
        content = bytearray(path.read_bytes())
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= data.draw(st.integers(1, 255))
        path.write_bytes(data.draw(st.sampled_from([bytes(content), bytes(content[:place])])))
        with pytest.raises(PointError, match="was cut or edited"):
            kept.get("key")


def test_a_pipe_in_the_place_of_a_point_is_said(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "key.0123.json")
    with pytest.raises(PointError, match="is a named pipe"):
        RowsStore(tmp_path, ()).get("key")


def test_a_text_that_is_too_large_is_not_read_to_its_end(tmp_path: Path) -> None:
    with (tmp_path / "large.txt").open("wb") as file:
        file.truncate(64 * 10**9)
    with pytest.raises(PointError, match=r"has 64,000,000,000 bytes, and at most 600,000,000 are"):
        fingerprint(resolve("gpt2-nano"), tmp_path / "large.txt")


def test_two_results_of_one_run_are_said(store: CountsStore) -> None:
    store.put("tiny", counts())
    store.put("tiny", counts()._replace(ssa=replace(counts().ssa, weights="others")))
    with pytest.raises(PointError, match="are results of the same run; delete one of them"):
        store.get("tiny")


def test_a_name_tells_the_run() -> None:
    name = point_stem(ask(attention="causal"), resolve("gpt2-nano"), "x")
    assert name.startswith("gpt2-nano-T4-softmax-pow2-causal-")


@pytest.mark.parametrize(
    "changes",
    [
        {"seq_len": 64},
        {"attention": "causal"},
        {"weights": "random"},
        {"seed": 1},
        {"batch": 2},
        {"spiking": SpikingConfig(timesteps=2)},
        {"spiking": SpikingConfig(threshold=2)},
    ],
    ids=str,
)
def test_whatever_is_asked_for_is_in_the_name(changes: dict[str, Any]) -> None:
    source = resolve("gpt2-nano")
    assert point_stem(ask(**changes), source, "x") != point_stem(ask(), source, "x")


@pytest.mark.parametrize(
    "changes", [{"hw": ("45nm",)}, {"out": Path("elsewhere")}, {"dataflow": "stepwise"}], ids=str
)
def test_what_decides_no_count_is_not_in_the_name(changes: dict[str, Any]) -> None:
    source = resolve("gpt2-nano")
    assert point_stem(ask(**changes), source, "x") == point_stem(ask(), source, "x")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    packaged = Path(str(files("neurt.assets") / "gpt2-nano"))
    return Path(shutil.copytree(packaged, tmp_path / "nano"))


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "heldout.txt"])
def test_a_model_that_changes_has_another_fingerprint(model: Path, name: str) -> None:
    before = fingerprint(resolve(str(model)), None)
    assert fingerprint(resolve(str(model)), None) == before
    path = model / name
    path.write_bytes(path.read_bytes() + b" ")
    assert fingerprint(resolve(str(model)), None) != before


def test_a_text_or_weights_that_come_have_another_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = tmp_path / "text.txt"
    source = resolve("gpt2-small")
    found = [fingerprint(source, None)]
    for content in ("A text.", "Another."):
        text.write_text(content, encoding="utf-8")
        found.append(fingerprint(source, text))
    monkeypatch.setattr(neurt.grid.points, "is_cached", lambda _: True)
    monkeypatch.setattr(neurt.grid.points, "cached_revision", lambda _: "607a30d783df")
    found.append(fingerprint(source, None))
    assert len(set(found)) == 4


def test_a_text_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(PointError) as caught:
        fingerprint(resolve("gpt2-small"), tmp_path / "no.txt")
    assert str(caught.value) == f"text '{tmp_path / 'no.txt'}' does not exist"


def test_each_text_of_the_user_decides(tmp_path: Path) -> None:
    text, own = tmp_path / "text.txt", tmp_path / "own.txt"
    text.write_text("A text.", encoding="utf-8")
    own.write_text("Another.", encoding="utf-8")
    source = resolve("gpt2-small")
    asked = [(None, None), (text, None), (text, own), (own, text), (own, None)]
    assert len({fingerprint(source, *texts) for texts in asked}) == len(asked)
    before = fingerprint(source, text, own)
    own.write_text("Changed.", encoding="utf-8")
    assert fingerprint(source, text, own) != before


@pytest.mark.parametrize("changes", [{"calibration_tokens": 99}, {"detokenise": True}], ids=str)
def test_what_is_calibrated_on_is_in_the_name(changes: dict[str, Any]) -> None:
    source = resolve("gpt2-nano")
    assert point_stem(ask(**changes), source, "x") != point_stem(ask(), source, "x")
