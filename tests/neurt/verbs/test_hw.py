from __future__ import annotations

from pathlib import Path

import pytest

from hwmodels import ProfileError, load_profile
from neurt.verbs.commands import parse
from neurt.verbs.console import terminal_console
from reports.kit.files import OutputError


def run(*words: object) -> None:
    asked = parse(["hw", *map(str, words)])
    asked.command.handler(asked.request, terminal_console())


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
    assert printed.readouterr().out == "mine.toml: valid profile 'mine', 2 prices\n"


def test_all_precisions_of_a_file_are_checked(
    printed: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('extends = "truenorth"\n[precisions.int4]\n', encoding="utf-8")
    run("validate", path)
    assert printed.readouterr().out.splitlines() == [
        f"{path}: valid profile 'mine', 1 prices",
        f"{path}: valid profile 'mine-int4', 1 prices",
    ]
    path.write_text('extends = "45nm"\n[precisions.int4]\nvalue_bytes = 0', encoding="utf-8")
    with pytest.raises(ProfileError, match=r"mine.toml:int4': key 'value_bytes' \(= 0\)"):
        run("validate", path)


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
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.toml"]


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
