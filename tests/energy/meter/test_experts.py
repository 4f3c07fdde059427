from __future__ import annotations

from typing import Any

import pytest
import torch
from decoders import model_of, tiny
from torch import Tensor, nn
from transformers import PreTrainedModel

from energy import Counts, Tally, count_pass, exposed_attention
from energy.formulas.experts import Routing, Scoring, expected_experts, gate, routing
from energy.meter.recognise_experts import experts_rule
from energy.meter.recognise_router import _routing, matrix_of, router_rule
from energy.meter.tally_experts import chosen_experts
from hwmodels import Op

#: 2 sequences of 5 tokens; 4 experts of which 2 are chosen, of width 32 and hidden width 48.
TOKENS, EXPERTS, CHOSEN, WIDTH, HIDDEN = 10, 4, 2, 32, 48


def count(model: PreTrainedModel, tokens: int = 5, experts: str = "") -> Counts:
    if experts:
        model.set_experts_implementation(experts)
    ids = torch.arange(2 * tokens).reshape(2, tokens) + 3
    with exposed_attention(model, partial=True):
        return count_pass(
            model, lambda: model(input_ids=ids, use_cache=False), variant="asa", loose=True
        )


def routed_to(model: PreTrainedModel, experts: list[int]) -> None:
    """Let each router of a model choose these experts for all tokens."""
    for module in model.modules():
        if router_rule(module) is not None:
            found = torch.tensor(experts)

            def route(_me: nn.Module, _args: Any, out: Any, found: Tensor = found) -> Any:
                logits, weights, index = out
                return logits, weights, found.expand_as(index)

            module.register_forward_hook(route)


@pytest.mark.parametrize("kind", ["mixtral", "qwen3_moe", "olmoe", "gpt_oss"])
@pytest.mark.parametrize("implementation", ["eager", "grouped_mm", "batched_mm"])
def test_the_weights_of_the_chosen_experts_are_read(kind: str, implementation: str) -> None:
    model = model_of(tiny(kind))
    routed_to(model, [3, 1])
    counts = count(model, experts=implementation)
    name = "model.layers.1.mlp.experts"
    up, down = (counts.layer(f"{name}.{part}").ops for part in ("gate_up_proj", "down_proj"))
    # 10 tokens, 2 experts each; both tokens chose the same 2 of 4
    assert up[Op.MAC] == TOKENS * CHOSEN * WIDTH * 2 * HIDDEN
    assert down[Op.MAC] == TOKENS * CHOSEN * HIDDEN * WIDTH
    assert up[Op.WEIGHT_READ] == 2 * WIDTH * 2 * HIDDEN
    assert down[Op.WEIGHT_READ] == 2 * HIDDEN * WIDTH
    assert up[Op.ACTIVATION_READ] == TOKENS * CHOSEN * WIDTH
    assert counts.layer(f"{name}.weighted_sum").ops[Op.MUL] == TOKENS * CHOSEN * WIDTH
    elements = TOKENS * CHOSEN * HIDDEN
    if kind == "gpt_oss":  # clamps, shift and the activation belong to its gate
        expected = gate(elements, clamped=True, shifted=True, swish=True)
        assert up[Op.VECTOR_READ] == 2 * 2 * HIDDEN
    else:
        expected = gate(elements)
        assert counts.layer(f"{name}.act_fn").ops[Op.EXP] == elements
    assert counts.layer(f"{name}.multiply").tally == Tally.total([expected])


def test_a_decoded_token_reads_as_many_experts_as_it_chooses() -> None:
    model = model_of(tiny("mixtral"))
    counts = count(model, tokens=1)
    read = counts.layer("model.layers.0.mlp.experts.down_proj").ops[Op.WEIGHT_READ]
    # 2 sequences, 2 experts each: 2 to 4 of them
    assert read // (HIDDEN * WIDTH) in (2, 3, 4)
    assert read % (HIDDEN * WIDTH) == 0


def test_the_whole_bill_of_a_mixture() -> None:
    # 2 layers: attention 2 x 32 x 32 + 2 x 32 x 16, router 32 x 4, 2 experts of 3 x 32 x 48; head
    layer = 2 * WIDTH * WIDTH + 2 * WIDTH * 16 + WIDTH * EXPERTS + CHOSEN * 3 * WIDTH * HIDDEN
    pairs = 2 * 5 * 5 * 2 * WIDTH  # of both products, 2 sequences
    counts = count(model_of(tiny("mixtral")))
    assert counts.dense_macs == TOKENS * (2 * layer + WIDTH * 101) + 2 * pairs


def test_shared_experts_are_layers_of_their_own() -> None:
    counts = count(model_of(tiny("deepseek_v3")))
    shared = counts.layer("model.layers.1.mlp.shared_experts.down_proj")
    assert shared.ops[Op.MAC] == TOKENS * HIDDEN * WIDTH
    assert shared.ops[Op.WEIGHT_READ] == HIDDEN * WIDTH


@pytest.mark.parametrize(
    ("kind", "sizes", "how"),
    [
        ("mixtral", {}, Routing(EXPERTS, 2, Scoring.SOFTMAX, normalised=True)),
        ("qwen3_moe", {"norm_topk_prob": True}, Routing(EXPERTS, 2, Scoring.SOFTMAX, True)),
        ("qwen3_moe", {"norm_topk_prob": False}, Routing(EXPERTS, 2, Scoring.SOFTMAX)),
        ("gpt_oss", {}, Routing(EXPERTS, 2, Scoring.SOFTMAX_CHOSEN)),
        ("granitemoe", {}, Routing(EXPERTS, 2, Scoring.SOFTMAX_CHOSEN)),
        ("llama4_text", {}, Routing(EXPERTS, 2, Scoring.SIGMOID_CHOSEN)),
        (
            "deepseek_v3",
            {"n_routed_experts": 8, "n_group": 4, "topk_group": 2},
            Routing(8, 2, Scoring.SIGMOID, True, True, True, 4, 2),
        ),
        ("deepseek_v2", {"topk_method": "greedy"}, Routing(EXPERTS, 2, Scoring.SOFTMAX)),
        # A bias for the choice from a child, from whoever calls, of its own; matrices of children
        ("ernie4_5_moe", {}, Routing(EXPERTS, 2, Scoring.SOFTMAX, True, True)),
        ("afmoe", {"route_scale": 2.0}, Routing(EXPERTS, 2, Scoring.SIGMOID, True, True, True)),
        ("hunyuan_v1_moe", {}, Routing(EXPERTS, 2, Scoring.SOFTMAX, True)),
        (
            "longcat_flash",
            {"n_routed_experts": 6, "zero_expert_num": 2, "routed_scaling_factor": 1.5},
            Routing(8, 2, Scoring.SOFTMAX, False, True, True),
        ),
        ("phimoe", {}, Routing(EXPERTS, 2, Scoring.NEAR_BEST)),
    ],
)
def test_how_a_router_chooses(kind: str, sizes: dict[str, Any], how: Routing) -> None:
    model = model_of(tiny(kind, **sizes))
    name, router = next((x, y) for x, y in model.named_modules() if router_rule(y) is not None)
    counts = count(model)
    # The product of 10 tokens with a matrix
    product = ".".join(filter(None, (name, matrix_of(router))))
    assert counts.layer(product).ops[Op.MAC] == TOKENS * WIDTH * how.experts
    assert not {"topk", "gather", "_softmax"} & {*counts.uncounted}
    assert counts.layer(f"{name}.choice").tally == Tally.total([routing(TOKENS, how)])


def test_two_configurations_of_a_router_are_two() -> None:
    first, second = (
        model_of(tiny("qwen3_moe", norm_topk_prob=norm)).model.layers[0].mlp.gate
        for norm in (True, False)
    )
    assert [router.normalised for router in (_routing(first), _routing(second)) if router] == [
        True,
        False,
    ]


def test_experts_that_run_on_zeros_were_not_chosen() -> None:
    # Llama 4 in transformers runs all experts on all tokens.
    model = model_of(tiny("llama4_text", num_experts_per_tok=1))
    counts = count(model)
    row = counts.layer("model.layers.0.feed_forward.experts.down_proj")
    assert row.ops[Op.MAC] == TOKENS * 1 * HIDDEN * WIDTH
    assert row.ops[Op.WEIGHT_READ] <= EXPERTS * HIDDEN * WIDTH
    # Neither is their activation, a sigmoid for each entry.
    activation = counts.layer("model.layers.0.feed_forward.experts.act_fn")
    assert (activation.calls, activation.ops[Op.EXP]) == (1, TOKENS * 1 * HIDDEN)


@pytest.mark.parametrize("kind", ["jetmoe", "longcat_flash"])
def test_other_experts_read_the_weights_that_they_use(kind: str) -> None:
    counts = count(model_of(tiny(kind)))
    rows = [row for row in counts.layers if row.kind in ("mm", "addmm")]
    assert rows
    for row in rows:
        assert row.ops[Op.WEIGHT_READ] > 0


def test_without_values_the_expected_number_is_read() -> None:
    index = torch.zeros(10, 2, dtype=torch.long, device="meta")
    assert chosen_experts(index, 4) == (20, expected_experts(4, 2, 10))
    # Numbers from 4 on are no experts of 4.
    assert chosen_experts(torch.tensor([[0, 4], [0, 1]]), 4) == (3, 2)


def test_another_module_with_such_parameters_gets_no_rule() -> None:
    class Other(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate_up_proj = nn.Parameter(torch.rand(4, 6, 4))
            self.down_proj = nn.Parameter(torch.rand(4, 4, 3))

        def forward(self, x: Tensor, index: Tensor, weights: Tensor) -> Tensor:
            return x

    assert experts_rule(Other()) is None
    assert router_rule(nn.Linear(3, 4)) is None


def test_a_block_with_a_gate_and_other_weights_is_no_router() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.top_k, self.num_experts = 2, 4
            self.gate, self.act = nn.Linear(4, 4), nn.SiLU()

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            logits = self.act(self.gate(x))
            return logits, *logits.topk(self.top_k, 1)

    assert matrix_of(Block()) == "gate"
    assert router_rule(Block()) is None  # its logits are no product
    block = Block()
    block.experts = nn.Linear(4, 4)
    assert matrix_of(block) is None
