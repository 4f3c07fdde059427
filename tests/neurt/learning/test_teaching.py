from __future__ import annotations

import copy
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import refused
from transformers import GPT2LMHeadModel

import neurt.measure.pair
from neurt.learning.teaching import facts_of, student_of, teacher_of
from neurt.loading.models import LoadedModel, ModelError, load_model
from neurt.loading.saving import save_model
from neurt.measure.pair import calibrate
from neurt.requests.finetune import FinetuneRequest
from neurt.spiking.config import Code, Form, SpikingConfig
from neurt.spiking.conversion import ConversionError, analog_of, convert
from neurt.text.data import calibration

pytestmark = pytest.mark.usefixtures("alone")

PACKAGED = Path(str(files("neurt.assets") / "calibration.txt"))
POW2 = SpikingConfig(form=Form.SOFTMAX, code=Code.POW2, timesteps=2)


@pytest.fixture
def converted_directory(trained: Path, tmp_path: Path) -> Path:
    # A converted model that was saved, as nobody has fine-tuned it.
    loaded = load_model(str(trained))
    text = calibration(loaded.tokenizer, tokens=32, model=trained).windows
    save_model(convert(loaded.model, POW2, text), loaded.tokenizer, tmp_path / "converted")
    return tmp_path / "converted"


def teacher(directory: Path) -> tuple[LoadedModel, GPT2LMHeadModel, list[str]]:
    said: list[str] = []
    loaded = load_model(str(directory))
    return loaded, teacher_of(loaded, said.append), said


def request(model: Path, **changes: Any) -> FinetuneRequest:
    return FinetuneRequest(model=str(model), text="text", out=Path("out"), **changes)


def student(directory: Path, **changes: Any) -> Any:
    return made(request(directory, **changes), load_model(str(directory)))


def made(asked: FinetuneRequest, loaded: LoadedModel) -> Any:
    return student_of(asked, loaded, calibrate(loaded, asked, [], 32))


# Teachers


def test_an_analog_model_teaches_its_own_conversion(trained: Path) -> None:
    loaded, found, said = teacher(trained)
    assert found is loaded.model
    assert said == []


def test_a_converted_model_learns_from_the_analog_one_with_its_parameters(
    converted_directory: Path,
) -> None:
    loaded, found, said = teacher(converted_directory)
    assert found is loaded.model
    assert said == [
        "converted is a converted model: it keeps its own conversion and thresholds.",
        "Teacher: the analog model with the parameters of converted (no "
        f"{converted_directory / 'analog'}).",
    ]


def test_the_analog_model_that_was_trained_beside_it_is_the_better_teacher(
    converted_directory: Path,
) -> None:
    loaded = load_model(str(converted_directory))
    beside = copy.deepcopy(loaded.model)
    with torch.no_grad():
        beside.transformer.wte.weight *= 0.5
    save_model(beside, loaded.tokenizer, converted_directory / "analog")
    _, found, said = teacher(converted_directory)
    assert torch.equal(found.transformer.wte.weight, beside.transformer.wte.weight)
    assert said[1] == f"Teacher: {converted_directory / 'analog'}, weights=local(analog)."


@pytest.mark.parametrize("kind", ["spiking", "other"])
def test_what_lies_there_must_be_the_analog_model_of_it(
    converted_directory: Path, kind: str
) -> None:
    loaded = load_model(str(converted_directory))
    wrong: Any = loaded.spiking
    if kind == "other":
        config = copy.deepcopy(loaded.model.config)
        config.n_layer = 1
        wrong = GPT2LMHeadModel(config)
    save_model(wrong, loaded.tokenizer, converted_directory / "analog")
    assert refused(ModelError, teacher, converted_directory) == (
        f"'{converted_directory / 'analog'}' is not the analog model of 'converted'; restore it, "
        "or move it away"
    )


# Students


@pytest.mark.parametrize(
    ("how", "own"),
    [
        ({}, lambda name: ".attn." in name),
        ({"train": "blocks"}, lambda name: ".attn." in name or ".mlp." in name),
        ({"train": ["norms", "thresholds"]}, lambda name: "ln_" in name),
        ({"save_dtype": "float16"}, lambda _name: True),  # which rounds all matrices
    ],
    ids=["thresholds and attention", "blocks", "norms and thresholds", "rounded"],
)
def test_a_student_has_the_conversion_asked_for_and_what_it_trains_is_its_own(
    trained: Path, how: dict[str, Any], own: Callable[[str], bool]
) -> None:
    loaded = load_model(str(trained))
    found = made(request(trained, spiking=POW2, **how), loaded)
    assert found.choices == POW2.resolved(trained=True)
    theirs = dict(loaded.model.named_parameters())
    for name, parameter in found.named_parameters():
        if name in theirs:
            assert torch.equal(parameter, theirs[name])
            assert (parameter.data_ptr() != theirs[name].data_ptr()) == own(name), name
    assert found.lm_head.weight is found.transformer.wte.weight


def test_a_converted_student_keeps_its_conversion_and_its_thresholds(
    converted_directory: Path,
) -> None:
    loaded = load_model(str(converted_directory))
    assert loaded.spiking is not None
    with torch.no_grad():
        loaded.spiking.transformer.h[0].mlp.encoder.threshold.fill_(0.125)
    asked = request(converted_directory, spiking=SpikingConfig(timesteps=9), train="all")
    found = made(asked, loaded)
    assert found.choices == POW2.resolved(trained=True)
    assert bool((found.transformer.h[0].mlp.encoder.threshold == 0.125).all())
    assert found is not loaded.spiking
    with torch.no_grad():
        found.transformer.wte.weight.zero_()
    assert loaded.model.transformer.wte.weight.abs().sum() > 0


@pytest.mark.parametrize("name", ["transformer.h.1.attn.c_attn.bias", "transformer.wte.weight"])
@pytest.mark.parametrize("analog", [True, False])
def test_a_parameter_that_is_not_finite_is_named(
    trained: Path, converted_directory: Path, name: str, analog: bool
) -> None:
    directory = trained if analog else converted_directory
    loaded = load_model(str(directory))
    with torch.no_grad():
        loaded.model.get_parameter(name).view(-1)[0] = float("nan")
    assert refused(ConversionError, made, request(directory), loaded) == (
        f"parameter '{name}' holds NaN or infinity; check the checkpoint it came from"
    )


# What decides a result

Change = Callable[[LoadedModel], object]


def facts(directory: Path, change: Change = lambda _: None, **asked: Any) -> dict[str, object]:
    loaded = load_model(str(directory))
    change(loaded)
    return facts_taught_by(loaded.model, loaded, request(directory, **asked))


def facts_taught_by(teacher: Any, loaded: LoadedModel, asked: FinetuneRequest) -> dict[str, object]:
    chosen = asked.spiking if loaded.spiking is None else loaded.spiking.choices
    return facts_of(asked, loaded, calibrate(loaded, asked, [], 32), teacher, chosen)


def test_the_same_request_has_the_same_facts(trained: Path) -> None:
    assert facts(trained) == facts(trained)
    # How long stage 2 is and where it goes are settings of the training loop, or decide nothing.
    assert facts(trained) == facts(trained, steps=3, seed=9, baseline=False)


@pytest.mark.parametrize(
    ("asked", "key"),
    [
        ({"spiking": POW2}, "conversion"),
        ({"train": "all"}, "train"),
        ({"layer_steps": 3}, "layer_steps"),
        ({"target_events_per_mac": 0.5}, "target_events_per_mac"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_asked_for_is_a_fact(trained: Path, asked: dict[str, Any], key: str) -> None:
    one, other = facts(trained), facts(trained, **asked)
    assert {name for name in one if one[name] != other[name]} == {key}


def test_weights_are_a_fact(trained: Path) -> None:
    def change(loaded: LoadedModel) -> None:
        with torch.no_grad():
            loaded.model.transformer.wpe.weight[0, 0] += 1

    one, other = facts(trained), facts(trained, change)
    different = {name for name in one if one[name] != other[name]}
    assert different == {"sha256 of its weights", "sha256 of its teacher"}


def test_thresholds_that_came_with_the_model_are_a_fact(converted_directory: Path) -> None:
    def change(loaded: LoadedModel) -> None:
        assert loaded.spiking is not None
        with torch.no_grad():
            loaded.spiking.transformer.h[0].mlp.encoder.threshold[0] *= 2

    one, other = facts(converted_directory), facts(converted_directory, change)
    assert {name for name in one if one[name] != other[name]} == {"sha256 of its weights"}
    assert facts(converted_directory, spiking=SpikingConfig()) == one  # it keeps its own


def test_the_text_that_thresholds_are_calibrated_on_is_a_fact(
    converted_directory: Path, trained: Path
) -> None:
    one = facts(trained)
    loaded = load_model(str(trained))
    packaged = calibrate(loaded, request(trained, calibration=PACKAGED), [], 32)
    other = facts_of(request(trained), loaded, packaged, loaded.model, SpikingConfig())
    assert {name for name in one if one[name] != other[name]} == {"sha256 of the calibration text"}
    before = facts(converted_directory)
    (converted_directory / "calibration.txt").write_text("other", encoding="utf-8")
    assert facts(converted_directory) == before  # which was calibrated long ago


def test_a_teacher_beside_it_is_a_fact(converted_directory: Path) -> None:
    loaded = load_model(str(converted_directory))
    assert loaded.spiking is not None
    other = copy.deepcopy(analog_of(loaded.spiking))
    with torch.no_grad():
        other.transformer.wpe.weight[0, 0] += 1
    asked = request(converted_directory)
    one, two = (facts_taught_by(teacher, loaded, asked) for teacher in (loaded.model, other))
    assert {name for name in one if one[name] != two[name]} == {"sha256 of its teacher"}


# A calibration text of the user's own


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.txt"
    path.write_text("The whale is a whale of a whale. " * 40, encoding="utf-8")
    return path


def test_a_student_is_calibrated_on_the_users_text(
    trained: Path, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []

    def watched(model: Any, spiking: Any, windows: Any, *rest: Any, **how: Any) -> Any:
        given.extend(windows)
        return convert(model, spiking, windows, *rest, **how)

    monkeypatch.setattr(neurt.measure.pair, "convert", watched)
    student(trained, calibration=own, calibration_tokens=70)
    ids = load_model(str(trained)).tokenizer.encode(own.read_text(encoding="utf-8"))
    # windows of the 32 positions: 70 = 2 x 32 + 6
    assert [window.shape for window in given] == [(1, 32)] * 2
    assert torch.cat(given).flatten().tolist() == ids[:64]


def test_the_users_text_and_how_much_of_it_are_facts(
    trained: Path, converted_directory: Path, own: Path
) -> None:
    def different(one: dict[str, object], other: dict[str, object]) -> set[str]:
        return {name for name in one if one[name] != other[name]}

    before, after = facts(trained), facts(trained, calibration=own)
    assert different(before, after) == {"sha256 of the calibration text"}
    more = facts(trained, calibration=own, calibration_tokens=99)
    assert different(after, more) == {"calibration_tokens"}
    stored = facts(converted_directory)  # which was calibrated long ago
    assert facts(converted_directory, calibration=own, calibration_tokens=99) == stored
