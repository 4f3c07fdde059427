from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from neurt.cli import main

pytestmark = pytest.mark.usefixtures("alone")

#: Every argument of a command that is a file or may be one: it stands at the "@".
ARGUMENTS = """\
breakeven --hw 45nm --run @
breakeven --hw 45nm --model @
breakeven --model gpt2-nano --hw @
check @
convert --model @ --out out
convert --model gpt2-nano --calibration @ --out out
count --model @ --hw 45nm --out out
evaluate --model @ --out out
evaluate --model gpt2-nano --text @ --out out
finetune --model @ --text sotu --out out
finetune --model gpt2-nano --text @ --out out
hw diff 45nm @
hw new mine --extends @
hw show @
hw validate @
map --model @ --hw 45nm --out out
map --run @ --hw 45nm --out out
map --model gpt2-nano --hw @ --out out
plan --model @ --hw 45nm --out out
price @ --hw 45nm
price counts.csv --hw @
price counts.csv --hw 45nm --out @
profile --model @ --hw 45nm --out out
profile --model gpt2-nano --hw 45nm --text @ --out out
report @ --out out
reproduce --models @ --out out
reproduce --models gpt2-nano --hw @ --out out
sensitivity @ --hw 45nm
sweep --model @ --out out
sweep --model gpt2-nano --text @ --out out
"""


@pytest.fixture
def at_most_20_seconds() -> Iterator[None]:
    def hangs(*_: object) -> None:
        raise AssertionError("it reads on and on")

    kept = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, kept)


@pytest.mark.usefixtures("at_most_20_seconds")
@pytest.mark.parametrize("words", ARGUMENTS.splitlines())
@pytest.mark.parametrize("kind", ["device", "pipe", "huge"])
def test_what_is_no_file_of_a_sensible_size_is_one_line_at_once(
    tmp_path: Path, words: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "counts.csv").write_text("layer,mac\na,1\n", encoding="utf-8")
    given = "/dev/zero" if kind == "device" else kind
    if kind == "pipe":
        os.mkfifo(kind)
    if kind == "huge":
        with Path(kind).open("wb") as file:  # zeros that take no room
            file.truncate(64 * 10**9)
    assert main([given if word == "@" else word for word in words.split()]) == 1
    said = capsys.readouterr().err
    assert said.startswith("neurt-energy: ")
    assert said.count("\n") == 1
    assert not Path("out").exists()
