from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from transformers import GPT2LMHeadModel

from neurt.baselines.asked import parse_all
from neurt.baselines.layers import inputs_changed, linears, out_by_in
from neurt.baselines.silent import threshold, zones_of


def test_the_threshold_is_the_quantile_of_sizes() -> None:
    sizes = torch.tensor([[5.0, 1.0, 4.0], [2.0, 3.0, 6.0]])
    # 40 % of six values are 2.4: the two smallest are 1 and 2. 10 % of six is none.
    assert threshold(sizes, 0.4) == 2.0
    assert threshold(sizes, 0.5) == 3.0
    assert threshold(sizes, 0.99) == 5.0
    assert threshold(sizes, 0.1) < 0


def silenced(model: GPT2LMHeadModel, word: str, windows: list[Tensor]) -> dict[str, list[Tensor]]:
    # Inputs of each layer as they come, and as they are with the zones on: of the first layer
    # alone the same, so that each is asked by itself.
    asked = parse_all([word])
    zones = zones_of(model, asked, windows)[asked[0]]
    seen: dict[str, list[Tensor]] = {}

    def see(name: str):  # type: ignore[no-untyped-def]
        def change(x: Tensor) -> Tensor:
            seen[name] = [x, zones[name](x)]
            return x

        return change

    layers = linears(model, head=False)
    with torch.no_grad(), inputs_changed(layers, {name: see(name) for name in layers}):
        model(torch.cat(windows))
    return seen


@pytest.mark.parametrize("share", [0.25, 0.4, 0.9])
def test_on_the_calibration_text_exactly_the_share_is_silent(
    tiny_gpt2: GPT2LMHeadModel, share: float
) -> None:
    windows = [torch.randint(0, 101, (1, 20)) for _ in range(3)]
    found = silenced(tiny_gpt2, f"teal={share}", windows)
    assert len(found) == 8  # four layers in each of two blocks
    for x, kept in found.values():
        number = int(share * x.numel())
        assert int((kept == 0).sum()) == number
        smallest = x.abs().flatten().sort().values
        assert torch.equal(kept, torch.where(x.abs() <= smallest[number - 1], 0, x))


def test_wina_weighs_a_channel_by_the_weights_it_meets(tiny_gpt2: GPT2LMHeadModel) -> None:
    windows = [torch.randint(0, 101, (1, 20))]
    layers = linears(tiny_gpt2, head=False)
    for name, (x, kept) in silenced(tiny_gpt2, "wina=0.3", windows).items():
        weight: Tensor = layers[name].weight  # (in, out), as Conv1D has it
        sizes = torch.stack([x[..., c].abs() * weight[c].norm() for c in range(len(weight))], -1)
        order = sizes.flatten().argsort()
        expected = x.flatten().clone()
        expected[order[: int(0.3 * x.numel())]] = 0
        assert torch.equal(kept.flatten(), expected)


def test_weights_are_seen_as_outputs_by_inputs() -> None:
    layer = nn.Linear(3, 2)
    assert out_by_in(layer).shape == (2, 3)


def test_the_head_is_no_layer_of_the_blocks(tiny_gpt2: GPT2LMHeadModel) -> None:
    assert {*linears(tiny_gpt2, head=True)} - {*linears(tiny_gpt2, head=False)} == {"lm_head"}
