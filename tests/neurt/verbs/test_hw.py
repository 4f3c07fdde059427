from __future__ import annotations

import json
from pathlib import Path

import pytest

from hwmodels import ProfileError, load_profile
from hwmodels.doubts import ProfileWarning
from neurt.cli import main
from neurt.verbs.commands import parse
from neurt.verbs.console import terminal_console
from reports.kit.files import OutputError


def run(*words: object) -> None:
    asked = parse(["hw", *map(str, words)])
    asked.run(terminal_console())


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    return capsys


def test_one_profile_and_the_difference_of_two(printed: pytest.CaptureFixture[str]) -> None:
    run("show", "45nm-int8")
    assert "45nm-int8: 45 nm digital CMOS, INT8" in printed.readouterr().out
    run("diff", "45nm", "45nm-int8")
    assert "prices.mac" in printed.readouterr().out


def test_a_new_profile_is_valid(printed: pytest.CaptureFixture[str]) -> None:
    run("new", "mine")
    assert "Written to mine.toml" in printed.readouterr().out
    run("validate", "mine.toml")
    assert printed.readouterr().out.startswith("mine.toml: valid profile 'mine', 2 prices\n")


def test_all_precisions_of_a_file_are_checked(
    printed: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('extends = "45nm-int8"\n[precisions.int9]\n', encoding="utf-8")
    run("validate", path)
    ops = "mac, ac, shift_ac, add, mul, cmp, neuron_add, neuron_cmp"
    lines = printed.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith("  ")] == [
        f"doubtful: {path}:int9: {ops}: priced as in 'int8', though its precision is 'int9'; "
        "price them, or name them in `unpriced`",
        f"{path}: valid profile 'mine', 8 prices",
        f"{path}:int9: valid profile 'mine-int9', 8 prices",
    ]


OWN = """
extends = "45nm-int8"
unpriced = ["shift_ac"]
widths = { kv = 4 }
prices.mac = { pj = 0.4, source = "a bench", evidence = "measured" }
prices.spike_hop = { pj = 1, source = "a bench", evidence = "measured" }
"""


def test_it_says_what_is_own_inherited_unused_and_unpriced(
    printed: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    Path("mine.toml").write_text(OWN, encoding="utf-8")
    run("validate", "mine.toml")
    assert printed.readouterr().out.splitlines()[1:] == [
        "mine.toml: valid profile 'mine', 8 prices",
        "  own: prices (mac, spike_hop), widths (kv)",
        "  inherited from '45nm': process_nm, scope, dataflow, fusion, placement (weights, "
        "kv_cache, state, spikes, activations), included (spike), memory (sram, dram), delivery",
        "  inherited from '45nm-int8': precision, value_bytes, assumptions, prices (ac, add, mul, "
        "cmp, neuron_add, neuron_cmp)",
        "  unused: prices.spike_hop (without [core] no spike is routed)",
        "  without a price: shift_ac, div, exp, sqrt",
    ]
    assert main(["hw", "validate", "mine.toml", "--json"]) == 0
    [about] = json.loads(printed.readouterr().out)["profiles"]
    assert about["own"] == ["prices.mac", "prices.spike_hop", "widths.kv"]
    assert list(about["inherited"]) == ["45nm", "45nm-int8"]
    assert about["unpriced"] == ["shift_ac", "div", "exp", "sqrt"]


FAULTY = """
extends = "45nm"
value_bytes = 32
colour = "red"
process_nm = "45 km"
precisions.int4.value_bytes = 0
"""


def test_every_fault_is_printed_in_a_line_of_its_own(
    printed: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(FAULTY, encoding="utf-8")
    faults = [
        f"{path}: key 'process_nm' (= '45 km'): must be from 0.1 to 100000 nm",
        f"{path}: key 'value_bytes' (= 32): must be from 0.125 to 16 bytes; did you mean 4 bytes, "
        "which is 32 bit?",
        f"{path}: unknown key 'colour'; `neurt-energy hw schema` lists the keys",
        f"{path}:int4: key 'value_bytes' (= 0): must be from 0.125 to 16 bytes",
    ]
    assert main(["hw", "validate", str(path)]) == 1
    said = printed.readouterr()
    assert said.out.splitlines() == faults
    assert said.err == f"neurt-energy: hardware profile '{path}' has 4 faults\n"
    assert main(["hw", "validate", str(path), "--json"]) == 1
    said_as_json = json.loads(printed.readouterr().out)
    assert said_as_json.pop("error").endswith("has 4 faults")
    assert said_as_json == {"valid": [], "profiles": [], "faults": faults, "doubts": []}
    assert main(["hw", "show", str(path)]) == 1
    assert "(2 more: see `neurt-energy hw validate`)" in printed.readouterr().err


def test_a_doubt_is_said_once_where_the_profile_is_used(
    printed: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('extends = "45nm"\nprecision = "int4"', encoding="utf-8")
    with pytest.warns(ProfileWarning) as said:
        assert main(["hw", "diff", "45nm", str(path)]) == 0
    assert [str(one.message).partition("': ")[2] for one in said] == [
        "mac, ac, shift_ac, add, mul, cmp, div: priced as in 'fp32', though its "
        "precision is 'int4'; price them, or name them in `unpriced`"
    ]
    assert main(["hw", "show", str(path), "--quiet"]) == 0
    assert printed.readouterr().err == ""


@pytest.mark.parametrize(
    ("words", "key", "value"),
    [
        (["list"], "left_out", []),
        (["show", "45nm"], "value_bytes", 4),
        (["diff", "45nm", "45nm"], "differences", []),
        (["new", "mine"], "file", "mine.toml"),
        (["validate", "45nm-int8"], "valid", ["45nm-int8"]),
    ],
)
def test_json_alone_is_printed_or_nothing(
    printed: pytest.CaptureFixture[str], words: list[str], key: str, value: object
) -> None:
    assert main(["hw", *words, "--json"]) == 0
    assert json.loads(printed.readouterr().out)[key] == value
    Path("mine.toml").unlink(missing_ok=True)
    assert main(["hw", *words, "--quiet"]) == 0
    assert printed.readouterr() == ("", "")


def test_a_new_profile_extends_a_name_or_a_file_from_anywhere(tmp_path: Path) -> None:
    run("new", "mine", "--extends", "45nm-int8")
    assert 'extends = "45nm-int8"' in (tmp_path / "mine.toml").read_text(encoding="utf-8")
    (tmp_path / "deep").mkdir()
    run("new", "yours", "--extends", "mine.toml", "--out", "deep/yours.toml")
    text = (tmp_path / "deep" / "yours.toml").read_text(encoding="utf-8")
    assert 'extends = "../mine.toml"' in text
    yours = load_profile("deep/yours.toml")
    assert yours.precision == "int8"
    assert yours.memory == load_profile("45nm").memory


def test_a_file_that_is_there_is_replaced_only_by_force(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("precious", encoding="utf-8")
    with pytest.raises(
        OutputError, match=r"'mine.toml' exists; choose another --out, or .*--force"
    ):
        run("new", "mine")
    assert path.read_text(encoding="utf-8") == "precious"
    run("new", "mine", "--force")
    assert load_profile(path).name == "mine"
    names = sorted(entry.name for entry in tmp_path.iterdir())
    assert names == ["hardware.schema.json", "mine.toml"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["45nm"], "hardware profile '45nm' is there already"),
        (["../mine"], r"'../mine' cannot be the name of a profile"),
        (["mine", "--extends", "46nm"], "'46nm' is not known"),
        (["mine", "--extends", "46nm.toml"], "46nm.toml' does not exist"),
    ],
)
def test_what_cannot_be_a_profile_writes_nothing(
    tmp_path: Path, words: list[str], says: str
) -> None:
    with pytest.raises(ProfileError, match=says):
        run("new", *words)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_not_there() -> None:
    with pytest.raises(OutputError, match=r"deep/mine.toml' cannot be written"):
        run("new", "mine", "--out", "deep/mine.toml")


def test_a_new_profile_has_a_name_of_any_script() -> None:
    run("new", "芯片")
    assert load_profile("芯片.toml").name == "芯片"


def test_measured_systems_are_listed_with_their_sources(
    printed: pytest.CaptureFixture[str],
) -> None:
    run("list", "--measured")
    said = printed.readouterr().out
    assert "405 mJ" in said
    assert "dynamic: what the load adds" in said
    assert "Whole systems are never the bill of their operations" in said
    assert main(["hw", "list", "--measured", "--json", "--quiet"]) == 0
    rows = json.loads(printed.readouterr().out)["measured"]
    assert {"loihi-2", "jetson-orin-nano", "vck190", "northpole"} <= {x["system"] for x in rows}
    assert all(row["source"] and row["boundary"] and row["evidence"] for row in rows)
