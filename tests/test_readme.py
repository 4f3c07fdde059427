"""The README says what the code does, on one screen and from wherever it is read."""

import re
from pathlib import Path
from typing import Any

import pytest
from builders import parse_profile

from hwmodels import HardwareProfile, Op
from neurt.verbs.commands import parse

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = ROOT / "docs"
OPERATIONS = (DOCS / "reference/operations.md").read_text(encoding="utf-8")
HARDWARE = (DOCS / "how-to/hardware.md").read_text(encoding="utf-8")
COMMANDS = (DOCS / "how-to/commands.md").read_text(encoding="utf-8")
#: Where a package index finds what the README names.
HOME = "https://github.com/neurt-energy/neurt-energy/blob/main/"
RAW = "https://raw.githubusercontent.com/neurt-energy/neurt-energy/main/"


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 150


def test_links_and_pictures_lead_somewhere_from_any_place() -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", README)
    own = [link for link in links if link.startswith((HOME, RAW))]
    assert len(own) > 15
    assert [link for link in links if not link.startswith("https://")] == []
    for link in own:
        file, _, heading = link.removeprefix(HOME).removeprefix(RAW).partition("#")
        text = (ROOT / file).read_text(encoding="utf-8") if file.endswith(".md") else ""
        assert (ROOT / file).is_file(), link
        titles = re.findall(r"^#+ (.*)$", text, re.M)
        slugs = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]
        assert not heading or heading in slugs, link


@pytest.mark.parametrize("op", Op)
def test_every_operation_is_defined_as_in_the_code(op: Op) -> None:
    assert f"| `{op.value}` | {op.group} | {op.definition} |" in OPERATIONS


def test_the_example_profile_is_valid() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", HARDWARE, flags=re.DOTALL)
    assert isinstance(parse_profile(example, name="README"), HardwareProfile)


@pytest.mark.parametrize(("text", "many"), [(README, 1), (COMMANDS, 20)])
def test_the_commands_can_be_parsed(text: str, many: int) -> None:
    lines = re.findall(r"^(?:\.venv/bin/)?(neurt-energy .*)$", text, flags=re.MULTILINE)
    assert len(lines) >= many
    for line in lines:
        _, *words = line.split()
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
