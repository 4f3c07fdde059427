from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from reports.reproduce.rows import Reproduction
from reports.reproduce.table import (
    COLUMNS,
    print_reproduction,
    reproduce_latex,
    reproduce_markdown,
    terminal_table,
)

Golden = Callable[[str, str], None]


Made = Callable[..., Reproduction]


@pytest.fixture
def made(make_reproduction: Made) -> Made:
    one = {"models": ("gpt2-nano",), "timesteps": (4,)}
    return partial(make_reproduction, weights="shipped(gpt2-nano)", **one)


BOTH: dict[str, Any] = {"models": ("gpt2-nano", "gpt2-small"), "timesteps": (2, 8)}


def printed(found: Reproduction, width: int = 132) -> str:
    console = Console(width=width, record=True, file=None, quiet=False)
    with console.capture() as said:
        print_reproduction(found, console)
    return said.get()


def test_the_tables_are_the_golden_ones(made: Made, golden: Golden) -> None:
    golden("reproduce.md", reproduce_markdown(made(**BOTH)))
    golden("reproduce.tex", reproduce_latex(made(**BOTH)))


def test_each_row_of_markdown_has_each_column(made: Made) -> None:
    lines = [x for x in reproduce_markdown(made(**BOTH)).splitlines() if x.startswith("|")]
    # a heading, the marks, the published row; 2 models x 2 time steps x 3 constants x 2 scopes
    assert len(lines) == 3 + 2 * 2 * 3 * 2
    assert {line.count("|") for line in lines} == {len(COLUMNS) + 1}


def test_conventions_are_columns_everywhere(made: Made) -> None:
    found = made()
    headings = reproduce_markdown(found).splitlines()[2]
    tex = reproduce_latex(found).partition(r"\toprule")[2].partition(r"\midrule")[0]
    for name in ("form", "code", "streams", "pairs", "proj.", "constants"):
        assert f"| {name} |" in headings
        assert f" {name} &" in tex


def test_the_published_range_stands_first(made: Made) -> None:
    found = made()
    first = reproduce_markdown(found).splitlines()[4]
    assert "64.71–85.28" in first
    assert "| ? |" in first  # its constants are not disclosed
    assert r"64.71--85.28" in reproduce_latex(found).partition(r"\midrule")[2].splitlines()[1]


def test_a_name_with_markup_in_it_stays_a_name(made: Made) -> None:
    found = made(model="a|b_[red]<b>&50%")
    assert r"| a\|b\_\[red\]&lt;b&gt;&amp;50% |" in reproduce_markdown(found)
    escaped = r"a\textbar{}b\_{[}red{]}\textless{}b\textgreater{}\&50\%"
    assert escaped in reproduce_latex(found)
    assert "a|b_[red]<b>&50%" in "".join(printed(found, 400).split())


def test_the_terminal_says_once_what_all_rows_share(made: Made) -> None:
    said = " ".join(printed(made()).split())
    assert "constants" in said  # three of them
    assert "form spikformer, code signed_if, streams Q,V, pairs full" in said
    assert "weights: gpt2-nano shipped(gpt2-nano)" in said
    several = " ".join(printed(made(attention=("full", "causal")), 200).split())
    assert "pairs full" not in several
    assert "causal" in several


def test_conventions_that_differ_share_a_column(made: Made) -> None:
    chosen = {"forms": ("spikformer", "softmax"), "codes": ("burst", "multi_threshold")}
    table = terminal_table(made(**chosen, attention=("full", "causal"), hw=("45nm",)))
    assert table.columns[0].heading == "form, code, streams, pairs"
    assert "softmax, multi_threshold, Q,A, causal" in {row[0] for row in table.cells()}


def test_what_has_no_price_is_a_dash(made: Made) -> None:
    rows = [x for x in reproduce_markdown(made(hw=("loihi",))).splitlines() if "loihi" in x]
    assert len(rows) == 2
    for row in rows:
        assert row.count("| - ") > 5
        assert "None" not in row
        assert "| nan" not in row


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles_and_fits_its_page(made: Made, tmp_path: Path) -> None:
    found = made(**BOTH)
    names = made(model=r"a\b~c^d|e*[1]<f>&%$#_{}µ–")
    (tmp_path / "one.tex").write_text(reproduce_latex(found), encoding="utf-8")
    (tmp_path / "two.tex").write_text(reproduce_latex(names), encoding="utf-8")
    (tmp_path / "page.tex").write_text(
        r"""\documentclass{article}
\usepackage{booktabs}
\usepackage[a4paper,landscape,margin=1in]{geometry}
\setlength{\tabcolsep}{2pt}\setlength{\parindent}{0pt}\pagestyle{empty}
\begin{document}
\scriptsize\input{one.tex}

\newpage\tiny\input{two.tex}
\end{document}
""",
        encoding="utf-8",
    )
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    run = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-2000:]
    assert "Output written on page.pdf (2 pages" in run.stdout
    assert "Overfull \\hbox" not in run.stdout.partition("[1")[0]
