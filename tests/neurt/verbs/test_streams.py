"""Whatever becomes of standard output: one line at worst, the right status, whole files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from neurt.cli import main

SCRIPT = "import sys; from neurt.cli import main; sys.exit(main())"
PRICE = ["price", "counts.csv", "--hw", "45nm"]


@pytest.fixture
def counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "counts.csv").write_text("layer,mac\na,1000\n", encoding="utf-8")
    return tmp_path


def shell(line: str, *words: str, script: str = SCRIPT) -> subprocess.CompletedProcess[str]:
    # `line` is what a shell is told, "$@" the command.
    return subprocess.run(
        ["sh", "-c", line, "sh", sys.executable, "-c", script, *words],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("json_too", [[], ["--json"]], ids=["table", "json"])
@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ('"$@" >&-', 0, ""),
        ('"$@" >&- 2>&-', 0, ""),
        ('"$@" 2>/dev/full', 0, ""),
        ('"$@" >/dev/full', 1, "standard output cannot be written: No space left on device"),
        ('"$@" </dev/null 1</dev/null', 1, "standard output cannot be written: Bad file descri"),
    ],
)
def test_an_output_that_takes_nothing_costs_no_file(
    counts: Path, line: str, status: int, said: str, json_too: list[str]
) -> None:
    run = shell(line, *PRICE, *json_too)
    errors = [x for x in run.stderr.splitlines() if x.startswith("neurt-energy")]
    assert (run.returncode, len(errors)) == (status, int(bool(said)))
    assert said in run.stderr
    assert "Traceback" not in run.stderr
    assert (counts / "energy.csv").read_text(encoding="utf-8").count("\n") == 3


def test_a_closed_output_does_not_become_a_file(counts: Path) -> None:
    # The first file that is opened takes the place of standard output; what is printed, or what
    # a library writes there, must not end in it.
    script = f"import os\n{SCRIPT.replace('sys.exit(main())', 'main(); os.write(1, bytes(9))')}"
    assert shell('"$@" >&-', *PRICE, script=script).returncode == 0
    assert b"\0" not in (counts / "energy.csv").read_bytes()


def test_an_encoding_without_our_characters_gets_plainer_ones(counts: Path) -> None:
    run = shell('PYTHONIOENCODING=ascii "$@"', *PRICE, "--out", "a×µ")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.isascii()
    assert "Written to axu/energy.csv" in run.stdout
    # 1,000 MACs x 4.6 pJ
    assert "4.6 nJ" in run.stdout
    lost = shell('PYTHONIOENCODING=ascii "$@"', "price", "模.csv", "--hw", "45nm")
    assert (lost.returncode, lost.stdout) == (1, "")
    assert lost.stderr.startswith("neurt-energy: counts '\\u6a21.csv' ")


@pytest.mark.parametrize("module", ["hwmodels.plain", "pydantic", "rich.console"])
def test_an_interruption_of_the_imports_is_one_line(counts: Path, module: str) -> None:
    script = f"""
import sys
class Interrupts:
    def find_spec(self, name, *_):
        if name == {module!r}:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupts())
{SCRIPT}"""
    run = shell('"$@"', *PRICE, script=script)
    assert (run.returncode, run.stdout) == (130, "")
    assert run.stderr == "neurt-energy: interrupted; files already in place are whole\n"


@pytest.mark.parametrize("columns", ["0", "-1", "x", "1", "9" * 30])
def test_any_width_is_taken(
    counts: Path,
    columns: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(PRICE) == 0
    assert "4.6 nJ" in capsys.readouterr().out
    assert main(["price", "--help"]) == 0


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["price", "counts.csv", "--hw", "none", "--json"], 1),
        (["price", "counts.csv", "--hw", "45nm", "--json", "--out="], 2),
        (["price", "--json"], 2),
        (["--json"], 2),
        (["hw", "schema", "--json"], 2),
    ],
)
def test_with_json_an_error_is_a_document_too(
    counts: Path, words: list[str], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == status
    said = capsys.readouterr()
    assert said.err == f"neurt-energy: {json.loads(said.out)['error']}\n"


def test_an_infinity_is_no_json_but_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("neurt.verbs.answer.results", lambda _: {"pj": float("inf")})
    assert main(["hw", "list", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)["error"]
    assert said.startswith("the JSON would hold an infinity or NaN")


def test_an_error_is_one_printable_line_of_at_most_300_characters(
    counts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = "\x1b]0;owned\x07\u202e\x9b31m"
    for words in (
        ["price", f"{evil}.csv", "--hw", "45nm"],
        ["price", "counts.csv", "--hw", evil],
        ["price", "counts.csv", "--hw", "45nm", f"--{evil}"],
        ["price", "counts.csv", "--hw", "45nm", "--dataflow", evil],
        ["price", "counts.csv", "--hw", "45nm", "--latency-s", f"asa={evil}"],
        ["plan", "--model", evil, "--hw", "45nm"],
        ["hw", "show", evil],
        [evil],
        ["price", "counts.csv", "--hw", "x" * 9000],
        ["plan", "--model", "x" * 9000, "--hw", "45nm"],
        ["report", "x" * 9000],
        ["check", "x/" * 9000],
    ):
        assert main(words) in (1, 2)
        [line] = capsys.readouterr().err.splitlines()
        assert line.isprintable(), line
        assert len(line) <= 300
