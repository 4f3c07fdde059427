from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat", reason="the notebook needs the extra `test`")
nbclient = pytest.importorskip("nbclient", reason="the notebook needs the extra `test`")
pytest.importorskip("ipykernel", reason="the notebook needs the extra `test`")

EXAMPLE = Path(__file__).parents[1] / "examples" / "profile_gpt2.ipynb"
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")


class Text(HTMLParser):
    """The words of a table, without its style sheet."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.skipped = False

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.skipped = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self.skipped = False

    def handle_data(self, data: str) -> None:
        if not self.skipped:
            self.words.append(data)


def shown(notebook: Any) -> Iterator[tuple[str, list[float]]]:
    """What each output says: its words without the numbers, and the numbers."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                assert output.name == "stderr", output.text  # of libraries, not of ours
                continue
            assert output.output_type == "execute_result", output
            parser = Text()
            parser.feed(output.data.get("text/html", output.data["text/plain"]))
            text = " ".join(" ".join(parser.words).split())
            numbers = [float(x.replace(",", "")) for x in NUMBER.findall(text)]
            kinds = " ".join(sorted(output.data))
            yield f"{kinds}: {NUMBER.sub('#', text)}", numbers


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_notebook_says_what_it_says_when_it_is_run(tmp_path: Path) -> None:
    stored = nbformat.read(EXAMPLE, as_version=4)
    again = nbformat.read(EXAMPLE, as_version=4)
    for cell in again.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(
        again, timeout=120, kernel_name="python3", resources=resources
    ).execute()
    expected, found = list(shown(stored)), list(shown(again))
    assert [words for words, _ in found] == [words for words, _ in expected]
    assert sum("image/png" in words for words, _ in expected) == 2
    # A sum in another order may move a spike across its threshold.
    for (words, ours), (_, theirs) in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, rel=0.02, abs=0.2), words


def test_the_notebook_was_run_from_top_to_bottom() -> None:
    stored = nbformat.read(EXAMPLE, as_version=4)
    nbformat.validate(stored)
    code = [cell for cell in stored.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert all(cell.outputs for cell in code)


def test_the_notebook_names_no_directory_of_anybody() -> None:
    assert not re.search(r"/(?:home|root|Users|tmp|work|opt)/", EXAMPLE.read_text(encoding="utf-8"))
