from __future__ import annotations

import csv
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import refused
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

import neurt.learning.course
import neurt.learning.finetune
from neurt.closed_form.passes import PlanError
from neurt.learning.checkpoint import CHECKPOINT, CheckpointError
from neurt.learning.finetune import UNFINISHED, run_finetune
from neurt.learning.objectives import Distillation
from neurt.learning.pretrain import perplexity
from neurt.learning.training import TrainingError
from neurt.loading.source import ModelError
from neurt.requests.finetune import FinetuneRequest
from neurt.spiking.config import Code, DeadZone, Form, SpikingConfig
from neurt.spiking.modeling import spiking_class
from neurt.text.corpus import CorpusError
from reports.kit.files import OutputError
from reports.training.finetuned import Finetuned, Reading
from reports.training.metrics import MetricsRow, read_metrics
from reports.training.picture import training_picture

pytestmark = pytest.mark.usefixtures("sketched_training", "alone")

OUTPUT = DeadZone.OUTPUT
POW2 = SpikingConfig(form=Form.SOFTMAX, code=Code.POW2, timesteps=2, dead_zone=OUTPUT)
SPIKFORMER = SpikingConfig(form=Form.SPIKFORMER, dead_zone=OUTPUT)
FILES = {
    "analog/config.json",
    "analog/generation_config.json",
    "analog/model.safetensors",
    "analog/tokenizer.json",
    "analog/tokenizer_config.json",
    "calibration.txt",
    "config.json",
    "finetune.json",
    "generation_config.json",
    "heldout.txt",
    "metrics.csv",
    "model.safetensors",
    "stages.csv",
    "tokenizer.json",
    "tokenizer_config.json",
    "training.png",
    "training.svg",
}

Ask = Callable[..., FinetuneRequest]


@pytest.fixture(scope="module")
def asked(trained: Path, passages: Path) -> Ask:
    def make(**changes: Any) -> FinetuneRequest:
        how = {"layer_steps": 2, "steps": 3, "batch": 2, "tokens": 16, "warmup_steps": 1}
        limits = {"save_every": 1, "learning_rate": 5e-3, "held_out_tokens": 64}
        what = {"model": str(trained), "text": str(passages)}
        return FinetuneRequest(**what | how | limits | changes)

    return make


@pytest.fixture
def ask(asked: Ask, tmp_path: Path) -> Ask:
    return lambda **changes: asked(**{"out": tmp_path / "out"} | changes)


@pytest.fixture(scope="module")
def cut_short(asked: Ask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    # What a training leaves that was interrupted in its second stage.
    out = tmp_path_factory.mktemp("cut") / "out"
    with pytest.raises(KeyboardInterrupt):
        run_finetune(asked(out=out), stopping("distilled", 2))
    return out


@pytest.fixture(scope="module")
def finished(asked: Ask, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Finetuned]:
    out = tmp_path_factory.mktemp("finished") / "out"
    return out, finetuned(asked(out=out))


def content(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def without_speed(rows: list[MetricsRow]) -> list[MetricsRow]:
    return [replace(row, tokens_per_second=0.0) for row in rows]


def same_results(one: Path, other: Path) -> None:
    """All files are the same, byte for byte; of the metrics, all but the speed."""
    ours, theirs = content(one), content(other)
    assert ours.keys() == theirs.keys()
    metrics = [without_speed(read_metrics(path / "metrics.csv")) for path in (one, other)]
    assert metrics[0] == metrics[1]
    for name in ours.keys() - {"metrics.csv"}:
        if name.endswith(".safetensors"):  # which writes its header in any order
            a, b = load_file(one / name), load_file(other / name)
            assert a.keys() == b.keys()
            for key in a:
                assert torch.equal(a[key], b[key]), f"{name}: {key}"
        else:
            assert ours[name] == theirs[name], name


def stopping(stage: str, step: int) -> Callable[[str, int, int], None]:
    def progress(what: str, done: int, _total: int) -> None:
        if (what, done) == (stage, step):
            raise KeyboardInterrupt

    return progress


def finetuned(request: FinetuneRequest) -> Finetuned:
    found = run_finetune(request)
    assert found is not None
    return found


def weights(directory: Path) -> dict[str, Tensor]:
    return load_file(directory / "model.safetensors")


# What it makes


def test_each_stage_is_better_than_the_one_before_it(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reports.training.picture.training_picture", training_picture)
    said: list[str] = []
    sizes = {"layer_steps": 15, "steps": 15, "batch": 4, "tokens": 32, "held_out_tokens": 8192}
    found = run_finetune(
        ask(**sizes, spiking=SPIKFORMER, warmup_steps=3, learning_rate=1e-2, save_every=50),
        say=said.append,
    )
    assert found is not None
    stages = {one.stage: one for one in found.judged}
    assert [(name, one.steps) for name, one in stages.items()] == [
        ("analog", 0),
        ("converted", 0),
        ("layerwise", 15),
        ("distilled", 15),
        ("analog, same training text", 15),
    ]
    analog, converted, layerwise, distilled, _ = (one.perplexity for one in stages.values())
    assert analog < distilled < layerwise < converted
    assert content(tmp_path / "out").keys() == FILES
    # Stage 1 knows no events; stage 2 does, and the analog model has none.
    assert [row.stage for row in found.metrics] == (
        ["layerwise"] * 15 + ["distilled"] * 15 + ["analog"] * 15
    )
    assert [row.scalars.keys() for row in found.metrics[::15]] == [
        {"loss"},
        {
            *("loss", "kl", "cross_entropy"),
            *("events_per_mac", "events_per_mac_feedforward", "active_rate"),
        },
        {"loss"},
    ]
    with (tmp_path / "out" / "stages.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["perplexity"]) for row in rows] == [one.perplexity for one in found.judged]
    assert said[0] == "tiny: weights=local(tiny)"
    assert any(
        line.startswith(f"distilled: held-out perplexity {distilled:.2f}, KL 0.") for line in said
    )


def test_what_was_asked_and_used_is_written_beside_it(ask: Ask, tmp_path: Path) -> None:
    finetuned(ask(spiking=POW2, layer_steps=0, steps=1))
    facts = json.loads((tmp_path / "out" / "finetune.json").read_bytes())
    assert facts["weights"] == "local(tiny)"
    assert facts["spiking"] == POW2.model_dump(mode="json")
    assert facts["steps"] == 1
    assert facts["versions"].keys() >= {"torch", "transformers", "neurt-energy"}
    assert not {"out", "resume"} & facts.keys()  # they do not change the result


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_the_perplexity_is_that_of_the_model_in_the_file(
    ask: Ask, trained: Path, passages: Path, tmp_path: Path, dtype: str
) -> None:
    found = finetuned(ask(save_dtype=dtype))
    tokenizer = AutoTokenizer.from_pretrained(trained)
    text = (passages / "5.txt").read_text(encoding="utf-8")
    ids = torch.tensor([*tokenizer.encode(text), tokenizer.eos_token_id])[:64]
    judged = {one.stage: one.perplexity for one in found.judged}
    for directory, stage in (("", "distilled"), ("analog", "analog, same training text")):
        loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "out" / directory)
        assert perplexity(loaded, [ids], 16).perplexity == judged[stage]


def test_the_same_request_gives_the_same_files(
    ask: Ask, finished: tuple[Path, Finetuned], tmp_path: Path
) -> None:
    run_finetune(ask())
    same_results(finished[0], tmp_path / "out")


# What is trained


# Lower thresholds than by default, so that on every machine some neuron of this tiny model fires.
@pytest.mark.parametrize(
    "spiking",
    [SPIKFORMER.model_copy(update={"lif_quantile": 0.2}), POW2],
    ids=["spikformer", "softmax"],
)
def test_the_attention_blocks_and_all_thresholds_learn_by_default(
    ask: Ask, trained: Path, tmp_path: Path, spiking: SpikingConfig
) -> None:
    finetuned(ask(spiking=spiking))
    before = load_file(trained / "model.safetensors")
    after, analog = weights(tmp_path / "out"), weights(tmp_path / "out" / "analog")
    for name, tensor in before.items():
        learned = ".attn." in name
        assert torch.equal(after[name], tensor) != learned, name
        assert torch.equal(analog[name], tensor) != learned, name


def test_thresholds_learn_alone_and_weights_stay_bit_for_bit(
    ask: Ask, trained: Path, tmp_path: Path
) -> None:
    cold = finetuned(ask(spiking=POW2, steps=0, layer_steps=0, out=tmp_path / "cold"))
    found = finetuned(ask(spiking=POW2, train="thresholds"))
    # Stage 1 has nothing to train then, and the analog model no threshold.
    assert [one.stage for one in found.judged] == ["analog", "converted", "distilled"]
    assert found.judged[:2] == cold.judged
    before, after = weights(tmp_path / "cold"), weights(tmp_path / "out")
    original = load_file(trained / "model.safetensors")
    assert before.keys() == after.keys()
    for name, tensor in after.items():
        moved = name.endswith("threshold")
        assert torch.equal(tensor, before[name]) != moved, name
        assert moved or torch.equal(tensor, original[name]), name
        assert not moved or bool((tensor > 0).all()), name
    assert not (tmp_path / "out" / "analog").exists()  # the weights are those of the analog model


def test_everything_learns_if_asked_for_and_the_model_it_came_from_stays(
    ask: Ask, trained: Path, tmp_path: Path
) -> None:
    files = content(trained)
    finetuned(ask(spiking=POW2, train="all", layer_steps=0))
    assert content(trained) == files
    before, after = load_file(trained / "model.safetensors"), weights(tmp_path / "out")
    assert [name for name, tensor in before.items() if torch.equal(after[name], tensor)] == []


def test_each_stage_and_the_analog_model_may_learn_at_their_own_rate(ask: Ask) -> None:
    how = {"learning_rate": 4e-3, "layer_learning_rate": 8e-3, "baseline_learning_rate": 1e-3}
    made = finetuned(ask(train="attention", warmup_steps=0, **how))
    highest: dict[str, float] = {}
    for row in made.metrics:
        highest[row.stage] = max(row.learning_rate, highest.get(row.stage, 0.0))
    assert highest == {"layerwise": 8e-3, "distilled": 4e-3, "analog": 1e-3}


@pytest.mark.parametrize(
    ("change", "stages", "baseline"),
    [
        (
            {"layer_steps": 0},
            ["analog", "converted", "distilled", "analog, same training text"],
            True,
        ),
        # After stage 1 its weights are not those of an analog model any more.
        ({"steps": 0}, ["analog", "converted", "layerwise"], True),
        ({"steps": 0, "layer_steps": 0}, ["analog", "converted"], False),
        ({"baseline": False}, ["analog", "converted", "layerwise", "distilled"], False),
    ],
    ids=str,
)
def test_a_stage_of_no_steps_is_left_out(
    ask: Ask, trained: Path, tmp_path: Path, change: Any, stages: list[str], baseline: bool
) -> None:
    found = finetuned(ask(**change))
    assert [one.stage for one in found.judged] == stages
    assert (tmp_path / "out" / "analog" / "model.safetensors").exists() == baseline
    assert (tmp_path / "out" / "metrics.csv").exists() == bool(found.metrics)
    assert not (tmp_path / "out" / UNFINISHED).exists()
    if "analog, same training text" not in stages and baseline:
        before = load_file(trained / "model.safetensors")
        after = weights(tmp_path / "out" / "analog")
        assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_a_target_lowers_the_events_per_mac(ask: Ask) -> None:
    ends = []
    for target in (None, 0.2):
        shutil.rmtree(ask().out, ignore_errors=True)
        found = finetuned(
            ask(
                spiking=POW2,
                layer_steps=0,
                steps=12,
                train="thresholds",
                learning_rate=0.05,
                target_events_per_mac=target,
            )
        )
        ends.append([row.scalars["events_per_mac"] for row in found.metrics])
    assert ends[0][0] == ends[1][0]  # the same start
    # 0.99 without a target, 0.80 with it; the last digits depend on the processor.
    assert ends[1][-1] < 0.9 * ends[0][-1]


# A converted model goes on


def test_a_fine_tuned_model_is_fine_tuned_further(ask: Ask, tmp_path: Path) -> None:
    first = finetuned(ask(spiking=POW2))
    said: list[str] = []
    # The conversion asked for is that of the command line's defaults; the model keeps its own.
    second = run_finetune(ask(model=str(tmp_path / "out"), out=tmp_path / "more"), say=said.append)
    assert second is not None
    assert said[:3] == [
        "out: weights=local(out)",
        "out is a converted model: it keeps its own conversion and thresholds.",
        f"Teacher: {tmp_path / 'out' / 'analog'}, weights=local(analog).",
    ]
    before, after = ({one.stage: one.perplexity for one in f.judged} for f in (first, second))
    # It starts where it was, its thresholds included, and so does the analog model beside it.
    assert after["converted"] == before["distilled"]
    assert after["analog"] == before["analog, same training text"]
    config = json.loads((tmp_path / "more" / "config.json").read_bytes())
    assert SpikingConfig.model_validate(config["spiking"]) == POW2


def test_thresholds_of_a_fine_tuned_model_keep_their_analog_model(
    ask: Ask, finished: tuple[Path, Finetuned], tmp_path: Path
) -> None:
    finetuned(ask(model=str(finished[0]), train="thresholds"))
    one, other = (weights(path / "analog") for path in (finished[0], tmp_path / "out"))
    assert all(torch.equal(one[name], other[name]) for name in one)


# Interruption

KILLED = """
import os, random, signal, sys
import neurt.learning.finetune, reports.training.picture
from matplotlib.figure import Figure
from neurt.cli import main

reports.training.picture.training_picture = lambda *_: Figure((1, 1))

def run(words, out, kill_at=None):
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(writer, 1)
        os.close(reader)
        sys.stdout = os.fdopen(1, "w")
        os._exit(main([*words, "--out", out]))
    os.close(writer)
    with os.fdopen(reader) as lines:
        for line in lines:
            if kill_at is not None and line.startswith(kill_at):
                os.kill(child, signal.SIGKILL)
                break
        lines.read()
    _, status = os.waitpid(child, 0)
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)

*words, step = sys.argv[1:]
print(run(words, "whole"))
steps = [f"{stage} step {step}:" for stage in ("layerwise", "distilled", "analog")]
for kill_at in (steps[0], "layerwise: held-out", *steps[1:]):
    print(run(words, "killed", kill_at))
    words = [word for word in words if word != "--resume"] + ["--resume"]
print(run(words, "killed"))
"""


def test_killed_again_and_again_it_ends_as_an_uninterrupted_one(
    trained: Path, passages: Path, tmp_path: Path
) -> None:
    # A process of the command line is killed (signal 9) at a random step of each stage and between
    # two of them, and continued each time. They are forked, so that torch is imported once.
    step = random.SystemRandom().randint(2, 5)
    words = ["finetune", "--model", str(trained), "--text", str(passages), "--batch", "2"]
    words += ["--layer-steps", "6", "--steps", "6", "--tokens", "16", "--save-every", "2"]
    run = subprocess.run(
        [sys.executable, "-c", KILLED, *words, "--held-out-tokens", "32", str(step)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=True,
    )
    assert run.stdout.split() == ["0", "-9", "-9", "-9", "-9", "0"], run.stderr
    same_results(tmp_path / "whole", tmp_path / "killed")


def test_scraps_of_a_killed_process_are_cleared_away(
    ask: Ask, cut_short: Path, tmp_path: Path
) -> None:
    shutil.copytree(cut_short, tmp_path / "out")
    # As if it was killed while it wrote a checkpoint, and before while it wrote the record.
    for place in ("", f"{UNFINISHED}/distilled"):
        scrap = tmp_path / "out" / place / f".neurt-energy-{'0' * 16}"
        scrap.mkdir()
        (scrap / "half").write_bytes(b"half")
    run_finetune(ask(resume=True))
    assert content(tmp_path / "out").keys() == FILES
    assert not (tmp_path / "out" / UNFINISHED).exists()


def test_killed_while_it_writes_the_model_it_writes_it_again(
    ask: Ask,
    finished: tuple[Path, Finetuned],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    save, calls = neurt.learning.finetune.save_model, []

    def killed(*args: Any) -> list[Path]:
        calls.append(args)
        if len(calls) == 2:  # the analog model is written, the spiking one not
            raise KeyboardInterrupt
        return save(*args)

    with monkeypatch.context() as patch:
        patch.setattr(neurt.learning.finetune, "save_model", killed)
        with pytest.raises(KeyboardInterrupt):
            run_finetune(ask())
    assert (tmp_path / "out" / "analog" / "model.safetensors").exists()
    assert not (tmp_path / "out" / "model.safetensors").exists()
    run_finetune(ask(resume=True))
    same_results(finished[0], tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"learning_rate": 1e-4}, "learning_rate = 0.005, but now learning_rate = 0.0001"),
        ({"spiking": SPIKFORMER}, '"code":"signed_if"'),
        ({"target_events_per_mac": 0.5}, "None, but now target_events_per_mac = 0.5"),
        ({"train": "all"}, "train = thresholds attention, but now train = all"),
        ({"layer_steps": 0}, "layer_steps = 2, but now layer_steps = 0"),
        ({"steps": 9}, "steps = 3, but now steps = 9"),
        ({"seed": 1}, "seed = 0, but now seed = 1"),
        ({"text": "other"}, "sha256 of the token ids"),
        ({"model": "other"}, "model = tiny, but now model = other"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_other_settings_do_not_continue_a_training(
    ask: Ask,
    passages: Path,
    trained: Path,
    cut_short: Path,
    tmp_path: Path,
    change: dict[str, Any],
    said: str,
) -> None:
    shutil.copytree(cut_short, tmp_path / "out")
    shutil.copytree(passages, tmp_path / "other")
    if "text" in change:
        (tmp_path / "other" / "0.txt").write_text("Something else.", encoding="utf-8")
    if "model" in change:
        shutil.copytree(trained, tmp_path / "other", dirs_exist_ok=True)
    before = content(tmp_path / "out")
    said = refused(CheckpointError, run_finetune, ask(resume=True, **change))
    assert said in said
    assert said.endswith("start anew in another --out")
    assert content(tmp_path / "out") == before


# Several processes


# --multi_gpu is the word for "several processes" on CPUs, too: --cpu would start only one.
@pytest.mark.parametrize("how_many", ["--multi_gpu", "--use_fsdp --fsdp_version 2"])
def test_two_processes_of_accelerate_find_what_one_finds(
    ask: Ask, trained: Path, passages: Path, tmp_path: Path, how_many: str
) -> None:
    launch = ["-m", "accelerate.commands.launch", *how_many.split(), "--num_processes", "2"]
    launch += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    launch += ["--main_process_port", "0"]
    flags = ["--model", str(trained), "--text", str(passages), "--out", "two", "--batch", "4"]
    flags += ["--form", "softmax", "--code", "pow2", "--dead-zone", "output", "--timesteps", "2"]
    flags += ["--layer-steps", "2", "--steps", "4", "--tokens", "16", "--warmup-steps", "1"]
    flags += ["--train", "all"]
    flags += ["--learning-rate", "0.005", "--held-out-tokens", "64", "--save-every", "9"]
    flags += ["--target-events-per-mac", "1.018"]
    run = subprocess.run(
        [sys.executable, *launch, "-m", "neurt.cli", "finetune", *flags],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("distilled: held-out perplexity") == 1  # one voice is enough
    how = {"layer_steps": 2, "steps": 4, "batch": 4, "train": "all", "target_events_per_mac": 1.018}
    one = finetuned(ask(spiking=POW2, **how))
    two = read_metrics(tmp_path / "two" / "metrics.csv")
    # Gradients are sums over 4 windows in another order: some ulps of float32 in each step.
    for ours, theirs in zip(one.metrics, two, strict=True):
        for name, value in ours.scalars.items():
            assert theirs.scalars[name] == pytest.approx(value, rel=1e-4, abs=1e-6), name
        assert (ours.step, ours.stage, ours.tokens) == (theirs.step, theirs.stage, theirs.tokens)
    # Its events are on either side of the target, so that the penalty bends in between.
    spent = [row.scalars.get("events_per_mac", 1.018) for row in one.metrics]
    assert min(spent) < 1.018 < max(spent)
    with (tmp_path / "two" / "stages.csv").open(encoding="utf-8", newline="") as file:
        found = [float(row["perplexity"]) for row in csv.DictReader(file)]
    assert found == pytest.approx([judged.perplexity for judged in one.judged], rel=1e-5)
    # AdamW makes steps of those ulps where they are all there is: softmax does not see the bias of
    # K. A fifth of one step of 0.005 is allowed.
    expected = weights(tmp_path / "out")
    for name, tensor in weights(tmp_path / "two").items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-3, atol=1e-3)


# What is refused


def test_a_finished_model_is_not_overwritten(
    ask: Ask, finished: tuple[Path, Finetuned], tmp_path: Path
) -> None:
    shutil.copytree(finished[0], tmp_path / "out")
    before = content(tmp_path / "out")
    for resume in (False, True):
        assert refused(CheckpointError, run_finetune, ask(resume=resume)) == (
            f"'{tmp_path / 'out'}' holds a model (model.safetensors); choose another --out"
        )
    assert content(tmp_path / "out") == before


def test_an_unfinished_training_is_not_overwritten(
    ask: Ask, cut_short: Path, tmp_path: Path
) -> None:
    shutil.copytree(cut_short, tmp_path / "out")
    before = content(tmp_path / "out")
    assert before.keys() == {
        f"{UNFINISHED}/{stage}/{name}"
        for stage in ("layerwise", "distilled")
        for name in (CHECKPOINT, "metrics.csv")
    }
    with pytest.raises(CheckpointError, match="holds an unfinished training; continue it with"):
        run_finetune(ask())
    assert content(tmp_path / "out") == before


def test_where_nothing_was_begun_nothing_is_resumed(ask: Ask, tmp_path: Path) -> None:
    assert refused(CheckpointError, run_finetune, ask(resume=True)) == (
        f"nothing to resume in '{tmp_path / 'out'}': no stage has a {CHECKPOINT}; leave out "
        "--resume"
    )
    assert not (tmp_path / "out").exists()


def test_a_truncated_checkpoint_is_said(ask: Ask, cut_short: Path, tmp_path: Path) -> None:
    shutil.copytree(cut_short, tmp_path / "out")
    path = tmp_path / "out" / UNFINISHED / "layerwise" / CHECKPOINT
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="is truncated or damaged"):
        run_finetune(ask(resume=True))


def test_the_model_is_not_written_over_the_one_it_came_from(ask: Ask, trained: Path) -> None:
    before = content(trained)
    assert refused(CheckpointError, run_finetune, ask(out=trained / ".." / trained.name)).endswith(
        "is the directory of --model; choose another --out"
    )
    assert content(trained) == before


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"tokens": 33}, PlanError, "--tokens (= 33) is more than the 32 positions of "),
        ({"text": "no.txt"}, CorpusError, "text 'no.txt' is neither a file nor a directory"),
        ({"text": "short.txt"}, CorpusError, "text 'short.txt' has 1 document"),
        ({"out": Path("short.txt")}, OutputError, "output directory 'short.txt' cannot be written"),
        ({"learning_rate": 1e9, "clip": 1e9}, TrainingError, "lower --learning-rate"),
    ],
    ids=["positions", "no text", "short text", "no directory", "diverges"],
)
def test_what_cannot_be_done_is_said_and_leaves_no_model(
    ask: Ask, tmp_path: Path, change: dict[str, Any], error: type[Exception], said: str
) -> None:
    (tmp_path / "short.txt").write_text("A few words.", encoding="utf-8")
    assert said in refused(error, run_finetune, ask(**change))
    assert not list(tmp_path.glob("**/model.safetensors"))
    assert (tmp_path / "short.txt").read_text(encoding="utf-8") == "A few words."


def test_documents_shorter_than_a_window_are_said(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "words").mkdir()
    for number in range(6):
        (tmp_path / "words" / f"{number}.txt").write_text("a", encoding="utf-8")
    with pytest.raises(TrainingError) as caught:  # 5 documents of a letter and the end of the text
        run_finetune(ask(text=str(tmp_path / "words")))
    assert "the training text has 10 tokens, fewer than a window of 16" in str(caught.value)


def test_a_loss_that_is_not_finite_keeps_what_was_there(
    ask: Ask,
    finished: tuple[Path, Finetuned],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forward, calls = Distillation.forward, []

    def breaks(self: Distillation, ids: Tensor) -> dict[str, Tensor]:
        calls.append(ids)
        found = forward(self, ids)
        return found | {"loss": found["loss"] * (float("nan") if len(calls) == 2 else 1)}

    with monkeypatch.context() as patch:
        patch.setattr(Distillation, "forward", breaks)
        with pytest.raises(TrainingError, match="distilled: the loss of step 2 is nan"):
            run_finetune(ask())
    run_finetune(ask(resume=True))
    same_results(finished[0], tmp_path / "out")


def test_a_model_whose_weights_are_no_numbers_is_named(
    ask: Ask, trained: Path, tmp_path: Path
) -> None:
    finetuned(ask(steps=0))
    broken = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    with torch.no_grad():
        broken.transformer.h[1].mlp.c_fc.weight[0, 0] = float("nan")
    broken.save_pretrained(tmp_path / "out")
    with pytest.raises(Exception, match=r"'transformer.h.1.mlp.c_fc.weight' holds NaN") as caught:
        run_finetune(ask(model=str(tmp_path / "out"), out=tmp_path / "more"))
    assert isinstance(caught.value, ModelError)
    assert not (tmp_path / "more").exists()


def test_a_perplexity_that_is_not_finite_is_said(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = Reading(float("nan"), float("nan"), 15, None, None)
    monkeypatch.setattr(neurt.learning.course, "read", lambda *_: nothing)
    with pytest.raises(TrainingError, match="analog: the held-out perplexity is nan; check the"):
        run_finetune(ask())
    assert not (tmp_path / "out").exists()


# Llama and what is built like it


@pytest.mark.parametrize("kind", ["llama", "qwen2"])
@pytest.mark.parametrize("form", Form)
def test_a_decoder_is_tuned_and_written(
    decoder: Callable[..., Any], trained: Path, ask: Ask, tmp_path: Path, kind: str, form: Form
) -> None:
    analog = decoder(kind, 6, 2, vocab_size=280)
    analog.save_pretrained(tmp_path / "mine")
    AutoTokenizer.from_pretrained(trained).save_pretrained(tmp_path / "mine")
    own = tmp_path / "own.txt"
    own.write_text("The whale is a whale of a whale. " * 40, encoding="utf-8")
    spiking = SpikingConfig(form=form, code=Code.POW2, timesteps=2, dead_zone=OUTPUT)
    how = {"spiking": spiking, "calibration": own, "calibration_tokens": 128}
    found = run_finetune(ask(model=str(tmp_path / "mine"), **how))
    assert found is not None
    assert found.judged[0].stage == "analog"
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert type(again) is spiking_class(kind)
    assert SpikingConfig.model_validate(again.config.spiking) == spiking
    beside = AutoModelForCausalLM.from_pretrained(tmp_path / "out" / "analog")
    assert type(beside) is type(analog)
    # What was trained has moved, and nothing else: embeddings are those of the analog model.
    ours, dense = dict(again.named_parameters()), dict(analog.named_parameters())
    moved = {name for name, values in dense.items() if not torch.equal(values, ours[name])}
    assert moved
    assert all(".self_attn." in name for name in moved)
