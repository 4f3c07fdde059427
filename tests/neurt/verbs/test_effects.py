"""No flag is taken in silence: each shows in what is written, or is refused."""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from typing import NamedTuple

import nir
import numpy as np
import pytest
from flags import COMMANDS, EVERYWHERE, Flags
from matplotlib.figure import Figure

from neurt.cli import main
from neurt.verbs.commands import parser

#: Columns that repeat what was asked for.
ECHOED = {"timesteps", "phase", "attention", "batch", "dataflow", "seed", "samples", "hw", "model"}
ECHOED |= {"weights", "tokens"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that the command lines name."""
    here = tmp_path_factory.mktemp("effects")
    sizes: dict[str, object] = {"n_embd": 16, "n_head": 2, "vocab_size": 50257, "n_positions": 256}
    sizes["activation_function"] = "relu"  # whose zeros depend on weights and text
    for name, layers in (("model", 2), ("other", 1)):
        (here / name).mkdir()
        config = json.dumps({"model_type": "gpt2", "n_layer": layers, **sizes})
        (here / name / "config.json").write_text(config, encoding="utf-8")
    cited = 'source = "s"\nevidence = "measured"\n'
    warm = f'extends = "45nm"\nname = "warm"\n[static_power]\nwatts = 2\n{cited}'
    (here / "warm.toml").write_text(warm, encoding="utf-8")
    sram = "curve = [[1024, 1.25]]\ncapacity_bytes = 65536\n"
    small = f'extends = "45nm"\nname = "small"\n[memory.sram]\n{sram}{cited}'
    (here / "small.toml").write_text(small, encoding="utf-8")
    # 13 % above 4.6 pJ x 1e9 operations.
    (here / "claims.csv").write_text("model,true_macs,ann_energy_mj\na,1e9,5.2\n", "utf-8")
    (here / "text.txt").write_text("Another text. " * 200, encoding="utf-8")
    full = np.ones(8)
    graph = nir.NIRGraph.from_list(
        nir.Affine(np.eye(8, 6), 0.3 * full),
        nir.LIF(tau=1e-3 * full, r=10 * full, v_leak=0 * full, v_threshold=full),
        nir.Linear(np.ones((2, 8))),
    )
    nir.write(here / "net.nir", graph)
    np.save(here / "events.npy", np.ones((9, 6)))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        flags = "--model model --hw 45nm --hw loihi --seq-len 8 --pictures none --no-page --out run"
        assert main(["plan", *flags.split()]) == 0
    return here


def flags_of(command: str) -> set[str]:
    [rooms] = [x for x in parser()._actions if isinstance(x, argparse._SubParsersAction)]
    actions = rooms.choices[command.split()[0]]._actions
    return {flag[2:] for x in actions for flag in x.option_strings if flag.startswith("--")}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_flag_has_a_trial(command: str) -> None:
    assert {*COMMANDS[command][1]} == flags_of(command) - EVERYWHERE


class Ran(NamedTuple):
    """How a command ended, and what it showed."""

    status: int
    numbers: dict[str, list[list[str]]]
    names: set[str]
    words: str
    error: str
    card: str
    widths: dict[str, str]


Run = Callable[[str, Flags], Ran]


@pytest.fixture(scope="module")
def run(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a command in the place, with an output directory of its own; once, if asked again."""

    @cache
    def call(command: str, flags: tuple[tuple[str, str | None], ...]) -> Ran:
        out, said, error = tmp_path_factory.mktemp("ran") / "out", io.StringIO(), io.StringIO()
        words = command.split()
        for name, value in flags:
            words += [] if value is None else [f"--{name}", *value.split()]
        target = out / "found.csv" if words[0] == "check" else out
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), redirect_stderr(error):
            patch.chdir(place)
            patch.setattr("reports.kit.style.save", save_width)
            status = main([*words, "--out", str(target)])
        files = {str(path.relative_to(out)): path for path in out.rglob("*") if path.is_file()}
        tables = {
            name: numbers(path.read_text(encoding="utf-8"))
            for name, path in files.items()
            if name.endswith(".csv")
        }
        shown = said.getvalue().replace(str(out), "OUT")
        shown += "".join(x.read_text(encoding="utf-8") for x in out.rglob("*.tex"))
        card = files["card.md"].read_text(encoding="utf-8") if "card.md" in files else ""
        drawn = {name: x.read_text("utf-8") for name, x in files.items() if x.suffix == ".png"}
        return Ran(status, tables, {*files}, shown, error.getvalue(), card, drawn)

    return lambda command, flags: call(command, tuple(flags.items()))


def save_width(figure: Figure, path: Path) -> None:
    path.write_text(f"{figure.get_figwidth()} inches", "utf-8")


def numbers(text: str) -> list[list[str]]:
    """The cells of a table, but for those that repeat what was asked for."""
    header, *rows = csv.reader(io.StringIO(text))
    kept = [at for at, name in enumerate(header) if name not in ECHOED]
    return [[row[at] for at in kept] for row in rows]


CASES = [(command, flag) for command, (_, flags) in COMMANDS.items() for flag in flags]


@pytest.mark.parametrize(("command", "flag"), CASES, ids=[f"{c} --{f}" for c, f in CASES])
def test_a_flag_shows_where_it_is_taken(command: str, flag: str, run: Run) -> None:
    base, flags = COMMANDS[command]
    trial = flags[flag]
    before = run(command, {**base, **trial.beside})
    after = run(command, {**base, **trial.beside, flag: trial.value})
    assert (before.status, after.status) == (0, 0), before.error + after.error
    assert getattr(after, trial.shows) != getattr(before, trial.shows)
    if trial.alone:
        refused = run(command, {**base, flag: trial.value})
        assert refused.status in (1, 2)
        assert trial.alone in refused.error
