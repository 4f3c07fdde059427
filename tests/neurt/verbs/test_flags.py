from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from neurt.cli import main
from neurt.requests.finetune import FinetuneRequest
from neurt.spiking.config import Form, SpikingConfig
from neurt.verbs.commands import COMMANDS, parse, parser

GOLDEN = Path(__file__).parents[2] / "golden" / "commands.txt"


def leaves(top: argparse.ArgumentParser, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                if sub._subparsers is None:
                    yield f"{prefix}{name}", sub
                else:
                    yield from leaves(sub, f"{prefix}{name} ")


def described(name: str, command: argparse.ArgumentParser) -> str:
    lines = [f"{name}: {command.description}"]
    for group in command._action_groups:
        shown = [a for a in group._group_actions if not isinstance(a, argparse._HelpAction)]
        lines += [f"  {group.title}"] if shown else []
        for action in shown:
            words = [", ".join(action.option_strings) or action.dest]
            words += [f"{{{','.join(map(str, action.choices))}}}"] if action.choices else []
            words += [str(action.metavar)] if action.metavar else []
            many = action.nargs == "+" or isinstance(action, argparse._AppendAction)
            words += ["..."] if many else []
            words += ["(required)"] if action.required else []
            lines.append(f"    {' '.join(words)}: {action.help}")
    return "\n".join([*lines, ""])


def test_commands_and_their_flags_are_those_of_the_golden_file(
    request: pytest.FixtureRequest,
) -> None:
    found = "\n".join(described(*command) for command in leaves(parser()))
    if request.config.getoption("--rewrite-golden"):
        GOLDEN.write_text(found, encoding="utf-8")
    assert found == GOLDEN.read_text(encoding="utf-8"), (
        "the commands changed; if they should have, rewrite the file with --rewrite-golden"
    )


def test_a_command_that_is_named_has_the_same_flags_as_among_all() -> None:
    every = dict(leaves(parser()))
    assert list(every) == [command.name for command in COMMANDS]
    for name in ("profile", "hw show"):
        assert described(name, dict(leaves(parser(name.split())))[name]) == described(
            name, every[name]
        )


def asked(*words: str) -> Any:
    return parse(words).request


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(words) == 2
    [said] = capsys.readouterr().err.splitlines()
    assert len(said) <= 300
    assert said.startswith("neurt-energy: ")
    assert said.endswith(" --help)")
    return said.removeprefix("neurt-energy: ").rpartition(" (see neurt-energy")[0]


# Words become values


def test_words_become_the_fields_of_a_request() -> None:
    words = "profile --model m --hw a --hw a --seq-len 7 --latency-s ssa=2e-3 --latency-s asa=1"
    request = asked(
        *words.split(), "--form", "softmax", "--threshold", "2", "--no-page", "--verify"
    )
    assert (request.model, request.hw, request.seq_len) == ("m", ("a", "a"), 7)
    assert request.latency_s == {"ssa": 2e-3, "asa": 1.0}
    assert (request.spiking.form, request.spiking.threshold) == ("softmax", 2.0)
    assert (request.page, request.verify, request.details) == (False, True, False)


def test_the_conversion_is_a_model_inside_the_request() -> None:
    words = "finetune --model m --text t --out o --form spikformer --lif-quantile .9 --no-baseline"
    assert asked(*words.split()) == FinetuneRequest(
        model="m",
        text="t",
        out=Path("o"),
        spiking=SpikingConfig(form=Form.SPIKFORMER, lif_quantile=0.9),
        baseline=False,
    )


def test_several_values_follow_one_flag_or_several() -> None:
    request = asked("breakeven", "--hw", "a", "--shapes", "8x4", "2x2", "--shapes", "768x3072")
    assert request.shapes == ((8, 4), (2, 2), (768, 3072))
    assert asked("reproduce", "--models", "a", "b").models == ("a", "b")
    assert asked("report", "a", "b").runs == (Path("a"), Path("b"))


@pytest.mark.parametrize(
    ("old", "field"),
    [
        ("reproduce --form softmax", "forms"),
        ("reproduce --code sar", "codes"),
        ("reproduce --memory 2", "memory_gib"),
        ("price c.csv --hw a --latency asa=1", "latency_s"),
        ("breakeven --hw a --shape 1x2", "shapes"),
    ],
)
def test_flags_of_version_0_1_that_were_shorter_are_understood(old: str, field: str) -> None:
    assert field in asked(*old.split()).model_fields_set


def test_without_out_files_go_below_runs_under_the_name_of_what_is_asked() -> None:
    for words, end in (
        ("plan --model some/gpt2 --hw a", "-gpt2"),
        ("count --model m --hw a", "-count-m"),
        ("sweep --model m", "sweep-m"),
        ("breakeven --hw a", "-breakeven"),
        ("reproduce", "reproduce"),
    ):
        out = asked(*words.split()).out
        assert out.parent == Path("runs")
        assert out.name.endswith(end)
    assert asked("sensitivity", "runs/first/counts.csv", "--hw", "a").out == Path("runs/first")


# Words that make no sense

PLAN = ["plan", "--model", "gpt2-small", "--hw", "45nm"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("", "the following arguments are required: COMMAND"),
        ("hw", "the following arguments are required: COMMAND"),
        ("profile --hw 45nm", "the following arguments are required: --model"),
        ("price --hw 45nm", "the following arguments are required: counts"),
        ("profle", "did you mean 'profile'?"),
        ("hw lsit", "did you mean 'list'?"),
        ("profile --modle gpt2", "unrecognized arguments: --modle; did you mean '--model'?"),
        ("profile --model m --hw a --spike-rate 0.1", "unrecognized arguments: --spike-rate"),
        ("plan --model m --hw a --form softmx", "did you mean 'softmax'?"),
        ("plan --model m --hw a --threshold 2", "unrecognized arguments: --threshold"),
        ("plan --model m --hw a --calibrate mse", "unrecognized arguments: --calibrate"),
        ("count --model m --hw a --form softmax", "unrecognized arguments: --form, which is "),
        ("plan --model m --hw a --coincidences", "--coincidences, which is a flag of profile"),
        ("count --model m --hw a --no-page", "--no-page, which is a flag of profile, plan, report"),
        ("plan --model m --hw a --seq-len 1_0", "--seq-len: must be an integer, not '1_0'"),
        ("plan --model m --hw a --seq-len 10.0", "--seq-len: must be an integer, not '10.0'"),
        ("plan --model m --hw a --seq-len ７", "--seq-len: must be an integer, not '７'"),
        ("plan --model m --hw a --spike-rate 1_0", "--spike-rate: must be a number, not '1_0'"),
        ("plan --model m --hw a --latency-s asa=1_0", "--latency-s: must be a number, not '1_0'"),
        (f"plan --model m --hw a --batch {'9' * 400}", "must be at most 10,000,000, not 9999"),
        (f"plan --model m --hw a --batch {'9' * 5000}", "--batch: must have fewer digits, not 99"),
        (f"plan --model {'m' * 256} --hw a", "--model: must be at most 255 bytes between slashes"),
        ("plan --model m --hw a --out \udc80", "argument --out: must be UTF-8, not '\\udc80'"),
        ("plan --model m\0 --hw a", "must not hold a null character, not 'm\\x00'"),
        (f"plan --model m --hw a --form {'x' * 9000}", "argument --form: invalid choice: 'xxx"),
        (f"plan --model m --hw a --{'x' * 9000}", "unrecognized arguments: --xxx"),
        ("profile --model m --hw a --seed -1", "argument --seed: must be at least 0, not -1"),
        (f"profile --model m --hw a --seed {2**64}", "must be at most 9,223,372,036,854,775,807"),
        ("sensitivity c.csv --hw a --samples 1000000000", "--samples: must be at most 1,000,000"),
        ("plan --model m --hw=", "argument --hw: must not be empty, not ''"),
        ("plan --model m --hw a --out=", "argument --out: must not be empty, not ''"),
        ("profile --model m --hw a --text=--", "argument --text: '--' is no value"),
        ("plan --model m --hw a --batch 1 --batch 2", "given more than once: '1', then '2'"),
        ("plan --model m --hw a --page --no-page", "--page/--no-page: is given more than once"),
        ("plan --model m --hw a --prompt 4", "--generate is missing"),
        ("price c.csv --hw a --hw b --latency-s asa=1", "but --hw names a, b; give one --hw"),
        ("sensitivity c.csv --hw a --latency-s asa=1", "--latency-s is given for asa alone"),
        ("profile --model m --hw a --form spikformer --dead-zone loss", "dead zones by loss are"),
        ("pretrain --text t --out o --width 6", "--width (= 6) must be divisible by --heads"),
        ("plan --model m --hw a --batch 0", "argument --batch: must be at least 1, not 0"),
        ("plan --model m --hw a --batch 1.5", "argument --batch: must be an integer, not '1.5'"),
        ("plan --model m --hw a --timesteps 65", "--timesteps: must be at most 64, not 65"),
        ("plan --model m --hw a --spike-rate nan", "--spike-rate: must be finite, not 'nan'"),
        ("plan --model m --hw a --spike-rate 1.5", "--spike-rate: must be at most 1, not 1.5"),
        ("profile --model m --hw a --threshold x", "--threshold: must be a number, not 'x'"),
        ("profile --model m --hw a --threshold 0", "--threshold: must be at least 1e-06, not 0"),
        ("profile --model m --hw a --threshold inf", "--threshold: must be finite, not 'inf'"),
        ("profile --model m --hw a --lif-quantile 2", "--lif-quantile: must be at most 1, not 2"),
        (
            "price c.csv --hw a --latency-s 1",
            "argument --latency-s: must be asa=SECONDS or ssa=SECONDS, not '1'",
        ),
        (
            "price c.csv --hw a --latency-s asa=1 --latency-s asa=2",
            "argument --latency-s: asa is given more than once",
        ),
        (
            "price c.csv --hw a --latency-s ssa=0",
            "argument --latency-s: the seconds of ssa must be above 0, not 0",
        ),
        ("breakeven --hw a --shapes 768", "--shapes: must be inputs x outputs, as in 768x3072"),
        ("breakeven --hw a --shapes 0x8", "--shapes: sizes must be 1 to 10,000,000, not 0x8"),
        ("check c.csv --tolerance 0.3", "argument --tolerance: must be at most 0.25, not 0.3"),
        (
            "sweep --model m --thresholds 1 0",
            "--thresholds: must be at least 1e-06, not 0",
        ),
    ],
)
def test_words_that_make_no_sense_are_one_line(
    words: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert says in refusal(capsys, *words.split())


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        ("plan --model m --hw a", "--context 9"),
        ("plan --model m --hw a --phase decode", "--seq-len 9"),
        ("plan --model m --hw a --prompt 4 --generate 4", "--seq-len 9"),
        ("plan --model m --hw a --prompt 4 --generate 4", "--context 9"),
        ("plan --model m --hw a --form spikformer", "--key-value streamed"),
        ("profile --model m --hw a --form softmax", "--lif-quantile 0.5"),
        ("profile --model m --hw a --form softmax", "--tau 3"),
        ("profile --model m --hw a --code sar", "--dead-zone output"),
        ("profile --model m --hw a --code pow2", "--calibrate mse"),
        ("profile --model m --hw a --code sar --calibrate mse", "--input-quantile 0.9"),
        ("profile --model m --hw a --code exact", "--threshold 2"),
        ("profile --model m --hw a --attention-code exact", "--attention-threshold 2"),
        ("profile --model m --hw a --weights pretrained", "--seed 1"),
        ("profile --model gpt2-nano --hw a", "--seed 1"),
        ("count --model smollm2-135m --hw a", "--seed 1"),
        ("profile --model m --hw a", "--detokenise"),
        ("evaluate --model m --form softmax", "--lif-quantile 0.5"),
        ("finetune --model m --text t --out o --train thresholds", "--layer-steps 3"),
        ("finetune --model m --text t --out o --train norms biases", "--layer-steps 3"),
        ("finetune --model m --text t --out o --train blocks", "--target-active-rate 0.5"),
        ("finetune --model m --text t --out o --train norms", "--target-events-per-mac 1"),
        ("finetune --model m --text t --out o --train norms", "--threshold-learning-rate 1"),
        ("finetune --model m --text t --out o", "--own-share 0.1"),
        ("finetune --model m --text t --out o --steps 0", "--own-tokens 999"),
        ("sweep --model m --codes sar", "--dead-zones loss"),
        ("sweep --model m --codes pow2", "--calibrate mse"),
        ("sweep --model m --ray local", "--jobs 2"),
        ("sweep --model m", "--gpus-per-point 1"),
        ("evaluate --model m", "--ray local"),
        ("reproduce --ray local", "--jobs 2"),
        ("reproduce --ray local", "--memory-gib 2"),
        ("reproduce", "--cpus-per-point 2"),
        ("reproduce --forms spikformer", "--key-values streamed"),
        ("breakeven --hw a --run r", "--timesteps 2"),
        ("breakeven --hw a --run r", "--seq-len 2"),
        ("price c.csv --hw a --accounting lemaire", "--dataflow layerwise"),
        ("price c.csv --hw a --accounting lemaire", "--latency-s asa=1"),
        ("report a b --compare", "--details"),
    ],
)
def test_a_flag_without_effect_is_refused_with_the_rule(
    words: str, flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name = flag.split()[0]
    said = refusal(capsys, *words.split(), *flag.split())
    assert said.startswith(f"argument {name}: has no effect here: ")
    asked(*words.split())  # without it, all is well


def test_what_is_not_done_anyway_may_be_refused() -> None:
    words = "plan --model m --hw a --batch 1,8 --no-page"
    assert not asked(*words.split()).page


# What every command can do


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("neurt-energy 0.")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_of_each_shell_is_printed(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", shell]) == 0
    said = capsys.readouterr().out
    assert "neurt-energy" in said
    assert "_ARGCOMPLETE" in said


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("neurt-energy prof", {"profile"}),
        ("neurt-energy plan --form ", {"spikformer", "softmax"}),
        ("neurt-energy plan --spike", {"--spike-rate"}),
        ("neurt-energy hw va", {"validate"}),
        ("neurt-energy plan --hw true", {"truenorth"}),
        ("neurt-energy plan --model gpt2-na", {"gpt2-nano", "gpt2-nano-spiking"}),
    ],
)
def test_words_are_completed(line: str, completed: set[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    env = {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_STDOUT_FILENAME": str(out), "COMP_LINE": line}
    env |= {"COMP_POINT": str(len(line)), "_ARGCOMPLETE_IFS": "\n"}
    subprocess.run(
        [sys.executable, "-m", "neurt.cli"], env=os.environ | env, check=True, cwd=tmp_path
    )
    assert {word.strip() for word in out.read_text().split("\n")} == completed


def test_help_is_grouped_and_needs_neither_torch_nor_tables() -> None:
    script = (
        "import contextlib, io, sys\n"
        "from neurt.cli import main\n"
        "for name in sys.argv[1:]:\n"
        "    with contextlib.redirect_stdout(io.StringIO()) as said:\n"
        "        with contextlib.suppress(SystemExit):\n"
        "            main([*name.split(), '--help'])\n"
        "    assert 'usage: neurt-energy ' + name in said.getvalue()\n"
        "heavy = {'torch', 'transformers', 'pandas', 'matplotlib', 'ray', 'rich'}\n"
        "print(*heavy & {*sys.modules})"
    )
    names = [command.name for command in COMMANDS]
    run = subprocess.run(
        [sys.executable, "-c", script, *names], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == []


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    config = {"model_type": "gpt2", "n_layer": 2, "n_embd": 32, "n_head": 4, "n_positions": 64}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return tmp_path


TINY = ["plan", "--model", "config.json", "--hw", "45nm", "--seq-len", "8", "--out", "out"]
BARE = ["--pictures", "none", "--no-page"]


def test_json_is_what_run_json_holds_and_nothing_else(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*TINY, *BARE, "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == json.loads((tiny / "out" / "run.json").read_text())
    assert "saved on" in said.err


def test_json_of_a_table_has_numbers_and_nulls(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tiny / "counts.csv").write_text("layer,mac\na,1000\n", encoding="utf-8")
    assert main(["price", "counts.csv", "--hw", "45nm", "--json"]) == 0
    [row, total] = json.loads(capsys.readouterr().out)["energy"]
    assert (row["layer"], row["compute_pj"], total["layer"]) == ("a", 4600.0, "TOTAL")
    assert row["static_pj"] is None


def test_quiet_says_nothing_but_errors(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TINY, *BARE, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert (tiny / "out" / "run.json").is_file()
    assert main([*TINY, *BARE, "--quiet"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "already holds a run; choose another --out, or --force" in said.err


def test_pictures_and_page_are_written_as_asked(tiny: Path) -> None:
    assert main([*TINY, *BARE, "--quiet"]) == 0
    suffixes = {path.suffix for path in (tiny / "out").iterdir()}
    assert suffixes == {".csv", ".md", ".json", ".bib"}
    more = ["--pictures", "svg", "--force", "--quiet"]
    assert main([*TINY, *more]) == 0
    assert {path.suffix for path in (tiny / "out").iterdir()} == suffixes | {".svg", ".html"}
    # What replaces a run leaves none of its pictures, but what is the user's own.
    (tiny / "out" / "layers_mine.svg").touch()
    assert main([*TINY, *BARE, "--force", "--quiet"]) == 0
    assert [path.name for path in (tiny / "out").glob("*.svg")] == ["layers_mine.svg"]
    assert not (tiny / "out" / "report.html").exists()


def test_a_reader_that_goes_away_loses_nothing(tiny: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "neurt.cli", *TINY, *BARE],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0
    assert (tiny / "out" / "run.json").is_file()


@pytest.mark.parametrize("words", ["profile --hw 45nm", "evaluate", "finetune --text t --out o"])
@pytest.mark.parametrize(
    "flag", ["--timesteps 2", "--calibration text.txt", "--calibration-tokens 99"]
)
def test_a_converted_model_keeps_its_conversion(
    words: str, flag: str, capsys: pytest.CaptureFixture[str], tiny: Path
) -> None:
    assert main([*words.split(), "--model", "gpt2-nano-spiking", *flag.split()]) == 1
    said = capsys.readouterr().err
    assert "'gpt2-nano-spiking' is a converted model and keeps its conversion" in said
    assert not list(tiny.glob("[or]*"))
