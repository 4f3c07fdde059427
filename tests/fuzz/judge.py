"""What is wrong with how a command ended."""

from __future__ import annotations

import csv
import io
import json
import re
import signal
from typing import Any, NoReturn

from .case import Case
from .isolated import UNCAUGHT, Outcome

#: The longest line of an error, without the name of the program.
LONGEST = 300
_PROGRAM = re.compile(r"^neurt-energy( \w+)*: (error: )?")
#: What a command doubts and does nevertheless.
_DOUBT = "neurt-energy: warning: "
#: Columns whose cells may be called whatever their owner likes.
_NAMES = ("layer", "model", "kind", "block", "component", "weights", "hw", "variant")
_TEXTS = (".json", ".csv", ".html", ".svg", ".md", ".tex")
_SIGNALS = {-signal.SIGPROF: "hang", -signal.SIGALRM: "hang"}
#: What commands a terminal, or turns the direction of text and so shows another one than there is.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def verdict(case: Case, outcome: Outcome) -> str:
    """The first fault of an outcome, in a line that begins with its kind; empty if it is right."""
    for judge in (_ended, _talked, _accepted, _left, _wrote):
        if said := judge(case, outcome):
            return said
    return ""


def _ended(_case: Case, outcome: Outcome) -> str:
    last = (outcome.err.strip().splitlines() or [""])[-1]
    if outcome.code == UNCAUGHT:
        raised = re.findall(r"^[\w.]+(?:Error|Exception|Interrupt|Exit)\b.*", outcome.err, re.M)
        return f"traceback: {_raised_in(outcome.err)}: {raised[-1] if raised else last}"
    if outcome.code < 0:
        where = re.search(r'File ".*?([^/"]+/[^/"]+)", line \d+ in \w+', outcome.err)
        kind = _SIGNALS.get(outcome.code, f"crash: signal {-outcome.code}")
        return f"{kind}: {where[0][-80:] if where else last}"
    if "too little memory" in last:
        return f"memory: {last}"
    return f"exit status: {outcome.code}" if outcome.code not in (0, 1, 2) else ""


def _raised_in(err: str) -> str:
    """The innermost line of this program in a traceback."""
    found = re.findall(r'File "[^"]*?/((?:hwmodels|energy|reports|neurt)/[^"]+)", line (\d+)', err)
    return ":".join(found[-1]) if found else "?"


def _talked(case: Case, outcome: Outcome) -> str:
    lines = [line for line in outcome.err.splitlines() if not line.startswith(_DOUBT)]
    if raw := re.search(r"Traceback|\w+Warning: .*", outcome.err):
        return f"warning: {raw[0]}"
    aside = "--json" in case.words  # what is said then goes there
    if outcome.code == 0 and lines and not aside:
        return f"talk on standard error: {lines[-1]}"
    if outcome.code:
        last = lines[-1] if lines else ""
        if not _PROGRAM.match(last):
            return f"no error line: {last!r}"
        if len(lines) > 1 and not aside:
            return f"more than one line: {lines[0]}"
        if len(_PROGRAM.sub("", last)) > LONGEST:
            return f"long line: {len(last)} characters: {last[:200]}"
    for name, text in (("output", outcome.out), ("error", outcome.err)):
        if found := _unprintable(text.replace("\r", "\x00")):
            return f"control character on standard {name}: {found}"
    return ""


def _unprintable(text: str) -> str:
    """The first control character, and what stands around it."""
    found = _CONTROL.search(text)
    return ascii(text[max(0, found.start() - 30) : found.end() + 30]) if found else ""


def _accepted(case: Case, outcome: Outcome) -> str:
    if case.nonsense and outcome.code == 0:
        return f"nonsense accepted: {case.nonsense}"
    if case.valid and outcome.code:
        return f"valid input refused: {outcome.err.strip().splitlines()[-1]}"
    return ""


def _left(_case: Case, outcome: Outcome) -> str:
    names = [path for path in outcome.written if path.rpartition("/")[2].startswith(".")]
    return f"left behind: {', '.join(names)}" if names else ""


def _wrote(case: Case, outcome: Outcome) -> str:
    written = dict(outcome.written)
    if "--json" in case.words and outcome.out:
        written["standard output.json"] = outcome.out.encode()
    for path, data in written.items():
        if path.endswith(_TEXTS) and (said := _text_fault(path, data)):
            return f"file: {re.sub('[0-9]{8}-[0-9]{6}', 'TIME', path)}: {said}"
    return ""


def _text_fault(path: str, data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return "not UTF-8"
    # The libraries of a page hold such characters; what is said of a run is JSON there.
    if found := _unprintable(re.sub("<script.*?</script>", "", text, flags=re.DOTALL)):
        return f"control character in {found}"
    if path.endswith(".json"):
        return _json_fault(text)
    if path.endswith(".csv"):
        return _csv_fault(text)
    if path.endswith((".html", ".svg", ".md")) and "<fuzz" in text:
        return "markup of an input"
    return ""


def _json_fault(text: str) -> str:
    def refuse(word: str) -> NoReturn:
        raise ValueError(word)

    def finite(word: str) -> float:
        return number if abs(number := float(word)) != float("inf") else refuse(word)

    try:
        json.loads(text, parse_constant=refuse, parse_float=finite)
    except ValueError as error:
        return f"no JSON of finite numbers: {error}"
    return ""


def _csv_fault(text: str) -> str:
    rows = list(csv.reader(io.StringIO(text)))
    for row in rows[1:]:
        if len(row) != len(rows[0]):
            return f"a row of {len(row)} cells below {len(rows[0])} headings"
        for heading, value in zip(rows[0], row, strict=True):
            word = value.lower().lstrip("-+")
            if heading not in _NAMES and word in ("nan", "inf", "infinity"):
                return f"column {heading} is {value}"
    return ""


def kind_of(said: str) -> Any:
    """What failures are grouped by: their kind and, of a traceback, its place and class."""
    parts = said.split(": ")
    return ": ".join(parts[:3] if parts[0] == "traceback" else parts[:2])
