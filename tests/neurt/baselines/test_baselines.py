from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from builders import refused
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D
from twins import Pair

from energy import Attention, Conventions
from hwmodels import Op
from neurt.baselines.asked import BaselineError, check, parse_all
from neurt.baselines.baselines import known, prepare
from neurt.baselines.layers import linears
from neurt.spiking.config import SpikingConfig

Reading = Callable[..., Any]
ALL = ("w8a8", "w4a16", "zones=2", "teal=0.25", "wina=0.4", "twin=6")


def hooks(model: PreTrainedModel) -> int:
    return sum(len(x._forward_hooks) + len(x._forward_pre_hooks) for x in model.modules())


def test_the_models_are_left_as_they_were(pair: Pair, read: Reading) -> None:
    models = pair.analog, pair.spiking
    own = [(x, x.data_ptr(), x.detach().clone()) for model in models for x in model.parameters()]
    named = [name for model in models for name, _ in model.named_parameters()]
    read(pair, *ALL)
    after = [x for model in models for x in model.parameters()]
    assert named == [name for model in models for name, _ in model.named_parameters()]
    for (parameter, pointer, values), now in zip(own, after, strict=True):
        assert now is parameter
        assert now.data_ptr() == pointer
        assert torch.equal(now, values)
    assert [hooks(model) for model in models] == [0, 0]
    assert not any(getattr(module, "stand_in", None) for module in pair.spiking.modules())


def test_an_interrupted_pass_leaves_them_too(pair: Pair) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    own = dict(pair.analog.named_parameters())
    last = list(linears(pair.analog, head=False).values())[-1]
    [baseline, _] = prepare(parse_all(["w8a8"]), pair.analog, pair.spiking, pair.windows)
    with baseline.changed():
        last.register_forward_pre_hook(stop)  # behind the one that lends it weights
        with pytest.raises(KeyboardInterrupt):
            pair.analog(input_ids=pair.ids)
        assert not any(last.weight is x for x in own.values())
    assert hooks(pair.analog) == 1  # that of this test
    assert all(own[name] is x for name, x in pair.analog.named_parameters())


def test_rounded_weights_are_those_of_a_model_that_holds_them(pair: Pair, read: Reading) -> None:
    from neurt.baselines.rounding import by_group

    _, _, [w4, spiking] = read(pair, "w4a16")
    for model, found in ((pair.analog, w4), (pair.spiking, spiking)):
        head = model.get_output_embeddings()
        head.weight = nn.Parameter(head.weight.detach().clone())  # it may be the embedding too
        with torch.no_grad():
            for layer in linears(model, head=True).values():
                turned = isinstance(layer, Conv1D)
                weight = layer.weight.T if turned else layer.weight
                rounded = by_group(weight).values(weight.dtype)
                own = rounded.T if turned else rounded
                layer.weight = nn.Parameter(own.clone())  # the two models share theirs
            logits = model(input_ids=pair.ids, use_cache=False).logits
        torch.testing.assert_close(found.logits, logits)


def test_twins_with_rounded_weights_are_followed_by_the_spiking_model_with_the_same(
    pair: Pair, read: Reading
) -> None:
    _, asa, found = read(pair, "w8a8", "teal", "w4a16")
    assert [one.baseline.name for one in found] == [
        "w8a8",
        "spiking w8",
        "teal=0.4",
        "w4a16",
        "spiking w4",
    ]
    assert [one.counts.variant for one in found] == ["asa", "ssa", "asa", "asa", "ssa"]
    assert found[1].counts.timesteps == 4
    assert found[0].counts == found[3].counts == asa


def test_more_bits_are_nearer(pair: Pair, read: Reading) -> None:
    own = pair._replace(windows=[pair.ids])  # no value is beyond a range that is found on it
    logits, _, found = read(own, "w8a8", "w4a16", "twin=12", "twin=8", "twin=4")
    errors = {one.baseline.name: float((one.logits - logits).norm()) for one in found}
    assert errors["w8a8"] < errors["w4a16"]
    assert errors["twin=12"] < errors["twin=8"] < errors["twin=4"]
    assert errors["twin=12"] < 0.01 * float(logits.norm())


def test_zones_of_almost_nothing_silence_almost_nothing(pair: Pair, read: Reading) -> None:
    logits, asa, [zones] = read(pair, "zones=1e-6")
    torch.testing.assert_close(zones.logits, logits, atol=1e-4, rtol=1e-3)
    assert [row.name for row in zones.counts.layers] == [row.name for row in asa.layers]


def inputs_of(model: PreTrainedModel, run: Callable[[], object]) -> dict[str, Tensor]:
    seen: dict[str, Tensor] = {}
    layers = linears(model, head=True)
    handles = [
        layer.register_forward_hook(lambda _m, args, _o, name=name: seen.update({name: args[0]}))
        for name, layer in layers.items()
    ]
    with torch.no_grad():
        run()
    for handle in handles:
        handle.remove()
    return seen


def touched(x: Tensor) -> int:
    """Channels of which any token has a value that is not zero."""
    tokens = x.flatten(0, -2)
    return sum(any(value != 0 for value in tokens[:, c].tolist()) for c in range(x.shape[-1]))


@pytest.mark.parametrize("kind", ["teal", "wina"])
def test_zeros_are_counted_as_a_loop_over_tokens_counts_them(
    pair: Pair, read: Reading, kind: str
) -> None:
    _, asa, [silent] = read(pair, f"{kind}=0.4")
    baseline = silent.baseline

    def run() -> None:
        with baseline.changed():
            handles = inputs.append  # hooks of the test see what the layers see
            handles(inputs_of(pair.analog, lambda: pair.analog(pair.ids, use_cache=False)))

    inputs: list[dict[str, Tensor]] = []
    run()
    for name, x in inputs[0].items():
        row = silent.counts.layer(name)
        fan_out = row.tally.ops[Op.MAC] // x.numel()
        zeros = sum(int(value == 0) for token in x.flatten(0, 1) for value in token)
        assert row.tally.zero_macs == zeros * fan_out
        assert row.tally.touched_weights == touched(x) * fan_out
        assert row.tally.active_weights == (x.numel() - zeros) * fan_out
        assert row.tally.ops == asa.layer(name).tally.ops
    blocks = [row for row in silent.counts.layers if row.label.block in ("attention", "ffn")]
    zero = sum(row.tally.zero_macs or 0 for row in blocks)
    macs = sum(row.tally.ops[Op.MAC] for row in blocks if row.tally.zero_macs is not None)
    assert zero / macs == pytest.approx(0.4, abs=0.12)  # calibrated on other tokens
    assert silent.counts.layer("lm_head").tally.zero_macs == 0


@pytest.mark.parametrize("attention", list(Attention))
def test_zeros_of_zones_are_counted_as_a_loop_counts_them(
    pair: Pair, read: Reading, attention: Attention
) -> None:
    _, asa, [zones] = read(pair, "zones=3", conventions=Conventions(attention))
    products: dict[str, Tensor] = {}
    with zones.baseline.changed():
        for name, module in pair.spiking.named_modules():
            if name.endswith((".core.scores", ".core.mix")):
                module.register_forward_hook(
                    lambda _m, args, _o, name=name: products.update({name: args[0]})
                )
        seen = inputs_of(pair.spiking, lambda: pair.spiking(pair.ids, use_cache=False))
    for name, x in seen.items():
        row, own = zones.counts.layer(name), asa.layer(name).tally.ops
        assert row.tally.ops == own
        if name == "lm_head":
            assert row.tally.zero_macs is None  # it is not coded
            continue
        [values] = x  # one analog value in the place of the events
        fan_out = own[Op.MAC] // values.numel()
        assert row.tally.zero_macs == int((values == 0).sum()) * fan_out
        assert row.tally.touched_weights == touched(values) * fan_out
        assert row.tally.active_weights == int((values != 0).sum()) * fan_out
    tokens = pair.ids.shape[1]
    assert len(products) == 4
    for name, left in products.items():
        row = zones.counts.layer(name)
        [values] = left.flatten(1, -3).unbind()  # (T = 1, heads of all sequences, S, D or N)
        kept = 0
        for head in values:
            for query, entries in enumerate(head):
                seen_keys = query + 1 if attention is Attention.CAUSAL else tokens
                uses = seen_keys if name.endswith("scores") else 32 // 4  # keys, or head width
                kept += int((entries != 0).sum()) * uses
        assert row.tally.zero_macs == row.tally.ops[Op.MAC] - kept
        assert row.tally.zero_macs > 0 or name.endswith("mix")  # of random weights, all are alike


def test_the_bits_of_the_twin_follow_from_the_time_steps() -> None:
    # ceil(log2(T + 1)): 3 for 4 time steps, 1 for 1.
    for steps, bits in ((1, 1), (3, 2), (4, 3), (8, 4)):
        [twin, own] = known(parse_all(["twin", "twin=5"]), SpikingConfig(timesteps=steps))
        assert (twin.number, own.number) == (bits, 5)


SPIKFORMER = SpikingConfig(form="spikformer", code="pow2")


def test_zones_need_dead_zones_and_a_twin_needs_a_softmax() -> None:
    assert refused(BaselineError, check, parse_all(["zones"]), SPIKFORMER) == (
        "baseline 'zones' is the analog model with the dead zones of the code pow2 in softmax "
        "attention; this is pow2 in spikformer attention: leave it out, or convert to --form "
        "softmax --code pow2"
    )
    other = SpikingConfig(form="softmax", code="signed_if")
    assert "this is signed_if in softmax" in refused(
        BaselineError, check, parse_all(["zones"]), other
    )
    assert refused(BaselineError, check, parse_all(["twin"]), SPIKFORMER) == (
        "baseline 'twin' rounds what is events in softmax attention; spikformer attention has no "
        "softmax and no analog twin of its products: leave it out, or give --form softmax"
    )
    check(parse_all(["w8a8", "w4a16", "teal", "wina"]), SPIKFORMER)
    check(parse_all(["twin"]), other)


@pytest.mark.parametrize("word", ["teal", "wina", "twin=3"])
def test_thresholds_need_text(pair: Pair, word: str) -> None:
    with pytest.raises(BaselineError, match="text: give a window"):
        list(prepare(parse_all([word]), pair.analog, pair.spiking, []))
