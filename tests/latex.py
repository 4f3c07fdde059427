from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

#: Centimetres of a column of a page with two, and of such a page.
WIDTHS = {"one": 8.5, "two": 17.8}


def lines_of(text: str) -> list[list[str]]:
    # The cells of each row between the rules, without the braces of those that are no number.
    body = text.partition(r"\midrule")[2].partition(r"\bottomrule")[0]
    rows = [row.strip() for row in body.splitlines() if " & " in row]
    return [[x.strip(" {}") for x in row.removesuffix(r"\\").split(" & ")] for row in rows]


def caption_of(text: str) -> str:
    [line] = [x for x in text.splitlines() if x.startswith(r"\caption{")]
    return line.replace(r"\allowbreak{}", "")


def assert_fits(tables: Mapping[tuple[str, str], str], directory: Path) -> None:
    """Compile tables by name and width, each in a box as wide as it may be."""
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed")
    if not subprocess.run(["kpsewhich", "siunitx.sty"], capture_output=True, check=False).stdout:
        pytest.skip("siunitx is not installed (texlive-science)")
    page = [
        r"\documentclass{article}\usepackage{booktabs,siunitx}",
        r"\usepackage[a4paper,margin=1cm]{geometry}\parindent0pt",
        # A float in a box is its content.
        r"\makeatletter\def\@captype{table}\makeatother",
        *(rf"\renewenvironment{{table{star}}}[1][]{{}}{{}}" for star in ("", "*")),
        r"\begin{document}",
    ]
    for (name, fit), text in tables.items():
        (directory / f"{name}-{fit}.tex").write_text(text, encoding="utf-8")
        width = WIDTHS[fit]
        page.append(
            rf"\begin{{minipage}}{{{width}cm}}\input{{{name}-{fit}.tex}}\end{{minipage}}\par\bigskip"
        )
    (directory / "page.tex").write_text("\n".join([*page, r"\end{document}"]), encoding="utf-8")
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    run = subprocess.run(words, cwd=directory, capture_output=True, check=False)
    said = run.stdout.decode("utf-8", errors="replace")
    assert run.returncode == 0, said[-2000:]
    wide = [line for line in said.splitlines() if line.startswith("Overfull \\hbox")]
    assert wide == []
    for warning in ("undefined", "Missing character", "multiply"):
        assert warning not in said
