"""Texts to run on, to calibrate with and to train on."""

from __future__ import annotations

from random import Random

from ..case import Case, Draw
from ..seeds import CALIBRATION, SIZES, TRAINING, Seeds, under
from ..values import HOSTILE, change_bytes

_QUIET = "--pictures none --out out"
_SHORT = f"--max-tokens 16 --window 8 {CALIBRATION}"
_COMMANDS = (
    *[f"count --model model --text text.txt --seq-len 8 --hw 45nm {_QUIET}"] * 4,
    f"profile --model model --text text.txt --seq-len 8 --hw 45nm --no-page {CALIBRATION} {_QUIET}",
    f"convert --model model --calibration text.txt {CALIBRATION} --window 8 --out out",
    f"evaluate --model model --text text.txt --detokenise {_SHORT} {_QUIET}",
    f"pretrain --text text.txt {SIZES} {TRAINING} --out out",
)


def _change(random: Random, text: bytes) -> tuple[bytes, str]:
    how = random.choice(
        ("hostile", "one line", "blank", "short", "long word", "other script", "ends")
    )
    new = {
        "hostile": text[:200] + "".join(HOSTILE).encode() * 3 + text[200:],
        "one line": text.replace(b"\n", b" "),
        "blank": b"\n \t" * random.choice((0, 1, 1000)),
        "short": text[: random.choice((0, 1, 2, 5, 30))],
        "long word": b"a" * random.choice((10_000, 1_000_000)),
        "other script": "鯨は海を泳ぐ。".encode() * random.choice((1, 500)),
        "ends": text.replace(b"\n", random.choice((b"\r\n", b"\r", b"\x85", b"\x0c"))),
    }[how]
    return new, how


def case(draw: Draw, seeds: Seeds) -> Case:
    """A text, and a command that reads it."""
    text = draw.changed(seeds.text, _change, change_bytes)
    faults = [("a text that is not UTF-8", lambda _, text: text[:9] + b"\xff\xfe\xfa" + text[9:])]
    files = under("model", seeds.model) | {"text.txt": draw.spoilt(text, faults)}
    return draw.case(draw.choice(_COMMANDS).split(), files)
