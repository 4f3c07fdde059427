from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from reports import Run
from reports.compare.row import Row, Rows, words


def row(run: Run) -> Row:
    [pair] = run.estimates.values()
    return Row("a", run, *pair)


def test_what_was_run_in_words() -> None:
    assert words({"model": "tiny", "T": "4", "tokens": "1,024", "code": ""}) == (
        "tiny, T = 4, 1,024 tokens"
    )


@pytest.mark.parametrize(
    ("command", "counts"), [("profile", "measured"), ("plan", "planned at spike rate 0.125")]
)
def test_a_row_says_whether_it_was_measured(
    make_run: Callable[..., Run], command: str, counts: str
) -> None:
    assert row(make_run("45nm", command=command)).about["counts"] == counts


def test_device_and_precision_are_told_where_they_differ(make_run: Callable[..., Run]) -> None:
    run = make_run("45nm")

    def on(device: str, dtype: str, **name: str) -> Run:
        settings = {**run.settings, "device": device, "dtype": dtype, **name}
        return replace(run, settings=settings)

    cpu, wide = on("cpu", "float32"), on("cuda:0", "float32", device_name="H100")
    narrow = on("cuda:0", "bfloat16", device_name="H100")
    rows = Rows({"a": cpu, "b": wide})
    assert [rows.differing(each) for each in rows.rows] == ["on cpu", "on H100"]
    assert "run in float32" in rows.same_text
    rows = Rows({"b": wide, "c": narrow})
    assert [rows.differing(each) for each in rows.rows] == ["run in float32", "run in bfloat16"]
    assert "on H100" in rows.same_text
    planned = Rows({"a": run, "b": run})
    assert "on " not in planned.same_text.replace("attention", "")


def test_energy_is_shared_by_the_tokens(make_run: Callable[..., Run]) -> None:
    run = make_run("45nm")
    assert row(run).per_token(8.0) == 2.0  # 4 tokens
    assert row(run).per_token(None) is None
    assert row(replace(run, asa=replace(run.asa, tokens=0))).per_token(8.0) is None


def test_a_part_without_a_price_has_no_interval(make_run: Callable[..., Run]) -> None:
    found = row(make_run("loihi")).parts
    assert found["compute", None].saving.saving is None
    assert found["compute", None].spread is None
