from __future__ import annotations

import signal
from typing import Any

import pytest
from fuzz.case import Case, Draw
from fuzz.isolated import UNCAUGHT, Outcome
from fuzz.judge import kind_of, verdict
from fuzz.values import change_bytes, change_tree, to_json, to_toml

TRACEBACK = """Traceback (most recent call last):
  File "/somewhere/neurt/cli.py", line 41, in main
  File "/elsewhere/torch/nn.py", line 7, in forward
KeyError: 'x'
"""
RIGHT = Outcome(0, "saved 5 %\n", "", {"a.csv": b"layer,mac\nx,1\n", "run.json": b'{"a": 1}'})


def ended(code: int = 0, out: str = "", err: str = "", **written: bytes) -> Outcome:
    return Outcome(code, out, err, {name.replace("__", "."): x for name, x in written.items()})


@pytest.mark.parametrize(
    ("outcome", "says"),
    [
        (ended(UNCAUGHT, err=TRACEBACK), "traceback: neurt/cli.py:41: KeyError: 'x'"),
        (ended(-signal.SIGPROF, err="Fatal"), "hang: "),
        (ended(-signal.SIGABRT, err="Fatal"), "crash: signal 6: "),
        (ended(1, err="neurt-energy: this machine has too little memory for that\n"), "memory: "),
        (ended(3), "exit status: 3"),
        (ended(1, err="x.py:1: UserWarning: odd\nneurt-energy: no\n"), "warning: "),
        (ended(0, err="odd\n"), "talk on standard error: odd"),
        (ended(1), "no error line: ''"),
        (ended(1, err="KeyError\n"), "no error line: 'KeyError'"),
        (ended(1, err="so\nneurt-energy: no\n"), "more than one line: so"),
        (ended(2, err="usage\nneurt-energy: no\n"), "more than one line: usage"),
        (ended(1, err="neurt-energy: " + "x" * 301 + "\n"), "long line: 315 characters"),
        (ended(1, err="neurt-energy: a\x1b[2J\n"), "control character on standard error: "),
        (ended(0, out="\x9b2J\n"), "control character on standard output: "),
        (ended(0, out="\u202eexe\n"), "control character on standard output: "),
        (ended(0, a__csv=b"layer,pj\nx,nan\n"), "file: a.csv: column pj is nan"),
        (ended(0, a__csv=b"layer,pj\nx\n"), "file: a.csv: a row of 1 cells below 2 headings"),
        (ended(0, a__json=b'{"a": Infinity}'), "file: a.json: no JSON of finite numbers"),
        (ended(0, a__json=b'{"a": 1e999}'), "file: a.json: no JSON of finite numbers: 1e999"),
        (ended(0, a__md=b"# \x1b[31m"), "file: a.md: control character in "),
        (ended(0, a__html=b"<b><fuzz onload=x></b>"), "file: a.html: markup of an input"),
        (ended(0, __x=b""), "left behind: .x"),
    ],
)
def test_a_wrong_end_is_told(outcome: Outcome, says: str) -> None:
    assert verdict(Case([], {}), outcome).startswith(says)


@pytest.mark.parametrize(
    "outcome",
    [
        RIGHT,
        ended(0, a__csv=b"layer,pj\nnan,1\n"),
        ended(0, err="neurt-energy: warning: no price of mac\n"),
        ended(1, err="neurt-energy: " + "x" * 300 + "\n"),
        ended(2, err="neurt-energy plan: error: no\n"),
    ],
)
def test_a_right_end_is_not(outcome: Outcome) -> None:
    assert verdict(Case([], {}), outcome) == ""


def test_nonsense_must_be_refused_and_what_is_valid_accepted() -> None:
    refused = ended(1, err="neurt-energy: no\n")
    assert verdict(Case([], {}, nonsense="-1 MACs"), RIGHT) == "nonsense accepted: -1 MACs"
    assert verdict(Case([], {}, nonsense="-1 MACs"), refused) == ""
    assert verdict(Case([], {}, valid=True), refused).startswith("valid input refused: ")
    assert verdict(Case([], {}, valid=True), RIGHT) == ""


def test_json_on_standard_output_is_read_too() -> None:
    assert verdict(Case(["plan", "--json"], {}), ended(0, out="{}", err="talk")) == ""
    refused = ended(1, out='{"error": "no"}', err="neurt-energy: no\n")
    assert verdict(Case(["plan", "--json"], {}), refused) == ""
    said = verdict(Case(["plan", "--json"], {}), ended(0, out="[NaN]"))
    assert said == "file: standard output.json: no JSON of finite numbers: NaN"


def test_tracebacks_of_one_place_are_one_kind() -> None:
    said = verdict(Case([], {}), ended(UNCAUGHT, err=TRACEBACK))
    assert kind_of(said) == "traceback: neurt/cli.py:41: KeyError"


def drawn(key: str, *without: int) -> tuple[Any, dict[int, str]]:
    draw = Draw(key, without)
    draw.mode = "changed"
    return draw.changed({"a": 1, "b": [1, 2, {"c": 3}]}, change_tree), draw.changes


def test_a_key_decides_all_that_is_drawn() -> None:
    assert repr(drawn("0:5")) == repr(drawn("0:5"))
    assert len({repr(drawn(f"0:{index}")) for index in range(30)}) > 20


def test_a_change_can_be_left_out() -> None:
    key = next(f"0:{index}" for index in range(99) if len(drawn(f"0:{index}")[1]) > 2)
    tree, changes = drawn(key)
    assert list(drawn(key, 1)[1]) == [number for number in changes if number != 1]
    assert drawn(key, *changes)[0] == {"a": 1, "b": [1, 2, {"c": 3}]} != tree


def test_raw_words_are_written_without_quotes() -> None:
    assert to_json({"a": ["@raw:1e400", "b"]}) == b'{"a": [1e400, "b"]}'
    assert to_toml({"a": {"b": ["@raw:1e400", True]}}) == b'"a" = {"b" = [1e400, true]}\n'


def test_bytes_are_changed() -> None:
    kinds = [change_bytes(Draw(str(key)), b"0123456789" * 9) for key in range(40)]
    assert len({data for data, _ in kinds}) > 20
    assert {said.split(": ")[1] for _, said in kinds} == {
        *("flip", "cut", "insert", "repeat", "integer", "drop")
    }
