"""Command lines out of everything that every command takes."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import cache

from ..case import Case, Draw
from ..seeds import CALIBRATION, CLAIMS, FOREIGN, PROFILE, SIZES, SWEEP, TRAINING, Seeds, under
from ..values import CELLS, WORDS, shown, to_csv, to_toml

_READING = "--seq-len 4 --hw 45nm --pictures none --out out"
_TAUGHT = f"--held-out-tokens 16 --out out {CALIBRATION}"
_GRID = "--models model --timesteps 2 --hw 45nm --tokens 4 --jobs 1"
#: A small valid command line of each command.
_BASES = (
    f"profile --model model {_READING} --no-page {CALIBRATION}",
    *[f"plan --model model {_READING} --no-page"] * 3,
    *[f"count --model model {_READING}"] * 2,
    f"convert --model model {CALIBRATION} --window 8 --out out",
    f"evaluate --model model --max-tokens 16 --window 8 --pictures none --out out {CALIBRATION}",
    f"sweep --model model {SWEEP} --out out",
    f"pretrain --text text.txt {SIZES} {TRAINING} --out out",
    f"finetune --model model --text text.txt --layer-steps 1 --steps 1 --tokens 8 {_TAUGHT}",
    *["price counts.csv --hw 45nm --out out"] * 2,
    *["report run --pictures none --no-page --out out"] * 2,
    f"reproduce {_GRID} --pictures none --out out",
    *["breakeven --shapes 8x8 --hw 45nm --pictures none --out out"] * 2,
    *["map --model model --batches 1 2 --contexts 4 --hw 45nm --pictures none --out out"] * 2,
    *["sensitivity run --hw 45nm --samples 50 --pictures none --out out"] * 2,
    *["check claims.csv --out found.csv"] * 2,
    *("hw list", "hw show 45nm", "hw diff 45nm loihi", "hw new mine", "hw validate my.toml"),
    *("hw schema", "completion bash"),
)
#: How much there is to do: a large number is no fault, and would take its time.
_WORK = {
    *("--steps", "--layer-steps", "--tokens", "--seq-len", "--batch", "--windows", "--max-tokens"),
    *("--context", "--prompt", "--generate", "--calibration-tokens", "--held-out-tokens"),
    *("--samples", "--layers", "--width", "--vocabulary", "--positions", "--jobs", "--window"),
    *("--batches", "--contexts", "--windows-in-parallel"),
    *("--timesteps", "--models", "--model", "--ray", "--codes", "--forms", "--thresholds"),
}
_FILES = ("model", "run", "counts.csv", "my.toml", "text.txt", "claims.csv", "nothing", ".", "/")
_SMALL = ("0", "1", "2", "3", "-1", "1.5", "nan", "inf", "1e400", "1_0", "٣", "", "x", "-")
#: Flags that take `NAME=NUMBER`, and their names.
_PAIRS = {
    "--widths": ("weights", "activations", "vectors", "kv", "accumulators", "weights=4,kv"),
    "--reuse": ("mac", "event", "mac=2,event", "both"),
    "--latency-s": ("asa", "ssa", "asa=1,ssa", "it"),
}
#: Commands whose points or steps are run in processes of their own, which takes seconds to start.
_SLOW = ("sweep", "reproduce", "finetune", "pretrain")


@cache
def _parsers() -> dict[str, argparse.ArgumentParser]:
    from neurt.verbs.commands import parser

    def below(
        one: argparse.ArgumentParser, name: str = ""
    ) -> Iterator[tuple[str, argparse.ArgumentParser]]:
        rooms = [x for x in one._actions if isinstance(x, argparse._SubParsersAction)]
        if not rooms:
            yield name.strip(), one
        for room in rooms:
            for word, inner in room.choices.items():
                yield from below(inner, f"{name} {word}")

    return dict(below(parser()))


def _value(draw: Draw, action: argparse.Action, *, work: bool) -> str:
    pools: list[tuple[str, ...]] = [_SMALL]
    if action.choices:
        pools += [tuple(map(str, action.choices))] * 4
    if not work:
        pools += [CELLS, WORDS, _FILES]
    if pairs := _PAIRS.get(action.option_strings[-1]):
        number = draw.choice((*_SMALL, "4.5", "8", "16", "64", *CELLS))
        pools += [tuple(f"{name}={number}" for name in pairs)] * 6
    return str(draw.choice(draw.choice(pools))).replace("\x00", "?")  # no shell can pass that on


def _extra(draw: Draw, name: str) -> list[str]:
    """A flag of the command with a value, or a word that belongs nowhere."""
    actions = [x for x in _parsers()[name]._actions if x.option_strings and x.dest != "help"]
    if not actions or draw.random() < 0.1:
        return [
            draw.choice((*WORDS, "--", "-", "--=", "-x", "--nothing", "--o")).replace("\x00", "?")
        ]
    action = draw.choice(actions)
    flag = draw.choice(action.option_strings)
    if action.nargs == 0:
        return [flag]
    value = _value(draw, action, work=flag in _WORK)
    return draw.choice(([flag, value], [f"{flag}={value}"], [flag, value], [flag]))


def case(draw: Draw, seeds: Seeds) -> Case:
    """A command line, among files that some of its words name."""
    while (base := draw.choice(_BASES)).split()[0] in _SLOW and draw.random() < 0.7:
        pass
    words = base.split()
    name = " ".join(words[: 2 if words[0] == "hw" else 1])
    if draw.mode != "valid":
        for _ in range(draw.choice((1, 1, 2, 3))):
            extra = _extra(draw, name)
            words += extra
            draw.changes[len(draw.changes)] = " ".join(map(shown, extra))
        if draw.random() < 0.2:
            del words[draw.randrange(len(words))]
    found = under("model", seeds.model) | under("run", seeds.planned) | {"text.txt": seeds.text}
    found |= {
        "counts.csv": to_csv(FOREIGN),
        "claims.csv": to_csv(CLAIMS),
        "my.toml": to_toml(PROFILE),
    }
    return draw.case(words, found)
