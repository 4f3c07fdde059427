# Numbers that nobody here wrote, through the public interface. Data: tests/golden/published.toml.
from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from energy import Counts, Estimate, LayerCount, Tally, estimate
from hwmodels import Buffer, Fusion, HardwareProfile, Op, Room, load_profile
from hwmodels.machine import Widths
from neurt.closed_form.passes import decode, prefill
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import ALIASES, Shape
from neurt.spiking.config import SpikingConfig

PUBLISHED = tomllib.loads(
    (Path(__file__).parent / "golden" / "published.toml").read_text(encoding="utf-8")
)
GPT2 = ALIASES["gpt2-small"][1]


def by_name(row: Mapping[str, Any]) -> str:
    return str(row.get("model", row.get("hw")))


def bill_of(ops: Mapping[str, float], hw: str) -> Estimate:
    # Mean-rate counts have a fraction; the bill is linear in them all the same.
    tally = Tally({Op(name): number for name, number in ops.items()})  # type: ignore[misc]
    return estimate(Counts("ssa", (LayerCount("all", "all", tally=tally),)), load_profile(hw))


@pytest.mark.parametrize("row", PUBLISHED["energy"], ids=by_name)
def test_a_published_energy_follows_from_its_published_operations(row: dict[str, Any]) -> None:
    bill = bill_of(row["ops"], row["hw"])
    assert bill.unpriced == {}
    # Their operations have prices, and nothing else has: no fetch of an operand either.
    fetches_pj = sum(layer.pj.get(Op.DELIVERY, 0.0) for layer in bill.layers)
    assert (bill.energy_pj("full") - fetches_pj) * 1e-9 == pytest.approx(
        row["printed_mj"], rel=0, abs=row["tolerance_mj"] or 1e-24
    )


def test_the_multiply_accumulates_of_the_spikingformer_log() -> None:
    # 4 steps x 3 x 9 inputs x 64 channels x 224^2 positions, and the classifier: 347,329,512
    log = PUBLISHED["spikingformer"]
    first = log["first_layer"]
    convolution = first["timesteps"] * first["fan_in"] * first["channels"] * first["side"] ** 2
    assert convolution + log["head_macs"] == log["printed_macs"]


def test_the_attention_of_the_spikingformer_log_follows_from_mean_rates() -> None:
    # T h N d_h^2 sum over blocks of (min(r_K, r_V) + r_Q), to the 12 digits that are printed
    log = PUBLISHED["spikingformer"]
    dense = log["timesteps"] * log["heads"] * log["tokens"] * log["head_width"] ** 2
    rates = sum(min(k, v) + q for q, k, v in log["rates"])
    assert dense * rates == pytest.approx(log["printed_attention_acs"], rel=1e-11)


def test_the_power_of_truenorth_over_its_events() -> None:
    # 72 mW / (1048576 x 20 x 128 per second) = 26.82 pJ; the profile has the printed 26 pJ
    chip = PUBLISHED["truenorth"]
    events = chip["neurons"] * chip["hertz"] * chip["synapses"]
    assert chip["watts"] / events * 1e12 == pytest.approx(chip["recomputed_pj"], abs=0.005)
    second = bill_of({"ac": events}, "truenorth").energy_pj() * 1e-12
    assert second == pytest.approx(chip["watts"], rel=0.04)


def in_dram(hw: str) -> HardwareProfile:
    return load_profile(hw).model_copy(update={"placement": dict.fromkeys(Buffer, ("dram",))})


@pytest.mark.parametrize("row", PUBLISHED["decode"], ids=by_name)
def test_decode_of_gpt2_small_moves_what_the_closed_form_says(row: dict[str, Any]) -> None:
    # weights: bytes (12 L d^2 + V d); KV: 2 L d n bytes; both at 162.5 pJ per byte
    profile = in_dram(row["hw"])
    for context, printed_mj in row["dram_mj"].items():
        bill = estimate(plan_asa(GPT2, decode(int(context))), profile)
        assert profile.fusion is Fusion.FUSED  # 494,128,128 bytes in FP32
        assert bill.counts.total(Op.WEIGHT_READ) * profile.value_bytes == row["weight_bytes"]
        expected_kv = row["kv_bytes_at_1024"] * int(context) / 1024
        assert bill.counts.total(Op.KV_READ) * profile.value_bytes == expected_kv
        moved_pj = sum(
            layer.pj.get(Op.WEIGHT_READ, 0.0) + layer.pj.get(Op.KV_READ, 0.0)
            for layer in bill.layers
        )
        assert moved_pj * 1e-9 == pytest.approx(printed_mj, rel=0, abs=0.0051)
    if "mac_mj_at_1024" in row:
        assert bill.energy_pj("compute") * 1e-9 == pytest.approx(row["mac_mj_at_1024"], abs=0.0005)


def test_the_arithmetic_of_gpt2_small() -> None:
    printed = PUBLISHED["gpt2_small"]
    bill = estimate(plan_asa(GPT2, prefill(128)), load_profile("45nm"))
    assert bill.counts.total(Op.MAC) == printed["prefill_128_macs"]
    assert bill.energy_pj("compute") * 1e-9 == pytest.approx(printed["prefill_128_mj"], abs=0.0005)
    assert plan_asa(GPT2, decode(1024)).total(Op.MAC) == printed["decode_1024_macs"]


@pytest.mark.parametrize(
    ("hw", "weights", "kv_cache"),
    # 24 MiB = 25,165,824 bytes: 494 MB and 124 MB of weights do not fit. The KV cache does at
    # INT8 (18.9 MB) and not at FP32 (75.5 MB).
    [("45nm", "dram", "dram"), ("45nm-int8", "dram", "sram"), ("7nm-int8", "dram", "sram")],
)
def test_in_fixed_order_a_shipped_profile_keeps_on_the_chip_what_fits(
    hw: str, weights: str, kv_cache: str
) -> None:
    profile = load_profile(hw).model_copy(update={"room": Room.FIXED_ORDER})
    bill = estimate(plan_asa(GPT2, decode(1024)), profile)
    homes = {"lm_head": weights, "transformer.h.0.attn.core.scores": kv_cache}
    for layer in bill.layers:
        if home := homes.pop(layer.count.name, None):
            op = Op.WEIGHT_READ if layer.count.name == "lm_head" else Op.KV_READ
            assert layer.level_pj[home] >= layer.pj[op] > 0
    assert homes == {}


@pytest.mark.parametrize(("hw", "width"), [("45nm", 4), ("45nm-int8", 1), ("7nm-int8", 1)])
def test_by_need_all_of_the_room_is_taken_by_weights_and_cache_that_are_read_once(
    hw: str, width: int
) -> None:
    bill = estimate(plan_asa(GPT2, decode(1024)), load_profile(hw))
    # 123,532,032 weights, 121,344 biases and scales and a row of each embedding, 2 x 12 x 1,024 x
    # 768 entries of the cache, each read once; 2 x 12 x 768 of them are written
    lasting = 123_532_032 + 121_344 + 2 * 768 + 18_874_368 + 18_432
    moved = sum(layer.level_bytes.get("dram", 0) for layer in bill.layers)
    # 24 MiB of them are not, but for what the working set takes: at most the 50,257 logits, their
    # 768 inputs, and a few vectors
    least = lasting * width - 25_165_824
    assert least <= moved <= least + 2 * 60_000 * width


SMOLLM2 = Shape(
    *(30, 576, 9, 1536, 49152, 8192),
    **{"model_type": "llama", "kv_heads": 3, "activation": "silu"},
    **dict.fromkeys(("qkv_bias", "out_bias", "ffn_bias"), False),
)


@pytest.mark.parametrize(
    ("shape", "weights"),
    # 12 x 12 x 768^2 + 50,257 x 768;
    # 30 (2 x 576^2 + 2 x 576 x 192 + 3 x 576 x 1,536) + 49,152 x 576
    [(GPT2, 123_532_032), (SMOLLM2, 134_479_872)],
    ids=["gpt2-small", "SmolLM2-135M"],
)
@pytest.mark.parametrize("bits", [None, 32, 16, 8, 4.5, 4.156, 1])
@pytest.mark.parametrize("spiking", [False, True], ids=["analog", "spiking"])
def test_a_decoded_token_moves_each_weight_once_at_its_width(
    shape: Shape, weights: int, bits: float | None, spiking: bool
) -> None:
    profile = in_dram("45nm").model_copy(update={"widths": Widths(weights=bits, kv=8)})
    assert profile.fusion is Fusion.FUSED
    what = decode(1024)
    counts = plan_ssa(shape, what, SpikingConfig(), 0.2) if spiking else plan_asa(shape, what)
    bill = estimate(counts, profile)
    # 1.3 nJ per 64 bit: 162.5 pJ per byte
    moved = sum(layer.pj.get(Op.WEIGHT_READ, 0.0) for layer in bill.layers) / 162.5
    expected = weights * (bits or 32) / 8
    assert moved == pytest.approx(expected, rel=1e-12)
    if shape is GPT2 and bits in (None, 32):
        assert expected == 494_128_128
