from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import refused
from tokenizers.pre_tokenizers import ByteLevel
from transformers import GPT2Config, GPT2LMHeadModel, GPT2Tokenizer

import neurt.measure.pair
from hwmodels import ProfileError
from neurt.baselines.asked import BaselineError
from neurt.evaluation.evaluating import run_evaluate
from neurt.evaluation.quality import QualityError, compare
from neurt.loading.models import ModelError
from neurt.requests.evaluate import EvaluateRequest
from neurt.spiking import curvature
from neurt.spiking.config import SpikingConfig
from neurt.spiking.conversion import ConversionError, convert
from neurt.text.data import TextError
from reports.quality.baselines import lines as baseline_lines
from reports.quality.evaluation import Evaluation
from reports.quality.write import write_quality

pytestmark = pytest.mark.usefixtures("alone")

# One token per byte, and an end of text: GPT-2's own tokenizer takes a second to load.
BYTES = {letter: index for index, letter in enumerate(sorted(ByteLevel.alphabet()))}
TOKENIZER = GPT2Tokenizer(vocab=BYTES | {"<|endoftext|>": 256}, merges=[])

CONFIG = {"n_layer": 1, "n_embd": 8, "n_head": 2, "n_positions": 64, "vocab_size": 257}


def save(model: GPT2LMHeadModel, directory: Path) -> Path:
    model.save_pretrained(directory)
    TOKENIZER.save_pretrained(directory)
    return directory


def trained(seed: int) -> GPT2LMHeadModel:
    torch.manual_seed(seed)
    return GPT2LMHeadModel(GPT2Config(**CONFIG)).eval()


@pytest.fixture
def analog(tmp_path: Path) -> Path:
    return save(trained(1), tmp_path / "mine")


@pytest.fixture
def converted(tmp_path: Path) -> Path:
    # A converted model whose parameters are not those of `analog`, as after fine-tuning.
    text = torch.arange(64).view(1, 64)
    return save(convert(trained(2), SpikingConfig(timesteps=2), [text]), tmp_path / "tuned")


@pytest.fixture
def evaluate(tmp_path: Path) -> Callable[..., tuple[Evaluation, list[str]]]:
    def run(model: Path, **changes: Any) -> tuple[Evaluation, list[str]]:
        said: list[str] = []
        asked = {"model": str(model), "max_tokens": 80, "out": tmp_path / "out"} | changes
        return run_evaluate(EvaluateRequest(**asked), say=said.append), said

    return run


Run = Callable[..., tuple[Evaluation, list[str]]]


def test_an_analog_model_is_converted_and_compared(evaluate: Run, analog: Path) -> None:
    found, said = evaluate(analog, hw=("45nm", "loihi"), spiking=SpikingConfig(timesteps=3))
    assert said == [
        "mine: weights=local(mine)",
        "Dead zones by loss: the weights are trained.",
    ]
    compared = found.comparison
    # Positions of the model, half of them, and every token but the first.
    assert (compared.window, compared.stride, compared.analog.tokens) == (64, 32, 79)
    assert (compared.ssa.timesteps, compared.asa.timesteps) == (3, 1)
    assert {(side.model, side.weights) for side in (compared.asa, compared.ssa)} == {
        ("mine", "local(mine)")
    }
    assert [profile.name for profile in found.profiles] == ["45nm", "loihi"]
    assert found.text == "Moby-Dick, chapters 1 and 3 (packaged)"
    assert found.settings["calibration"] == "Moby-Dick, chapter 2 (packaged)"
    assert (found.settings["window"], found.settings["stride"]) == (64, 32)
    assert found.conversion["timesteps"] == 3


def test_a_text_of_ones_own_is_read_from_its_start(
    evaluate: Run, analog: Path, tmp_path: Path
) -> None:
    text = tmp_path / "a.txt"
    text.write_text("The whale is a whale. " * 9, encoding="utf-8")
    found, _ = evaluate(analog, text=text, max_tokens=17, window=8, stride=4)
    ids = torch.tensor(TOKENIZER.encode(text.read_text(encoding="utf-8"))[:17])
    model = trained(1)
    same = compare(model, trained(1), ids, window=8, stride=4)
    assert found.comparison.analog == same.analog
    assert found.text == "a.txt"
    assert found.comparison.analog.tokens == 16


def test_the_default_text_of_a_model_is_the_one_it_brings(evaluate: Run, analog: Path) -> None:
    (analog / "heldout.txt").write_text("Ahab stood alone. " * 30, encoding="utf-8")
    (analog / "calibration.txt").write_text("Call me Ishmael now. " * 150, encoding="utf-8")
    found, _ = evaluate(analog)
    assert found.text == "heldout.txt of mine"
    assert found.settings["calibration"] == "calibration.txt of mine"


def test_a_converted_model_keeps_its_conversion(evaluate: Run, converted: Path) -> None:
    found, said = evaluate(converted, spiking=SpikingConfig(timesteps=8))
    assert found.comparison.ssa.timesteps == found.conversion["timesteps"] == 2
    assert found.settings["calibration"] == "stored with the model"
    assert said == [
        "tuned: weights=local(tuned)",
        "Baseline: the analog model with the parameters of tuned (no --baseline).",
        "tuned is a converted model: T = 2, as stored with it.",
    ]


def test_the_baseline_is_what_was_given_else_what_lies_beside(
    evaluate: Run, converted: Path, analog: Path
) -> None:
    bare, _ = evaluate(converted)
    given, said = evaluate(converted, baseline=analog)
    assert said[1] == f"Baseline: {analog}, weights=local(mine)."
    assert given.comparison.analog != bare.comparison.analog
    assert given.comparison.spiking == bare.comparison.spiking
    assert given.comparison.asa.weights == "local(mine)"
    assert given.comparison.ssa.weights == "local(tuned)"
    save(trained(1), converted / "analog")
    beside, said = evaluate(converted)
    assert said[1] == f"Baseline: {converted / 'analog'}, weights=local(analog)."
    assert beside.comparison.analog == given.comparison.analog
    assert evaluate(converted, baseline=analog)[0].comparison.asa.weights == "local(mine)"


def test_it_can_be_written_and_says_what_was_asked(
    evaluate: Run, analog: Path, tmp_path: Path
) -> None:
    found, _ = evaluate(analog, attention="causal", batch=3)
    files = write_quality(found, tmp_path / "out")
    run = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    assert (tmp_path / "out" / "run.json") in files
    assert run["settings"]["batch"] == 3
    assert run["settings"]["attention"] == "causal"
    assert run["conversion"]["timesteps"] == 4
    assert found.comparison.asa.attention == "causal"


def test_progress_goes_through_its_stages(
    analog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curvature, "_LAST", {})  # of the same model in the test before
    told: list[tuple[str, int, int]] = []
    run_evaluate(
        EvaluateRequest(model=str(analog), max_tokens=80, batch=1, out=tmp_path),
        lambda *what: told.append(what),
    )
    stages = dict.fromkeys(what for what, _, _ in told)
    assert list(stages) == ["loading the model", "converting", "reading"]
    # Windows 0..63 and 32..79.
    assert told[-1] == ("reading", 2, 2)


Fails = Callable[..., str]


@pytest.fixture
def fails(evaluate: Run) -> Fails:
    def run(kind: type[Exception], model: Path, **changes: Any) -> str:
        return refused(kind, evaluate, model, **changes)

    return run


def test_windows_that_do_not_fit_are_refused_before_loading(fails: Fails, analog: Path) -> None:
    (analog / "model.safetensors").write_bytes(b"broken")
    assert fails(QualityError, analog, window=65).startswith("the window (= 65) is longer than")
    assert fails(QualityError, analog, stride=65).startswith("the stride (= 65) must be at least")
    assert "hardware profile" in fails(ProfileError, analog, hw=("nowhere",))
    assert fails(ModelError, analog).startswith("weights of ")


def test_a_text_that_cannot_be_used_is_refused(fails: Fails, analog: Path, tmp_path: Path) -> None:
    text = tmp_path / "t.txt"
    text.write_text("a", encoding="utf-8")
    assert fails(QualityError, analog, text=text).startswith("the text has 1 token, but each")
    text.write_text(" \n", encoding="utf-8")
    assert "is empty" in fails(TextError, analog, text=text)


def test_a_baseline_that_is_none_is_refused(
    fails: Fails, analog: Path, converted: Path, tmp_path: Path
) -> None:
    assert fails(ModelError, analog, baseline=converted).startswith(
        "'mine' is an analog model and its own baseline; leave --baseline out"
    )
    assert "is a converted model; give an analog one" in fails(
        ModelError, converted, baseline=converted
    )
    assert "is not a directory" in fails(ModelError, converted, baseline=tmp_path / "gone")
    deeper = GPT2LMHeadModel(GPT2Config(**CONFIG | {"n_layer": 2}))
    other = save(deeper, tmp_path / "other")
    assert fails(QualityError, converted, baseline=other).startswith(
        "the analog model has layers = 2, the spiking one 1;"
    )
    (other / "model.safetensors").unlink()
    assert fails(ModelError, converted, baseline=other).startswith("pretrained weights of ")


def test_a_baseline_that_reads_other_tokens_is_refused(
    fails: Fails, analog: Path, converted: Path
) -> None:
    letters = [*BYTES][1:] + [*BYTES][:1]
    words = {letter: index for index, letter in enumerate(letters)} | {"<|endoftext|>": 256}
    GPT2Tokenizer(vocab=words, merges=[]).save_pretrained(analog)
    assert "has another tokenizer than 'tuned'" in fails(ModelError, converted, baseline=analog)


# What a conversion is calibrated on


@pytest.fixture
def calibrated(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    # The windows that conversions were given.
    found: list[list[int]] = []

    def watched(model: Any, spiking: Any, windows: Any, *rest: Any, **how: Any) -> Any:
        found.extend(ids.flatten().tolist() for ids in windows)
        return convert(model, spiking, windows, *rest, **how)

    monkeypatch.setattr(neurt.measure.pair, "convert", watched)
    return found


@pytest.mark.parametrize("detokenise", [False, True])
def test_a_conversion_is_calibrated_on_the_users_text(
    evaluate: Run, analog: Path, tmp_path: Path, calibrated: list[list[int]], detokenise: bool
) -> None:
    own, text = tmp_path / "own.txt", tmp_path / "text.txt"
    own.write_text("a well @-@ known , man . \n" * 20, encoding="utf-8")
    text.write_text("It is a well @-@ known whale . \n" * 20, encoding="utf-8")
    how = {"calibration": own, "calibration_tokens": 150, "text": text}
    found, _ = evaluate(analog, **how, detokenise=detokenise)
    read = "a well-known, man.\n" if detokenise else "a well @-@ known , man . \n"
    ids = TOKENIZER.encode(read * 20)
    assert calibrated == [ids[:64], ids[64:128]]  # 150 = 2 x 64 + 22
    suffix = ", detokenised" if detokenise else ""
    assert (found.text, found.settings["calibration"]) == (f"text.txt{suffix}", f"own.txt{suffix}")
    assert found.settings["calibration_tokens"] == 150
    assert found.settings["detokenise"] is detokenise


def test_a_converted_model_is_not_calibrated_again(
    evaluate: Run, converted: Path, tmp_path: Path, calibrated: list[list[int]]
) -> None:
    found, _ = evaluate(converted, calibration=tmp_path / "nobody-reads-this.txt")
    assert calibrated == []
    assert found.settings["calibration"] == "stored with the model"


def test_a_calibration_text_that_cannot_be_used_is_refused(
    fails: Fails, analog: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own.txt"
    assert fails(TextError, analog, calibration=own) == f"text '{own}' does not exist"
    own.write_text("short", encoding="utf-8")
    expected = "own.txt has fewer than 512 tokens; lengthen it"
    assert fails(TextError, analog, calibration=own) == expected


def test_dead_zones_by_loss_where_there_are_none_are_refused(fails: Fails, analog: Path) -> None:
    spiking = SpikingConfig(form="spikformer", dead_zone="loss")
    said = fails(ConversionError, analog, spiking=spiking)
    assert "this is signed_if in spikformer attention" in said


def test_baselines_read_the_same_tokens(evaluate: Run, analog: Path, tmp_path: Path) -> None:
    spiking = SpikingConfig(form="softmax", code="pow2")
    words = ("w8a8", "w4a16", "zones", "teal=0.3", "wina=0.3", "twin")
    found, _ = evaluate(analog, spiking=spiking, baselines=words, batch=2)
    measured = {each.name: each for each in found.comparison.baselines}
    assert [*measured] == [
        *("w8a8", "spiking w8", "w4a16", "spiking w4"),
        *("zones", "teal=0.3", "wina=0.3", "twin=3"),
    ]
    assert {each.quality.tokens for each in measured.values()} == {79}
    assert all(each.kl_nats > 0 for each in measured.values())
    assert measured["w8a8"].kl_nats < measured["w4a16"].kl_nats
    # One call of every layer for each of two batches of windows, as in the analog model.
    assert measured["teal=0.3"].counts.tokens == found.comparison.asa.tokens
    assert {*found.at} == {("45nm", "int8"), ("45nm", "fp16")}
    files = {path.name for path in write_quality(found, tmp_path / "out")}
    assert "quality_baselines.csv" in files
    # None of them changes what was measured without them.
    alone, _ = evaluate(analog, spiking=spiking, batch=2)
    assert alone.comparison.analog == found.comparison.analog
    assert alone.comparison.spiking == found.comparison.spiking
    assert alone.comparison.asa == found.comparison.asa


def test_what_skips_zeros_reads_weights_as_wide_as_the_file_has_them(
    evaluate: Run, tmp_path: Path
) -> None:
    half = save(trained(1).half(), tmp_path / "half")
    found, _ = evaluate(half, weights="pretrained", baselines=("zones", "teal=0.3", "w8a8"))
    assert {x.weight_bits for x in found.comparison.asa.layers if "mlp" in x.name} >= {16}
    wide = {x.name: x.weight_bits for x in found.comparison.asa.layers}
    for baseline in found.comparison.baselines:
        if not baseline.kind.startswith("spiking"):
            assert {x.name: x.weight_bits for x in baseline.counts.layers} == wide
    # The analog model fetches all its weights of 16 bits, and what skips zeros no more than it.
    lines = {x.name: x.weight_bytes for x in baseline_lines(found, found.profiles[0])}
    assert lines["teal=0.3"] < lines["analog"]
    assert lines["zones"] <= lines["analog"]


def test_a_converted_model_has_baselines_too(evaluate: Run, tmp_path: Path) -> None:
    text = [torch.arange(64).view(1, 64)]
    config = SpikingConfig(form="softmax", code="pow2", timesteps=2)
    tuned = save(convert(trained(2), config, text), tmp_path / "soft")
    found, _ = evaluate(tuned, baselines=("zones", "teal", "twin"))
    assert [x.name for x in found.comparison.baselines] == ["zones", "teal=0.4", "twin=2"]


def test_zones_of_a_model_without_any_are_refused_before_it_is_loaded(
    evaluate: Run, analog: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neurt.evaluation.evaluating.load", pytest.fail)
    said = refused(
        BaselineError,
        evaluate,
        analog,
        baselines=("zones",),
        spiking=SpikingConfig(form="spikformer"),
    )
    assert said.startswith("baseline 'zones' is the analog model with the dead zones of the code")
