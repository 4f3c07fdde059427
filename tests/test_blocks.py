"""Every block of code in the README and in `docs` runs, or says beside it why it does not."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from builders import parse_profile
from exported import witness

from neurt.cli import main
from neurt.verbs.commands import parse

ROOT = Path(__file__).parents[1]
PAGES = {
    page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8")
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
}
#: Pages whose blocks a test of their own runs, beside what else it has to say of them.
OWN = {
    "docs/how-to/clients.md": ("tests/clients/test_pipeline.py", "tests/clients/test_lm_eval.py"),
    "docs/how-to/my-chip.md": ("tests/test_my_chip.py",),
    "docs/results/measured.md": ("tests/neurt/verbs/test_card.py",),
}
#: What the text around a block gives it.
GIVEN = {
    "docs/how-to/nir.md": """
import nir, numpy, torch, warnings
warnings.filterwarnings("ignore", module="nirtorch|norse")  # old names of their own
weight, ones = numpy.eye(3, dtype="float32"), numpy.ones(3, dtype="float32")
neurons = nir.LIF(tau=1e-3 * ones, r=ones, v_leak=0 * ones, v_threshold=ones)
nir.write("net.nir", nir.NIRGraph.from_list(nir.Linear(weight=weight), neurons))
x = (torch.rand(5, 1, 3) < 0.5).float()
""",
    "docs/how-to/networks.md": """
import torch
from spikingjelly.activation_based import functional, layer, neuron
net = torch.nn.Sequential(layer.Linear(4, 3), neuron.IFNode())
x = torch.rand(1, 4)
x_seq, frames = x.repeat(4, 1, 1), [x, x]
""",
    "docs/method/hardware.md": "from hwmodels import *",
}
#: Said beside a block; the command of the tests is what CI runs.
NOT_RUN = ("Not run by the tests", "<!-- test command -->")


class Block(NamedTuple):
    """A block of code, with what stands before it."""

    language: str
    before: str  #: the paragraph
    text: str

    @property
    def runs(self) -> bool:
        """Whether nothing beside it says that it does not."""
        return not any(reason in self.before for reason in NOT_RUN)

    @property
    def commands(self) -> list[list[str]]:
        """The words of each command of ours; a line goes on behind a backslash, and `&&` parts."""
        lines = re.split(r"\n|&&", self.text.replace("\\\n", " "))
        words = [shlex.split(line, comments=True) for line in lines]
        return [x[1:] for x in words if x and x[0] in ("neurt-energy", ".venv/bin/neurt-energy")]


def blocks(text: str) -> Iterator[Block]:
    """The blocks of a page; those of Sphinx (`{toctree}`) are none."""
    for found in re.finditer(r"^```(\w*|\{.*?)\n(.*?)^```", text, re.M | re.S):
        if found[1].startswith("{"):
            continue
        before = text[: found.start()].rstrip("\n")
        paragraph = before[before.rfind("\n\n") + 1 :]
        yield Block(found[1], " ".join(paragraph.split()), found[2])


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("page", PAGES)
def test_every_block_says_what_it_is(page: str) -> None:
    for block in blocks(PAGES[page]):
        assert block.language in ("bash", "csv", "latex", "python", "text", "toml", "yaml"), block
        if block.language == "bash":
            for words in block.commands:
                # A word in capitals stands for another.
                if not any(re.fullmatch(r"[A-Z]{2,}(:\d+)?", word) for word in words):
                    parse(words)


def test_pages_with_tests_of_their_own_have_them() -> None:
    for page, tests in OWN.items():
        for test in tests:
            assert Path(page).name in (ROOT / test).read_text(encoding="utf-8")


class Reader:
    """Who goes through a page from above, does what it says, and looks at what comes out."""

    def __init__(self, page: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.names: dict[str, Any] = {}
        self.printed = ""
        self.page, self.capsys = page, capsys
        self.ran = 0

    def do(self, block: Block) -> None:
        if not block.runs:
            return
        if block.language in ("csv", "toml"):
            names = re.findall(rf"`([\w-]+\.{block.language})`[^`]*:$", block.before)
            for name in names:
                Path(name).write_text(block.text, encoding="utf-8")
            if block.language == "toml" and "extends" in tomllib.loads(block.text):
                parse_profile(block.text, name="example")
        elif block.language == "python":
            exec(compile(block.text, self.page, "exec"), self.names)
        elif block.language == "bash":
            assert block.commands, block
            for words in block.commands:
                assert main(words) == 0, words
        elif "prints" in block.before:
            for line in block.text.splitlines():
                assert flat(line) in self.printed, line
            return
        self.ran += 1
        said = self.capsys.readouterr()
        self.printed = flat(f"{said.out}\n{said.err}")


@pytest.mark.parametrize("page", [page for page in PAGES if page not in OWN])
@pytest.mark.usefixtures("sketched")
def test_what_a_page_says_is_done(
    page: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = list(blocks(PAGES[page]))
    if not any(block.language in ("python", "bash") and block.runs for block in found):
        return
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    reader = Reader(page, capsys)
    for library in ("snntorch", "spikingjelly", "nir"):
        if re.search(rf"^(?:import|from) {library}", PAGES[page] + GIVEN.get(page, ""), re.M):
            witness(library)
    exec(GIVEN.get(page, ""), reader.names)
    for block in found:
        reader.do(block)
    assert reader.ran
