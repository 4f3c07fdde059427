"""The pages in `docs` say what the code does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from builders import parse_profile

from hwmodels.shelf import measured
from hwmodels.usage import unused
from neurt.cli import main
from neurt.verbs.commands import parse
from reports.kit.table import to_markdown
from reports.measured.lines import shelf
from reports.measured.table import shelf_table

DOCS = Path(__file__).parents[1] / "docs"
PAGES = {
    page.relative_to(DOCS).as_posix(): page.read_text(encoding="utf-8")
    for page in sorted(DOCS.rglob("*.md"))
}
MACHINE, TIME = PAGES["method/machine.md"], PAGES["method/time.md"]
MEASURED = PAGES["results/measured.md"]
#: Columns of text, as of code; what cannot be broken is a row, a heading, a picture, a block.
WIDTH = 100
NANO = (
    "profile --model gpt2-nano --dead-zone output --resolution 1 --threshold 0.25 "
    "--attention causal --hw 45nm"
)
TIMED = (
    "plan --model gpt2-small --hw 7nm-hbm2 --hw 7nm-hbm2-bf16 --timesteps 4 --prompt 128 "
    "--generate 64"
)


def commands() -> Iterator[tuple[str, str]]:
    """Whole commands: those with flags, and no word in capitals that stands for another."""
    for name, text in PAGES.items():
        for command in re.findall(r"`neurt-energy ([^`]+ --[^`]+)`", text):
            yield name, " ".join(command.split())


@pytest.mark.parametrize(("page", "command"), [*commands()])
def test_the_commands_can_be_parsed(page: str, command: str) -> None:
    words = ["128" if word == "N" else word for word in command.split()]
    if not any(word.isupper() and word.isalpha() for word in words):
        parse(words)


def test_the_example_of_a_machine_is_valid_and_all_of_it_is_used() -> None:
    [example] = re.findall(r"```toml\n(.*?)```", MACHINE, flags=re.DOTALL)
    profile = parse_profile(example, name="edge")
    assert list(unused(profile)) == []
    assert {"fusion", "encoding", "delivery", "bandwidth"} <= profile.model_fields_set


def test_the_shelf_of_measured_systems_is_that_of_the_package() -> None:
    table = shelf_table(shelf())
    shown = replace(table, columns=tuple(x for x in table.columns if x.name != "source"))
    assert to_markdown(shown) in MEASURED


def test_idle_power_explains_what_24_chips_cost() -> None:
    # 405 mJ on 24 chips and 59 mJ on one, both at 41.5 tokens/s
    many, _, one = (x.value / 1e3 for x in (y.figure for y in measured()) if "370M" in str(x.model))
    idle = (many - one) * 41.5 / 23
    page = MEASURED
    assert f"| {idle:.2f} W per further chip |" in page
    assert (
        f"| {1e3 * 24 * idle / 41.5:.0f} mJ, {24 * idle / 41.5 / many:.0%}".replace("%", " %")
        in page
    )
    work = many - 24 * idle / 41.5
    assert f"| {1e3 * work:.0f} mJ |" in page
    assert work + idle / 41.5 == pytest.approx(one)
    assert f"{1 - work / one:.0%} of it idle".replace("%", " %") in page
    assert f"{1e3 * 0.104 * 0.0241:.1f} mJ for one chip of Loihi 1" in page


def headings(page: str) -> set[str]:
    """What a link may point to, as GitHub calls it."""
    titles = re.findall(r"^#+ (.*)$", PAGES[page], re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\(((?!http)[^)]+)\)", PAGES[page])
    for link in links:
        file, _, heading = link.partition("#")
        target = ((DOCS / page).parent / file).resolve() if file else DOCS / page
        assert target.exists(), link
        if heading:
            assert heading in headings(target.relative_to(DOCS).as_posix()), link


def test_the_links_of_the_changelog_lead_somewhere() -> None:
    text = (DOCS.parent / "CHANGELOG.md").read_text(encoding="utf-8")
    links = [x for x in re.findall(r"\]\(([^)\s]+)\)", text) if not x.startswith("http")]
    assert len(links) > 5
    for link in links:
        file, _, heading = link.partition("#")
        assert (DOCS.parent / file).is_file(), link
        assert not heading or heading in headings(file.removeprefix("docs/")), link


def prose(text: str) -> Iterator[str]:
    """Lines that can be broken: of paragraphs and lists, with a blank in their last half."""
    for line in re.sub(r"^( *)(`{3,}).*?^\1\2", "", text, flags=re.M | re.S).splitlines():
        if not line.lstrip().startswith(("|", "#", "![", "<")) and " " in line[WIDTH // 2 :]:
            yield line


@pytest.mark.parametrize("page", PAGES)
def test_text_is_as_wide_as_code(page: str) -> None:
    assert [line for line in prose(PAGES[page]) if len(line) > WIDTH] == []


def said(command: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> str:
    """What a command prints, where a page names that command."""
    assert main([*command.split(), "--no-page", "--pictures", "none", "--out", str(tmp_path)]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("tokens", ["128", "129"])
@pytest.mark.parametrize("room", ["", ", `--room fixed-order`"])
def test_the_table_of_placement_is_printed(
    tokens: str, room: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command = "plan --model gpt2-medium --hw 45nm --seq-len"
    assert f"`neurt-energy {command} N`" in MACHINE
    [row] = re.findall(rf"^\| {tokens}{re.escape(room)} \| (.*?) \| (.*?) \|$", MACHINE, re.M)
    text = said(f"{command} {tokens} {room.strip(', `')}", capsys, tmp_path)
    for number in row:
        assert number in text, number


def test_the_table_of_times_is_printed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert f"`neurt-energy {TIMED}`" in " ".join(TIME.split())
    text = " ".join(said(TIMED, capsys, tmp_path).split())
    rows = re.findall(r"^\| (?:FP32|BF16), .*?\| (.*)\|$", TIME, re.M)
    assert len(rows) == 4
    for row in rows:
        for cell in row.split("|"):
            assert cell.strip() in text, cell


@pytest.mark.slow
@pytest.mark.parametrize("reuse", ["", "--reuse event=1", "--reuse mac=1,event=1"])
def test_the_table_of_delivery_is_printed(
    reuse: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command = f"{NANO} --hw 45nm-int8"
    assert f"`neurt-energy {command}`" in " ".join(MACHINE.split())
    text = said(f"{command} {reuse}", capsys, tmp_path)
    mark = f"`{reuse}`" if reuse else "default: both sides"
    [row] = [line for line in MACHINE.splitlines() if mark in line and line.count("|") == 6]
    for number in re.findall(r"-?[\d.]+ %", row):
        assert number in text, number
