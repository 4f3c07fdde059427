from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from energy import Label
from hwmodels import Dataflow
from hwmodels.errors import Caution
from hwmodels.ops import IN_BYTES
from reports import Run, write_report
from reports.read import read_run
from reports.run.record import RunError
from reports.run.run import Phase, merged
from reports.run.steps import StepCount
from reports.run.summary import counted, sha256, summary

Directory = Callable[[Run], Path]


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    # What is read of a report, without its pictures.
    def write(run: Run) -> Path:
        for name, text in counted(run).items():
            (tmp_path / name).write_text(text, encoding="utf-8", newline="\n")
        (tmp_path / "run.json").write_text(json.dumps(summary(run)), encoding="utf-8")
        return tmp_path

    return write


def of_a_request(run: Run) -> Run:
    sides = [(run.asa, run.ssa)]
    sides.append(tuple(replace(x, phase="decode@5-7", tokens=3) for x in sides[0]))
    request = (Phase("prefill", *sides[0]), Phase("decode", *sides[1], generated=3))
    asa, ssa = (merged(pair, "request 4+4") for pair in zip(*sides, strict=True))
    return replace(run, asa=asa, ssa=ssa, request=request)


def with_steps(run: Run) -> Run:
    label = Label("attention", "neuron", 0)
    return replace(run, steps=tuple(StepCount("h.0.n", label, t, t, 9) for t in range(4)))


def edit(path: Path, change: Callable[[Any], None]) -> None:
    found = json.loads(path.read_text(encoding="utf-8"))
    change(found)
    path.write_text(json.dumps(found), encoding="utf-8")


@pytest.mark.parametrize(
    "change",
    [
        lambda run: run,
        of_a_request,
        with_steps,
        lambda run: replace(run, dataflow=Dataflow.STEPWISE),
        lambda run: replace(of_a_request(run), latency_s={"asa": 1.5, "ssa": 2.0}),
    ],
    ids=["one phase", "request", "steps", "dataflow", "latency"],
)
def test_a_run_is_read_back_as_it_was(
    run: Run, directory: Directory, change: Callable[[Run], Run]
) -> None:
    written = change(run)
    back = read_run(directory(written))
    # A missing operation and a zero of it are the same count.
    assert counted(back) == counted(written)
    assert summary(back) == summary(written)
    assert [phase.generated for phase in back.phases] == [x.generated for x in written.phases]
    assert back.estimates.keys() == written.estimates.keys()
    assert (back.title, back.subtitle) == (written.title, written.subtitle)
    again = read_run(directory(back))
    assert again == back


def test_the_report_made_again_has_the_same_bytes(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    first = write_report(of_a_request(make_run("45nm", command="plan")), tmp_path / "first")
    again = write_report(read_run(tmp_path / "first"), tmp_path / "again")
    assert [path.name for path in again] == [path.name for path in first]
    for one, other in zip(first, again, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


def test_the_order_of_the_hardware_is_kept(
    make_run: Callable[..., Run], directory: Directory
) -> None:
    back = read_run(directory(make_run("loihi", "45nm")))
    assert [profile.name for profile in back.profiles] == ["loihi", "45nm"]


def test_counts_edited_by_hand_are_named(run: Run, directory: Directory) -> None:
    path = directory(run) / "counts.csv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    column = lines[0].split(",").index("ac")
    at = next(i for i, line in enumerate(lines) if line.startswith("ssa") and "scores" in line)
    cells = lines[at].split(",")
    cells[column] = str(int(cells[column]) + 1)
    lines[at] = ",".join(cells)
    path.write_text("".join(lines), encoding="utf-8", newline="\n")
    total = sum(layer.ops["ac"] for layer in run.ssa.layers)
    says = rf"ac of ssa, prefill, is {total + 1} in counts.csv but {total} in run.json"
    with pytest.raises(RunError, match=says):
        read_run(path.parent)


def test_counts_that_add_up_but_were_edited_are_found(run: Run, directory: Directory) -> None:
    path = directory(run) / "counts.csv"
    text = path.read_text(encoding="utf-8").replace("h.0.ln_1", "h.0.moved")
    path.write_text(text, encoding="utf-8", newline="\n")
    with pytest.raises(RunError, match=r"though its totals are \(SHA-256 differs\)"):
        read_run(path.parent)


def test_totals_edited_in_run_json_are_found(run: Run, directory: Directory) -> None:
    out = directory(run)
    edit(out / "run.json", lambda found: found["counts"]["asa"].update(mac=7))
    with pytest.raises(RunError, match=r"mac of asa, prefill, is \d+ in counts.csv but 7"):
        read_run(out)


def test_a_price_edited_in_run_json_is_found(run: Run, directory: Directory) -> None:
    out = directory(run)
    prices = ("hardware", "45nm", "profile", "prices", "mac")

    def dearer(found: Any) -> None:
        for key in prices:
            found = found[key]
        found["pj"] = 9.2

    edit(out / "run.json", dearer)
    with pytest.raises(RunError) as caught:
        read_run(out)
    assert "asa_pj of the attention block (compute) on 45nm" in str(caught.value)
    assert "it was edited, or neurt-energy 0.1.0 priced otherwise" in str(caught.value)


def test_the_totals_of_a_whole_request_are_checked_too(run: Run, directory: Directory) -> None:
    out = directory(of_a_request(run))
    edit(out / "run.json", lambda found: found["counts"]["ssa"].update(ac=7))
    with pytest.raises(RunError, match=r"ac of ssa, request 4\+4, is \d+ in counts.csv but 7"):
        read_run(out)


@pytest.mark.parametrize("name", ["counts.csv", "run.json", "steps.csv"])
def test_a_missing_file_is_named(run: Run, directory: Directory, name: str) -> None:
    out = directory(with_steps(run))
    (out / name).unlink()
    with pytest.raises(RunError, match=f"has no {name}; give a directory"):
        read_run(out)


@pytest.mark.parametrize(
    ("name", "keep", "says"),
    [
        ("run.json", 0.5, r"run.json is cut short or no valid JSON \(line 1, column \d+: "),
        ("run.json", 0.0, "run.json is cut short or no valid JSON"),
        ("counts.csv", 0.2, "counts.csv is cut short or was edited: "),
        ("counts.csv", 0.0, "the header is: empty"),
        ("steps.csv", 0.5, r"steps.csv is not the file that run.json describes"),
    ],
)
def test_a_file_cut_short_is_found(
    run: Run, directory: Directory, name: str, keep: float, says: str
) -> None:
    out = directory(with_steps(run))
    data = (out / name).read_bytes()
    (out / name).write_bytes(data[: int(keep * len(data))])
    with pytest.raises(RunError, match=says) as caught:
        read_run(out)
    assert str(caught.value).startswith(f"run '{out}'")


def test_rows_cut_at_the_end_of_a_line_are_found(run: Run, directory: Directory) -> None:
    path = directory(run) / "counts.csv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    for keep, says in (
        (-1, "in counts.csv but"),
        (4, "counts.csv has no rows of ssa, prefill|but"),
    ):
        path.write_text("".join(lines[:keep]), encoding="utf-8", newline="\n")
        with pytest.raises(RunError, match=says):
            read_run(path.parent)


def test_steps_that_are_no_table_are_found(run: Run, directory: Directory) -> None:
    out = directory(with_steps(run))
    (out / "steps.csv").write_text("a\n", encoding="utf-8")
    edit(out / "run.json", lambda found: found["sha256"].update({"steps.csv": sha256(b"a\n")}))
    with pytest.raises(RunError, match="spikes per time step"):
        read_run(out)


def test_phases_of_different_models_are_refused(run: Run, directory: Directory) -> None:
    whole = of_a_request(run)
    first, second = whole.request
    shorter = replace(second.asa, layers=second.asa.layers[:-1])
    out = directory(replace(whole, request=(first, replace(second, asa=first.asa))))
    for name, text in counted(
        replace(whole, request=(first, replace(second, asa=shorter)))
    ).items():
        (out / name).write_text(text, encoding="utf-8", newline="\n")
    with pytest.raises(RunError, match=f"run '{out}'"):
        read_run(out)


def test_what_is_no_directory_is_named(run: Run, directory: Directory, tmp_path: Path) -> None:
    for path in (tmp_path / "absent", directory(run) / "run.json"):
        with pytest.raises(RunError, match=r"is no directory; give one that `neurt-energy"):
            read_run(path)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (
            lambda found: found.update(model="gpt2-xl"),
            "the model of counts.csv is tiny but gpt2-xl",
        ),
        (lambda found: found.update(weights="pretrained"), "the weights of counts.csv is random"),
        (lambda found: found["settings"].update(timesteps=8), "the time steps of counts.csv is 4"),
    ],
)
def test_a_record_that_speaks_of_another_run_is_refused(
    run: Run, tmp_path: Path, change: Callable[[dict[str, Any]], None], named: str
) -> None:
    write_report(run, tmp_path)
    path = tmp_path / "run.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    change(found)
    path.write_text(json.dumps(found), encoding="utf-8")
    with pytest.raises(RunError, match=named):
        read_run(tmp_path)


def test_a_column_that_is_not_used_is_a_caution(run: Run, directory: Directory) -> None:
    path = directory(run) / "counts.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",exp,", ",exq,", 1), encoding="utf-8")
    with pytest.warns(Caution, match="not used: exq"), pytest.raises(RunError):
        read_run(path.parent)


def test_counts_that_lost_the_width_of_values_are_no_run(run: Run, directory: Directory) -> None:
    out = directory(run)
    path, record = out / "counts.csv", out / "run.json"
    # Version 0.1 counted bytes, and beside them the width of a value.
    header, _, rows = path.read_text(encoding="utf-8").partition("\n")
    for name, op in IN_BYTES.items():
        if not op.moves_spikes:
            header = header.replace(op.value, name)
    path.write_text(f"{header}\n{rows}", encoding="utf-8")
    content = json.loads(record.read_text(encoding="utf-8"))
    content["sha256"]["counts.csv"] = hashlib.sha256(path.read_bytes()).hexdigest()
    record.write_text(json.dumps(content), encoding="utf-8")
    said = pytest.raises(RunError, match="moves bytes without 'value_bytes', which a run never")
    with pytest.warns(Caution, match="without .value_bytes."), said:
        read_run(out)
