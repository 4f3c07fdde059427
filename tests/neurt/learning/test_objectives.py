from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import GPT2LMHeadModel

import neurt.learning.objectives
from neurt.learning.objectives import Continuation, Distillation, LayerMatch
from neurt.learning.trained import trainable
from neurt.requests.finetune import Part
from neurt.spiking.config import Code, Form
from neurt.spiking.conversion import analog_of
from neurt.spiking.modeling import SpikingLanguageModel

Pair = Callable[..., tuple[Any, Any]]

EXACT = {"form": Form.SOFTMAX, "code": Code.EXACT}
POW2 = {"form": Form.SOFTMAX, "code": Code.POW2}
THRESHOLDS, ATTENTION, ALL = [Part.THRESHOLDS], [Part.THRESHOLDS, Part.ATTENTION], [Part.ALL]


@pytest.fixture
def pair(converted: Callable[..., SpikingLanguageModel]) -> Pair:
    # A student of its own, and the analog model that it was converted from.
    def make(*kind: str, **choices: Any) -> tuple[Any, Any]:
        model = converted(*kind, **choices)
        return copy.deepcopy(model), analog_of(model)

    return make


def trained_names(model: nn.Module) -> set[str]:
    return {
        name.replace("parametrizations.", "").replace(".original", "")
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }


def is_attention(name: str) -> bool:
    return ".attn." in name or ".self_attn." in name


def is_threshold(name: str) -> bool:
    return name.endswith("threshold")


def is_norm(name: str) -> bool:
    return any(part.startswith("ln_") or part.endswith("norm") for part in name.split("."))


def in_block(name: str) -> bool:
    return is_attention(name) or ".mlp." in name


# What is trained


@pytest.mark.parametrize(
    ("what", "attention_only", "wanted"),
    [
        ("thresholds attention", False, lambda name: is_attention(name) or is_threshold(name)),
        ("thresholds attention", True, is_attention),
        ("attention", False, lambda name: is_attention(name) and not is_threshold(name)),
        ("thresholds", False, is_threshold),
        ("attention_thresholds", False, lambda n: is_attention(n) and is_threshold(n)),
        ("attention attention_thresholds", False, is_attention),
        ("norms", False, is_norm),
        ("norms thresholds", False, lambda name: is_norm(name) or is_threshold(name)),
        ("biases", False, lambda name: in_block(name) and name.endswith(".bias")),
        ("blocks", False, lambda name: in_block(name) and not is_threshold(name)),
        ("all", False, lambda _name: True),
    ],
)
@pytest.mark.parametrize("form", Form)
def test_what_is_asked_for_is_trained_and_nothing_else(
    pair: Pair,
    kind: str,
    form: Form,
    what: str,
    attention_only: bool,
    wanted: Callable[[str], bool],
) -> None:
    student, _ = pair(kind, form=form)
    names = {name for name, _ in student.named_parameters()}
    # Whatever was trained before, as after loading from a file.
    student.requires_grad_(True)
    with trainable(student, [Part(part) for part in what.split()], attention_only=attention_only):
        assert trained_names(student) == {name for name in names if wanted(name)}
    assert trained_names(student) == set()
    assert {name for name, _ in student.named_parameters()} == names


def test_of_an_analog_model_the_same_is_trained(pair: Pair) -> None:
    _, teacher = pair()
    analog = copy.deepcopy(teacher)
    names = {name for name, _ in analog.named_parameters()}
    attention = {name for name in names if is_attention(name)}
    for what, wanted in ((ATTENTION, attention), (THRESHOLDS, set()), (ALL, names)):
        with trainable(analog, what):
            assert trained_names(analog) == wanted


def test_an_analog_value_has_no_threshold_to_train(pair: Pair) -> None:
    student, _ = pair(**EXACT)
    with trainable(student, THRESHOLDS):
        assert trained_names(student) == set()


def test_thresholds_are_trained_by_their_logarithms_and_stay_positive(pair: Pair) -> None:
    student, _ = pair()
    neuron = student.transformer.h[0].attn.encoder
    before = neuron.threshold.detach().clone()
    with trainable(student, THRESHOLDS):
        assert torch.allclose(neuron.threshold, before, rtol=1e-12)
        stored = neuron.parametrizations["threshold"].original
        with torch.no_grad():
            stored -= 3.0  # more than any threshold here
    # exp(log(x) - 3) = x / e^3
    torch.testing.assert_close(neuron.threshold.detach(), before * torch.e**-3)
    assert isinstance(neuron.threshold, nn.Parameter)


def test_an_interrupted_training_leaves_a_plain_model(pair: Pair) -> None:
    student, _ = pair()
    keys = list(student.state_dict())

    def interrupted() -> None:
        with trainable(student, ATTENTION):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(student.state_dict()) == keys
    assert trained_names(student) == set()


# Layer by layer


@pytest.mark.parametrize("form", Form)
def test_layers_are_matched_one_by_one_on_what_the_analog_model_sees(
    pair: Pair, token_ids: Tensor, kind: str, form: Form
) -> None:
    student, teacher = pair(kind, form=form)
    found = LayerMatch(student, teacher)(token_ids)
    hidden = teacher.base_model(token_ids, output_hidden_states=True).hidden_states
    how: dict[str, Any] = {}
    if kind != "gpt2":  # where tokens stand is told to each layer
        angles = teacher.model.rotary_emb(hidden[0], torch.arange(12)[None])
        how = {"position_embeddings": angles, "attention_mask": None}
    ratios = []
    for depth in range(2):
        ours, theirs = (
            m.transformer.h[depth] if kind == "gpt2" else m.model.layers[depth]
            for m in (student, teacher)
        )
        x = (theirs.ln_1 if kind == "gpt2" else theirs.input_layernorm)(hidden[depth])
        own, expected = (
            (block.attn if kind == "gpt2" else block.self_attn)(x, **how)[0].detach()
            for block in (ours, theirs)
        )
        for wrong, right in zip(own - expected, expected, strict=True):  # window by window
            ratios.append(float(wrong.square().sum() / right.square().sum()))
    assert found.keys() == {"loss"}
    assert found["loss"].item() == pytest.approx(sum(ratios) / len(ratios), rel=1e-9)
    assert found["loss"].item() > 1e-6
    assert len(ratios) == 2 * 2  # layers x windows


def test_a_student_without_coding_error_has_nothing_to_learn(
    pair: Pair, token_ids: Tensor, kind: str
) -> None:
    student, teacher = pair(kind, **EXACT)
    assert LayerMatch(student, teacher)(token_ids)["loss"].item() < 1e-12
    found = Distillation(student, teacher)(token_ids)
    assert abs(found["kl"].item()) < 1e-12
    assert found["events_per_mac"].item() == found["events_per_mac_feedforward"].item() == 0


def test_the_hooks_on_the_teacher_are_gone(pair: Pair, token_ids: Tensor) -> None:
    objective = LayerMatch(*pair())
    objective(token_ids)
    assert all(not m._forward_hooks for m in objective.teacher.modules())


# Distillation


def test_the_loss_is_four_kl_at_temperature_two_and_the_cross_entropy(
    pair: Pair, token_ids: Tensor
) -> None:
    student, teacher = pair(**POW2)
    found = Distillation(student, teacher)(token_ids)
    kl, nll, predicted = 0.0, 0.0, 0
    p_all, q_all = (m(token_ids).logits.detach() for m in (teacher, student))
    for window in range(2):
        for position in range(11):  # 12 tokens predict 11
            p = (p_all[window, position] / 2).softmax(-1)
            q = (q_all[window, position] / 2).softmax(-1)
            kl += float((p * (p.log() - q.log())).sum())
            target = token_ids[window, position + 1]
            nll -= float(q_all[window, position].log_softmax(-1)[target])
            predicted += 1
    assert found["kl"].item() == pytest.approx(kl / predicted, rel=1e-9)
    assert found["kl"].item() > 0
    assert found["cross_entropy"].item() == pytest.approx(nll / predicted, rel=1e-9)
    assert found["loss"].item() == pytest.approx((4 * kl + nll) / predicted, rel=1e-9)


def test_events_beyond_the_target_cost_their_share_of_it(pair: Pair, token_ids: Tensor) -> None:
    student, teacher = pair(**POW2)
    free = Distillation(student, teacher)(token_ids)
    spent = free["events_per_mac"].item()
    for target, costs in ((spent / 1.5, 0.5), (spent / 3, 2.0), (spent, 0.0), (spent * 2, 0.0)):
        asked = Distillation(student, teacher, target)(token_ids)
        assert asked["loss"].item() - free["loss"].item() == pytest.approx(costs, abs=1e-9)
        assert asked["kl"].item() == free["kl"].item()


def test_events_beyond_the_target_push_thresholds_up(pair: Pair, token_ids: Tensor) -> None:
    student, teacher = pair(**POW2)
    spent = Distillation(student, teacher)(token_ids)["events_per_mac"].item()
    slopes = []
    for target in (2 * spent, spent / 1e3):  # of no weight, and of so much that nothing else counts
        with trainable(student, THRESHOLDS):
            Distillation(student, teacher, target)(token_ids)["loss"].backward()
            stored = student.transformer.h[0].attn.encoder.parametrizations["threshold"].original
            slopes.append(float(stored.grad.sum()))
            student.zero_grad()
    assert slopes[1] < -1
    assert slopes[1] < slopes[0] - 1


@pytest.mark.parametrize(("everywhere", "costs"), [(0.25, -0.5), (-0.25, 0.0)])
def test_processes_bend_the_penalty_together(
    pair: Pair,
    token_ids: Tensor,
    monkeypatch: pytest.MonkeyPatch,
    everywhere: float,
    costs: float,
) -> None:
    # One process spends half its target, another twice: together 25 % too much, or, with three
    # like the first, too little. The mean over processes is the penalty of the mean.
    student, teacher = pair(**POW2)
    free = Distillation(student, teacher)(token_ids)
    monkeypatch.setattr(
        neurt.learning.objectives, "reduce", lambda _own, _how: torch.tensor(everywhere)
    )
    asked = Distillation(student, teacher, 2 * free["events_per_mac"].item())(token_ids)
    assert asked["loss"].item() - free["loss"].item() == pytest.approx(costs, abs=1e-9)


@pytest.mark.parametrize("target", [None, 1e-3])
def test_each_scalar_is_a_mean_over_windows(
    pair: Pair, token_ids: Tensor, target: float | None
) -> None:
    # So that processes that share the windows of a step find the same gradient as one.
    student, teacher = pair(**POW2)
    for objective in (LayerMatch(student, teacher), Distillation(student, teacher, target)):
        whole = objective(token_ids)
        halves = [objective(half) for half in token_ids.split(1)]
        for name, value in whole.items():
            mean = sum(half[name].item() for half in halves) / 2
            assert value.item() == pytest.approx(mean, rel=1e-9), name


# The models


def test_training_a_student_changes_neither_its_teacher_nor_its_parent(
    pair: Pair, token_ids: Tensor
) -> None:
    # A conversion shares its weights with the analog model: what the lessons are made of.
    spiking, _ = pair()
    analog = analog_of(spiking)
    tables = (model.transformer.wte.weight.data_ptr() for model in (analog, spiking))
    assert len(set(tables)) == 1
    with trainable(spiking, ALL):
        objective = Distillation(spiking, analog)
        before = objective.teacher(token_ids).logits
        objective(token_ids)["loss"].backward()
        assert all(p.grad is None for p in objective.teacher.parameters())
        with torch.no_grad():
            for parameter in spiking.parameters():
                parameter -= 0.1
    assert torch.equal(objective.teacher(token_ids).logits, before)
    assert not torch.equal(analog(token_ids).logits, before)  # which is why it is a copy


@pytest.mark.parametrize("kind", [LayerMatch, Distillation])
def test_nothing_drops_out(
    pair: Pair, token_ids: Tensor, kind: type[LayerMatch | Distillation]
) -> None:
    student, _ = pair()
    teacher = copy.deepcopy(analog_of(student))
    for model in (student, teacher):
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.5
    objective = kind(student, teacher).train()
    assert not any(module.training for module in objective.modules())
    assert objective(token_ids)["loss"].item() == objective(token_ids)["loss"].item()


def test_the_analog_model_continues_without_dropout(tiny_gpt2: GPT2LMHeadModel) -> None:
    ids = torch.arange(12).view(1, 12)
    assert tiny_gpt2.config.resid_pdrop == 0.1
    objective = Continuation(tiny_gpt2).train()
    expected = tiny_gpt2.eval()(ids, labels=ids).loss
    assert objective(ids)["loss"].item() == expected.item()


# A step


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("code", [Code.SAR, Code.POW2])
def test_a_step_down_the_slope_reaches_all_that_is_trained(
    pair: Pair, token_ids: Tensor, kind: str, form: Form, code: Code
) -> None:
    student, teacher = pair(kind, form=form, code=code, timesteps=2)
    for objective in (LayerMatch(student, teacher), Distillation(student, teacher, 0.1)):
        with trainable(student, ATTENTION, attention_only=isinstance(objective, LayerMatch)):
            objective(token_ids)["loss"].backward()
            for trained in (p for p in student.parameters() if p.requires_grad):
                assert trained.grad is not None
                assert bool(torch.isfinite(trained.grad).all())
        assert all(p.grad is None for p in objective.teacher.parameters())
        student.zero_grad()


@pytest.mark.parametrize("dead_zone", ["output", "loss"])
def test_dead_zones_of_a_decoder_are_pushed_up_by_a_target(
    pair: Pair, token_ids: Tensor, dead_zone: str
) -> None:
    student, teacher = pair("qwen2", **POW2, dead_zone=dead_zone)
    spent = Distillation(student, teacher)(token_ids)["events_per_mac"].item()
    with trainable(student, THRESHOLDS):
        Distillation(student, teacher, spent / 1e3)(token_ids)["loss"].backward()
        for layer in student.model.layers:
            block = layer.self_attn
            for coder in (block.encoder, block.query_encoder, block.core.weight_encoder):
                slope = coder.parametrizations["threshold"].original.grad
                assert float(slope.sum()) < 0
