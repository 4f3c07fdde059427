from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from energy import Counts, LayerCount, Tally
from energy.bill.pricing import prepare
from hwmodels import HardwareProfile, Op, load_profile
from neurt.loading.source import resolve
from neurt.loading.widths import CheckpointWidths, RowBits
from neurt.measure.planning import run_plan
from neurt.measure.widths import StoredWidths, stored_widths
from neurt.requests.passes import PlanRequest
from reports.shown import Run

#: Llama-3-8B, its matrices in INT4 by AWQ.
LLAMA_3_8B = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": False,
    "torch_dtype": "float16",
    "quantization_config": {
        "quant_method": "awq",
        "bits": 4,
        "group_size": 128,
        "zero_point": True,
    },
}
READ_OR_WRITTEN = {
    "weights": (Op.WEIGHT_READ, Op.VECTOR_READ),
    "kv": (Op.KV_READ, Op.KV_WRITE),
    "activations": (Op.ACTIVATION_READ, Op.ACTIVATION_WRITE),
}


def planned(directory: Path, config: dict[str, Any], **asked: Any) -> Run:
    (directory / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return run_plan(PlanRequest(model=str(directory), out=directory, **asked))


def moved_bytes(counts: Counts, profile: HardwareProfile) -> dict[str, float]:
    amounts = prepare(counts, profile).amounts
    return {
        buffer: sum(float(amounts[op].sum()) for op in ops if op in amounts)
        for buffer, ops in READ_OR_WRITTEN.items()
    }


@pytest.mark.parametrize("batch", [1, 64])
def test_llama_3_8b_in_int4_moves_the_bytes_of_a_hand_computation(
    tmp_path: Path, batch: int
) -> None:
    run = planned(
        tmp_path,
        LLAMA_3_8B,
        hw=("45nm-fp16",),
        prompt=1024,
        generate=128,
        batch=batch,
        widths={"kv": 8.0},
    )
    [profile] = run.profiles
    prefill, decode = (moved_bytes(phase.asa, profile) for phase in run.phases)

    # A pass reads, of each layer, q and o (4096 x 4096), k and v (4096 x 1024), gate, up and down
    # (4096 x 14336) at 4 + (16 + 4) / 128 bits, two norms of 4096 at 16; the last norm and the head
    # (4096 x 128256) at 16; of the embedding a row of 4096 for each token; and the 128 sines and
    # cosines of each position, which serve the batch.
    matrices = 32 * (2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336) * 4.15625 / 8
    whole = matrices + 65 * 4096 * 2 + 4096 * 128256 * 2
    row, angles = 4096 * 2, 128 * 2
    # In prefill not all fits 24 MiB. Of one sequence, the inputs of down (1024 x 14336 x 2 bytes:
    # 28 MiB) are smaller than its weights (29.1 MiB): the weights pass 28 / 24 times. Of 64, the
    # weights are smaller but in the head (inputs of 512 MiB): its weights pass 512 / 24 times, and
    # the inputs of gate, up and down as often as their weights fill the room.
    down = 14336 * 4096 * 4.15625 / 8
    again = 32 * down * 4 / 24 if batch == 1 else 4096 * 128256 * 2 * (512 - 24) / 24
    inputs = 0 if batch == 1 else 32 * (2 * 4096 + 14336) * (down / (24 * 2**20) - 1)
    assert prefill["weights"] == pytest.approx(
        whole + again + 1024 * (batch * row + angles), rel=1e-12
    )
    assert decode["weights"] == 127 * (whole + batch * row + angles)  # the prefill gives the first

    # A token has 8 heads x 128 channels of K and as many of V in each of 32 layers, a byte each.
    token = 2 * 8 * 128 * 32
    # Prefill: 4 x 1024 x 128 x 2 bytes of queries of a head are 1 MiB, of 24 MiB of SRAM, so that
    # all keys and values are read once; decode reads 1025 to 1151 tokens.
    assert prefill["kv"] == batch * token * (1024 + 1024)
    assert decode["kv"] == batch * token * (127 + sum(range(1025, 1152)))

    # Values of a token in a layer, fused: x is read by q, k and v; Q is written and read; what the
    # heads mix is written and read; o writes and the residual stream is read; gate and up read; one
    # hidden vector is written and read; down writes and the residual stream is read.
    layer = 3 * 4096 + 2 * 4096 + 2 * 4096 + 2 * 4096 + 2 * 4096 + 2 * 14336 + 2 * 4096
    # The embedding writes its row, and the head reads one and writes its logits; so are angles.
    values = 32 * layer + 4096 + 4096 + 128256
    assert prefill["activations"] == pytest.approx(
        1024 * (batch * (values + inputs) + 128) * 2, rel=1e-12
    )
    assert decode["activations"] == 127 * (batch * values + 128) * 2


def test_a_run_says_how_wide_its_values_are_and_who_says_so(tmp_path: Path) -> None:
    run = planned(tmp_path, LLAMA_3_8B, hw=("45nm-fp16", "45nm-int8"), widths={"kv": 8.0})
    assert run.settings["widths_used"] == {
        "45nm-fp16": {
            # The arithmetic is as wide as the checkpoint, so that it is as the profile says.
            "weights": {"bits": [4.15625, 16], "from": "checkpoint"},
            "activations": {"bits": [16, 16], "from": "profile"},
            "kv": {"bits": [8, 8], "from": "flag"},
        },
        "45nm-int8": {
            # What is wider than INT8 is converted to it: the head.
            "weights": {"bits": [4.15625, 8], "from": "checkpoint"},
            "activations": {"bits": [8, 8], "from": "profile"},
            "kv": {"bits": [8, 8], "from": "flag"},
        },
    }


def checkpoint(weights: float, activations: float | None = None) -> CheckpointWidths:
    return CheckpointWidths(lambda _row: RowBits(weights, weights), activations, activations)


ROW = LayerCount("a", "Linear", tally=Tally({Op.WEIGHT_READ: 8, Op.VECTOR_READ: 1}))
COUNTS = Counts("asa", (ROW,), "it")


def test_flags_come_before_the_checkpoint_and_the_checkpoint_before_the_machine() -> None:
    fp32 = load_profile("45nm")
    said = StoredWidths(checkpoint=checkpoint(6.5, 16))
    assert said.rows(COUNTS).layers[0].weight_bits == 6.5
    assert said.machine(fp32).widths.activations == 16
    assert said.machine(fp32).widths.kv == 16
    flagged = StoredWidths({"weights": 4.0, "activations": 12.0}, checkpoint(6.5, 16))
    [row] = flagged.rows(COUNTS).layers
    assert (row.weight_bits, row.vector_bits) == (None, 6.5)
    assert flagged.machine(fp32).widths.activations is None  # the request has changed it already
    assert flagged.machine(fp32).widths.kv == 16


def test_a_checkpoint_that_is_wider_than_the_arithmetic_is_converted_to_it() -> None:
    int8 = load_profile("45nm-int8")
    wide = StoredWidths(checkpoint=checkpoint(16, 16))
    assert wide.machine(int8) is int8
    assert prepare(wide.rows(COUNTS), int8).amounts[Op.WEIGHT_READ] == [8]


def test_flags_replace_what_a_stored_table_says_of_a_checkpoint() -> None:
    stored = StoredWidths(checkpoint=checkpoint(6.5)).rows(COUNTS)
    assert StoredWidths().rows(stored) == stored
    [row] = StoredWidths({"weights": 4.0, "vectors": 4.0}).rows(stored).layers
    assert (row.weight_bits, row.vector_bits) == (None, None)


def test_random_weights_have_no_widths_of_a_checkpoint() -> None:
    source = resolve("smollm2-135m")
    [first] = stored_widths(source, "none(closed form)", {}).rows(GATE).layers
    assert first.weight_bits == 5
    assert stored_widths(source, "random(seed=0)", {}).rows(GATE) == GATE


GATE = Counts("asa", (LayerCount("model.layers.0.mlp.gate_proj", "Linear", tally=ROW.tally),), "it")


def test_a_checkpoint_of_whole_bits_is_planned(tmp_path: Path) -> None:
    """Its widths are whole numbers, which are said as such."""
    plain = {key: x for key, x in LLAMA_3_8B.items() if key != "quantization_config"}
    run = planned(tmp_path, plain | {"torch_dtype": "float16"}, hw=("45nm",), seq_len=8)
    used = run.settings["widths_used"]["45nm"]
    assert used["weights"] == {"bits": [16, 16], "from": "checkpoint"}
    assert used["activations"] == {"bits": [16, 16], "from": "checkpoint"}
