from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from reports.kit.pictures import Pictures, draw


def plotted() -> Figure:
    figure = Figure(figsize=(3, 2), layout="constrained")
    figure.subplots().plot([1, 2], [3, 4])
    return figure


@pytest.mark.parametrize(
    ("pictures", "names"),
    [
        ("png", ["a.v2.png"]),
        ("svg", ["a.v2.svg"]),
        ("pdf", ["a.v2.pdf"]),
        ("all", ["a.v2.png", "a.v2.svg"]),
    ],
)
def test_a_figure_is_written_in_each_format(
    tmp_path: Path, pictures: str, names: list[str]
) -> None:
    files = draw(plotted, tmp_path / "a.v2", Pictures(pictures))
    assert [path.name for path in files] == names
    for path in files:
        if path.suffix == ".png":
            assert imread(path).shape[:2] == (400, 600)  # 2 x 3 inches at 200 dots
        elif path.suffix == ".pdf":
            # 3 x 2 inches of 72 points; no date, so that the same figure gives the same bytes.
            text = path.read_bytes()
            assert b"/MediaBox [ 0 0 216 144 ]" in text
            assert b"CreationDate" not in text
            assert b"/CIDFontType2" in text  # TrueType
            assert b"/Type3" not in text
        else:
            assert ElementTree.parse(path).getroot().tag.endswith("svg")


def test_the_formats_show_one_layout(tmp_path: Path) -> None:
    figures: list[Figure] = []

    def made() -> Figure:
        figures.append(plotted())
        return figures[-1]

    draw(made, tmp_path / "a")
    [figure] = figures  # drawn once for both files
    assert figure.axes[0].get_position().bounds != plotted().axes[0].get_position().bounds
    assert figure.get_layout_engine() is None  # so nothing moves it again


def test_no_picture_means_no_matplotlib(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from reports.kit.pictures import Pictures, draw\n"
        f"assert draw(lambda: 1 / 0, Path({str(tmp_path / 'a')!r}), Pictures.NONE) == []\n"
        "assert 'matplotlib' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert list(tmp_path.iterdir()) == []


def test_a_plan_without_pictures_waits_for_nothing_heavy(tmp_path: Path) -> None:
    words = ["plan", "--model", "gpt2-small", "--hw", "45nm", "--out", str(tmp_path / "out")]
    code = (
        "import sys\n"
        "from neurt.cli import main\n"
        f"assert main({[*words, '--pictures', 'none']!r}) == 0\n"
        "assert not {'matplotlib', 'pandas', 'torch', 'transformers'} & {*sys.modules}\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    assert (tmp_path / "out" / "report.html").exists()
