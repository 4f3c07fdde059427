"""The notebooks in `examples` are run, and say again what is stored in them."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from exported import witness
from PIL import Image

nbformat = pytest.importorskip("nbformat", reason="notebooks need the extra `test`")
nbclient = pytest.importorskip("nbclient", reason="notebooks need the extra `test`")
pytest.importorskip("ipykernel", reason="notebooks need the extra `test`")

ROOT = Path(__file__).parents[1]
NOTEBOOKS = {path.stem: path for path in sorted((ROOT / "examples").glob("*.ipynb"))}
#: Those that train a network. Its spikes are not the same everywhere, so numbers are not compared:
#: what they say of them in prose, their own cells assert. With the libraries that they need.
TRAINED = {
    "my_spiking_network": ("snntorch", "sklearn"),
    "my_spiking_transformer": ("spikingjelly", "sklearn"),
}
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")
MAX_BYTES = 150_000  #: of a notebook with its outputs


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
                assert output.name == "stdout", output.text
                kinds, text = "stdout", output.text
            else:
                assert output.output_type == "execute_result", output
                kinds = " ".join(sorted(output.data))
                text = output.data.get("text/html", output.data["text/plain"])
            parser = Text()
            parser.feed(text)
            text = " ".join(" ".join(parser.words).split())
            numbers = [float(x.replace(",", "")) for x in NUMBER.findall(text)]
            yield f"{kinds}: {NUMBER.sub('#', text)}", numbers


def executed(path: Path, directory: Path) -> Any:
    """The notebook, run from top to bottom; raises if a cell does."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    resources = {"metadata": {"path": str(directory)}}
    client = nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources=resources
    )
    client.execute()
    for cell in notebook.cells:
        # When each cell ran is of no use to a reader. Libraries warn of their own parts on stderr;
        # what is wrong with ours is an exception.
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [x for x in cell.outputs if x.get("name") != "stderr"]
    return notebook


def smaller(png: str) -> str:
    """A picture in base64, in 32 colours."""
    with Image.open(io.BytesIO(base64.b64decode(png))) as picture:
        few = picture.convert("RGB").quantize(32, dither=Image.Dither.NONE)
    file = io.BytesIO()
    few.save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def store(notebook: Any, path: Path) -> None:
    """Write it with its outputs, pictures made small."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = smaller(output.data["image/png"])
    notebook.metadata.language_info = {"name": "python"}  # without the version that it ran on
    nbformat.write(notebook, path)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_says_what_it_says_when_it_is_run(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    for library in TRAINED.get(name, ()):
        witness(library)
    again = executed(NOTEBOOKS[name], tmp_path)
    if request.config.getoption("--rewrite-golden"):
        store(again, NOTEBOOKS[name])
    expected = list(shown(nbformat.read(NOTEBOOKS[name], as_version=4)))
    found = list(shown(again))
    assert [words for words, _ in found] == [words for words, _ in expected]
    if name not in TRAINED:
        # A sum in another order may move a spike across its threshold.
        for (words, ours), (_, theirs) in zip(found, expected, strict=True):
            assert ours == pytest.approx(theirs, rel=0.02, abs=0.2), words


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_stored_as_it_was_run(name: str) -> None:
    stored = nbformat.read(NOTEBOOKS[name], as_version=4)
    nbformat.validate(stored)
    code = [cell for cell in stored.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert any(cell.outputs for cell in code)
    text = NOTEBOOKS[name].read_text(encoding="utf-8")
    assert len(text) < MAX_BYTES
    assert not re.search(r"/(?:home|root|Users|tmp|work|opt)/", text)
