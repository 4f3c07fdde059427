from __future__ import annotations

import csv
import errno
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from energy import Label, LayerCount, Tally
from energy.counts.file import read_csv
from hwmodels import HardwareProfile, Op, load_profile
from reports import OutputError, Run, write_prices, write_report
from reports.kit import style
from reports.kit.caveats import NOT_MODELLED
from reports.kit.pictures import Pictures
from reports.run.run import Phase, merged
from reports.run.steps import StepCount
from reports.run.summary import FORMAT, counted, sha256, summary
from reports.views.tables import savings

PICTURES_45NM = [
    "layers_45nm.png",
    "layers_45nm.svg",
    "components_45nm.png",
    "components_45nm.svg",
]
PICTURES_LOIHI = [name.replace("45nm", "loihi") for name in PICTURES_45NM]
CSVS = ["counts.csv", "phases.csv", "layers.csv", "savings.csv", "baselines.csv", "blocks.csv"]
TABLES = [*CSVS, "summary.md"]
RATES = ["spike_rates.png", "spike_rates.svg"]
LAST = ["report.html", "sources.bib", "run.json"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Run], Path]:
    # One report serves every test that only reads: pictures take a second each.
    done: dict[str, Path] = {}

    def write(run: Run) -> Path:
        key = json.dumps(summary(run))
        if key not in done:
            done[key] = tmp_path_factory.mktemp("report")
            write_report(run, done[key])
        return done[key]

    return write


@pytest.mark.parametrize(
    ("hw", "names"),
    [
        (["45nm"], [*TABLES, *RATES, *PICTURES_45NM, *LAST]),
        (["45nm", "loihi"], [*TABLES, *RATES, *PICTURES_45NM, *PICTURES_LOIHI, *LAST]),
    ],
    ids=["one profile", "two profiles"],
)
@pytest.mark.usefixtures("sketched")
def test_the_files_of_a_report(
    make_run: Callable[..., Run], tmp_path: Path, hw: list[str], names: list[str]
) -> None:
    said: list[str] = []
    files = write_report(make_run(*hw), tmp_path, progress=said.append)
    assert [path.name for path in files] == names
    # No temporary file is left beside them.
    assert {path.name for path in tmp_path.iterdir()} == set(names)
    pictures = [f"{name}_{profile}" for profile in hw for name in ("layers", "components")]
    assert said == ["tables", *(f"picture {x}" for x in ["spike_rates", *pictures]), "page"]


@pytest.mark.parametrize(
    ("pictures", "suffixes"), [("none", set()), ("png", {".png"}), ("svg", {".svg"})]
)
@pytest.mark.usefixtures("sketched")
def test_only_the_pictures_and_the_page_that_are_asked_for(
    run: Run, tmp_path: Path, pictures: str, suffixes: set[str]
) -> None:
    files = write_report(run, tmp_path, pictures=Pictures(pictures), page=False)
    others = [path.name for path in files if path.suffix not in {".png", ".svg"}]
    assert others == [*TABLES, "sources.bib", "run.json"]
    assert {path.suffix for path in files} & {".png", ".svg", ".html"} == suffixes


def test_the_pictures_are_whole_png_and_svg(run: Run, written: Callable[[Run], Path]) -> None:
    out = written(run)
    for name in (*PICTURES_45NM, *PICTURES_LOIHI):
        data = (out / name).read_bytes()
        if name.endswith("png"):
            assert data.startswith(b"\x89PNG\r\n\x1a\n")
            assert data.endswith(b"IEND\xaeB`\x82")
        else:
            root = ElementTree.fromstring(data.decode("utf-8"))
            assert root.tag == "{http://www.w3.org/2000/svg}svg"


def test_the_svg_keeps_its_words_as_text(run: Run, written: Callable[[Run], Path]) -> None:
    root = ElementTree.fromstring((written(run) / "layers_45nm.svg").read_text(encoding="utf-8"))
    words = " ".join("".join(text.itertext()) for text in root.iter() if text.tag.endswith("text"))
    assert "tiny, weights random(seed=0), T = 4" in words
    assert "45 nm digital CMOS, FP32 (Horowitz 2014)" in words


def test_the_same_run_gives_the_same_bytes_in_every_file(
    run: Run, written: Callable[[Run], Path], tmp_path: Path
) -> None:
    first = written(run)
    for path in write_report(run, tmp_path):
        assert path.read_bytes() == (first / path.name).read_bytes(), path.name


def test_counts_csv_reads_back_as_what_was_counted(
    run: Run, written: Callable[[Run], Path]
) -> None:
    uncounted = [side.uncounted for side in (run.asa, run.ssa)]
    back = read_csv(written(run) / "counts.csv")
    assert [replace(c, uncounted=u) for c, u in zip(back, uncounted, strict=True)] == [
        # A missing operation and a zero of it are the same count.
        replace(
            side,
            layers=tuple(
                replace(
                    layer,
                    tally=layer.tally._replace(
                        ops={op: n for op, n in layer.tally.ops.items() if n}
                    ),
                )
                for layer in side.layers
            ),
        )
        for side in (run.asa, run.ssa)
    ]


def test_every_table_and_run_json_carry_the_weights_label(
    run: Run, written: Callable[[Run], Path], tmp_path: Path
) -> None:
    write_prices(
        [bill for pair in run.estimates.values() for bill in pair], tmp_path / "energy.csv"
    )
    tables = [*sorted(written(run).glob("*.csv")), tmp_path / "energy.csv"]
    assert [path.name for path in tables] == [*sorted(CSVS), "energy.csv"]
    for path in tables:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert {row["weights"] for row in rows} == {"random(seed=0)"}, path.name
    assert read_json(written(run))["weights"] == "random(seed=0)"


def read_json(out: Path) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    text = (out / "run.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return loaded


def test_the_phases_of_a_request_are_apart_in_counts_csv_and_whole_in_run_json(
    make_run: Callable[..., Run],
) -> None:
    run = make_run("45nm")
    later = tuple(replace(side, phase="decode@5", tokens=1) for side in (run.asa, run.ssa))
    request = (Phase("prefill", run.asa, run.ssa), Phase("decode", *later))
    whole = (merged(pair, "request 4+2") for pair in ((run.asa, later[0]), (run.ssa, later[1])))
    run = replace(run, asa=next(whole), ssa=next(whole), request=request)
    rows = list(csv.DictReader(io.StringIO(counted(run)["counts.csv"])))
    assert list(dict.fromkeys((row["phase"], row["variant"]) for row in rows)) == [
        ("prefill", "asa"),
        ("prefill", "ssa"),
        ("decode@5", "asa"),
        ("decode@5", "ssa"),
    ]
    found: dict[str, Any] = summary(run)  # type: ignore[assignment]
    assert found["counts"]["asa"]["tokens"] == 5
    assert [phase["counts"]["asa"]["tokens"] for phase in found["request"]] == [4, 1]


def test_run_json_has_a_format_and_the_hash_of_what_was_counted(
    run: Run, written: Callable[[Run], Path]
) -> None:
    found = read_json(written(run))
    data = (written(run) / "counts.csv").read_bytes()
    assert found["format"] == FORMAT
    assert found["sha256"] == {"counts.csv": sha256(data)}
    label = Label("attention", "neuron", 0)
    stepped = replace(run, steps=(StepCount("h.0.n", label, 0, 1, 2),))
    assert list(counted(stepped)) == ["counts.csv", "steps.csv"]


def test_run_json_says_what_was_run(run: Run, written: Callable[[Run], Path]) -> None:
    found = read_json(written(run))
    assert found["command"] == "profile"
    assert found["created"] == "2026-01-02T03:04:05+00:00"
    assert found["model"] == "tiny"
    assert found["settings"] == {"phase": "prefill", "seq_len": 4}
    assert found["versions"] == {"python": "3.11.9", "neurt-energy": "0.1.0"}


def test_run_json_holds_the_whole_profile_with_its_sources_and_assumptions(
    run: Run, written: Callable[[Run], Path]
) -> None:
    hardware = read_json(written(run))["hardware"]
    assert list(hardware) == ["45nm", "loihi"]
    for name, entry in hardware.items():
        profile = load_profile(name)
        assert HardwareProfile.model_validate(entry["profile"]) == profile
        assert entry["profile"]["assumptions"] == list(profile.assumptions)
    assert "Horowitz" in hardware["45nm"]["profile"]["prices"]["mac"]["source"]


def test_run_json_says_what_has_no_price_and_what_was_not_counted(
    run: Run, written: Callable[[Run], Path]
) -> None:
    found = read_json(written(run))
    assert found["counts"]["asa"]["uncounted"] == {"add": 5, "cumsum": 1}
    assert found["counts"]["ssa"]["uncounted"] == {"add": 5, "mean": 2}
    assert found["not_modelled"] == list(NOT_MODELLED)
    # LayerNorms: 5 x 4 rows, one root each. Softmax: 2 x 2 heads x 4 x 4; GELU: 2 x 4 x 32.
    assert found["hardware"]["45nm"]["unpriced"]["asa"] == {"exp": 64 + 256, "sqrt": 20}
    # Its spikes are paid for as memory traffic, and it has neither a softmax nor a GELU.
    assert found["hardware"]["45nm"]["unpriced"]["ssa"] == {"sqrt": 20}
    coverage = found["hardware"]["45nm"]["coverage"]
    assert 0.9 < coverage["asa"] < 1
    assert coverage["asa"] == run.estimates["45nm"][0].coverage


def test_run_json_holds_the_counts_under_the_names_of_the_operations(
    run: Run, written: Callable[[Run], Path]
) -> None:
    found = read_json(written(run))
    for side in (run.asa, run.ssa):
        entry = found["counts"][side.variant]
        assert {op.value: entry[op.value] for op in Op} == {op.value: side.total(op) for op in Op}
        assert entry["dense_macs"] == side.dense_macs
        assert entry["timesteps"] == side.timesteps
    assert found["operations"] == {op.value: op.definition for op in Op}


def test_run_json_and_savings_csv_agree(run: Run, written: Callable[[Run], Path]) -> None:
    frame = savings(run).to_frame().set_index(["hw", "block", "component", "accounting"])
    for hw, entry in read_json(written(run))["hardware"].items():
        for key, block in (("attention_block", "attention"), ("model", "total")):
            for accounting, found in entry[key].items():
                row = frame.loc[hw, block, "total", accounting]
                if hw == "loihi":
                    assert found["asa_pj"] is None
                    assert found["saving"] is None
                else:
                    assert (found["asa_pj"], found["ssa_pj"]) == (row.asa_pj, row.ssa_pj)
                    assert found["saving"] == row.saving
                assert " ".join(found["unpriced"]) == row.unpriced


def test_run_json_puts_the_published_range_beside_its_source(
    run: Run, written: Callable[[Run], Path]
) -> None:
    published = read_json(written(run))["published"]
    assert published["attention_block_saving"] == [0.6471, 0.8528]
    assert "arXiv 2510.00133" in published["source"]


def test_savings_csv_is_the_golden_file(
    run: Run, written: Callable[[Run], Path], golden: Callable[[str, str], None]
) -> None:
    golden("savings.csv", (written(run) / "savings.csv").read_bytes().decode("utf-8"))


def test_energy_csv_is_the_golden_file(
    run: Run, tmp_path: Path, golden: Callable[[str, str], None]
) -> None:
    bills = [bill for pair in run.estimates.values() for bill in pair]
    path = write_prices(bills, tmp_path / "energy.csv")
    assert [p.name for p in tmp_path.iterdir()] == ["energy.csv"]
    golden("energy.csv", path.read_bytes().decode("utf-8"))


ODD = [
    'a, "quoted" layer',
    "semi;colon",
    "two\nlines",
    "Schicht größer µ 层",
    "=1+1",
    " spaces around ",
    "[red]markup[/red]",
    "dollar $x$ \\alpha",
]


def test_layer_names_with_odd_characters_survive(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    run = make_run()
    odd = tuple(LayerCount(name, "X", calls=1, tally=Tally({Op.MAC: 1}, 1)) for name in ODD)
    run = replace(run, asa=replace(run.asa, layers=(*run.asa.layers, *odd)))
    write_report(run, tmp_path)
    [asa, _] = read_csv(tmp_path / "counts.csv")
    assert [layer.name for layer in asa.layers][-len(ODD) :] == ODD
    text = (tmp_path / "layers.csv").read_bytes().decode("utf-8")
    rows = csv.DictReader(io.StringIO(text, newline=""))
    # A spreadsheet would run what begins with "=".
    shown = [f"'{name}" if name.startswith("=") else name for name in ODD]
    assert [row["layer"] for row in rows if row["variant"] == "asa"][-len(ODD) :] == shown
    path = write_prices([run.estimates["45nm"][0]], tmp_path / "energy.csv")
    rows = csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8"), newline=""))
    assert [row["layer"] for row in rows][-len(ODD) - 1 :] == [*shown, "TOTAL"]


def renamed(run: Run, *names: str) -> Run:
    profiles = tuple(run.profiles[0].model_copy(update={"name": name}) for name in names)
    return replace(run, profiles=profiles)


@pytest.mark.usefixtures("sketched")
def test_a_profile_name_with_odd_characters_makes_a_plain_file_name(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    write_report(renamed(make_run(), "my chip/v2: µ"), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        *TABLES,
        *RATES,
        *LAST,
        "layers_my-chip-v2-.png",
        "layers_my-chip-v2-.svg",
        "components_my-chip-v2-.png",
        "components_my-chip-v2-.svg",
    }


@pytest.mark.usefixtures("sketched")
def test_profiles_of_similar_names_do_not_overwrite_each_others_pictures(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    files = write_report(renamed(make_run(), "my chip", "my-chip"), tmp_path)
    # The tables, the rates, page, sources and run.json, and two pictures in two formats for each.
    assert len(set(files)) == len(TABLES) + 2 + 3 + 2 * 4


def fail_half_way(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def save(_figure: Figure, path: Path) -> None:
        path.write_bytes(b"half a picture")
        raise error

    monkeypatch.setattr(style, "save", save)


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), OutputError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
    ids=["disk full", "interrupt"],
)
@pytest.mark.usefixtures("sketched")
def test_older_files_survive_when_writing_fails_half_way(
    make_run: Callable[..., Run],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    seen: type[BaseException],
) -> None:
    run = make_run()
    older = {path.name: path.read_bytes() for path in write_report(run, tmp_path)}
    fail_half_way(monkeypatch, error)
    with pytest.raises(seen):
        write_report(run, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == older


def test_the_picture_that_cannot_be_written_is_named(
    make_run: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_half_way(monkeypatch, OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(OutputError, match=r"spike_rates\.png' cannot be written: No space left"):
        write_report(make_run(), tmp_path)
    # What was finished before is whole; of the picture there is nothing.
    assert {path.name for path in tmp_path.iterdir()} == set(TABLES)


@pytest.mark.usefixtures("sketched")
def test_a_missing_directory_is_made(run: Run, tmp_path: Path) -> None:
    files = write_report(run, tmp_path / "runs" / "first")
    assert all(path.parent == tmp_path / "runs" / "first" for path in files)


def test_the_summary_of_counts_without_any_layer_is_json(make_run: Callable[..., Run]) -> None:
    run = make_run()
    empty = replace(run, asa=replace(run.asa, layers=()), ssa=replace(run.ssa, layers=()))
    found = json.loads(json.dumps(summary(empty), allow_nan=False))
    assert found["counts"]["ssa"]["events_per_mac"] is None
    assert found["hardware"]["45nm"]["model"]["compute"]["saving"] is None
