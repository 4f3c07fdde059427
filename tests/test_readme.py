"""The README says what the code does."""

import re
from pathlib import Path
from typing import Any

import pytest
from builders import parse_profile

from hwmodels import HardwareProfile, Op
from neurt.verbs.commands import parse

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("op", Op)
def test_every_operation_is_defined_as_in_the_code(op: Op) -> None:
    assert f"| `{op.value}` | {op.group} | {op.definition} |" in README


def test_the_example_profile_is_valid() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", README, flags=re.DOTALL)
    assert isinstance(parse_profile(example, name="README"), HardwareProfile)


def test_the_commands_can_be_parsed() -> None:
    lines = re.findall(r"^(?:.*&& \.venv/bin/)?(neurt-energy .*)$", README, flags=re.MULTILINE)
    commands = [line.partition("#")[0].split() for line in lines if "|" not in line.split("#")[0]]
    assert len(commands) >= 6
    for _, *words in commands:
        parse(words)


def test_the_python_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    found: dict[str, Any] = {}
    exec(compile(example, "README.md", "exec"), found)
    frame = found["frame"]
    assert set(frame.hw) == {"45nm", "45nm-int8"}
    assert frame[frame.block == "attention"].saving.notna().any()
    assert (tmp_path / "components.svg").stat().st_size > 1000
