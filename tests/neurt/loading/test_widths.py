from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from builders import refused

from energy import Counts, LayerCount
from hwmodels import Op
from hwmodels.errors import UserError
from neurt.closed_form.passes import prefill
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import read_shape
from neurt.loading.gguf.header import read_header
from neurt.loading.source import ModelError, ModelSource, resolve
from neurt.loading.widths import UNSAID, CheckpointWidths, checkpoint_widths, of_config
from neurt.spiking.config import SpikingConfig

#: A Llama of 2 layers: d = 256, 4 heads of 64, 2 cached, f = 512, V = 1000.
LLAMA = {
    "model_type": "llama",
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "vocab_size": 1000,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
}
SHAPE = read_shape(LLAMA, "it")
PLAN = plan_asa(SHAPE, prefill(8))
FIRST = "model.layers.0."


def said(tied: bool = False, **quantised: Any) -> CheckpointWidths:
    config = LLAMA | ({"quantization_config": quantised} if quantised else {})
    return of_config(config, "it", tied=tied)


def weight_bits(widths: CheckpointWidths, counts: Counts = PLAN) -> dict[str, float | None]:
    rows = {row.name.removeprefix(FIRST): row for row in counts.layers}
    names = ("self_attn.q_proj", "self_attn.k_proj", "mlp.gate_proj", "mlp.down_proj", "lm_head")
    return {name.rpartition(".")[2]: widths.of_row(rows[name]).weights for name in names}


def matrices(bits: float | dict[str, float], head: float = 16) -> dict[str, float]:
    names = ("q_proj", "k_proj", "gate_proj", "down_proj")
    each = bits if isinstance(bits, dict) else dict.fromkeys(names, bits)
    return {**each, "lm_head": head}


#: Inputs and outputs of the matrices.
SIZES = {
    "q_proj": (256, 256),
    "k_proj": (256, 128),
    "gate_proj": (256, 512),
    "down_proj": (512, 256),
}


@pytest.mark.parametrize(
    ("quantised", "bits"),
    [
        # 16 bits of scale and 4 of zero point for 128 inputs: 4 + 20 / 128
        ({"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True}, 4.15625),
        ({"quant_method": "awq", "w_bit": 4, "q_group_size": 64, "zero_point": False}, 4.25),
        ({"quant_method": "gptq", "bits": 4, "group_size": 128, "sym": True}, 4.15625),
        ({"quant_method": "gptq", "bits": 3, "group_size": 32}, 3 + 19 / 32),
        # 64 weights share a scale of 32 bits
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, 4.5),
        ({"load_in_4bit": True}, 4.5),
        # 32 weights share an exponent of 8 bits
        ({"quant_method": "mxfp4"}, 4.25),
        # blocks of 128 x 128 with 32 bits: the sizes here are multiples
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, 8 + 32 / 128**2),
    ],
)
def test_an_entry_has_its_share_of_scales_and_zero_points(
    quantised: dict[str, Any], bits: float
) -> None:
    assert weight_bits(said(**quantised)) == matrices(bits)


def test_a_scale_for_each_row_or_tensor_is_shared_by_its_entries() -> None:
    # LLM.int8(): 32 bits for each output, that is for each row of inputs.
    by_row = {name: 8 + 32 / inputs for name, (inputs, _) in SIZES.items()}
    assert weight_bits(said(quant_method="bitsandbytes", load_in_8bit=True)) == matrices(by_row)
    assert weight_bits(said(quant_method="fbgemm_fp8")) == matrices(by_row)
    by_tensor = {name: 8 + 32 / (i * o) for name, (i, o) in SIZES.items()}
    assert weight_bits(said(quant_method="fp8")) == matrices(by_tensor)
    # A group of -1 is a whole row; 20 bits for its inputs.
    whole = {name: 4 + 20 / i for name, (i, _) in SIZES.items()}
    assert weight_bits(said(quant_method="gptq", bits=4, group_size=-1)) == matrices(whole)
    # In the order of activations each input has 32 bits more, which the outputs share.
    ordered = {name: 4.15625 + 32 / o for name, (_, o) in SIZES.items()}
    found = weight_bits(said(quant_method="gptq", bits=4, group_size=128, desc_act=True))
    assert found == matrices(ordered)


def test_scales_that_are_quantised_again_cost_an_eighth_of_a_bit() -> None:
    # q: 65536 entries are 1024 blocks of 64: 8 bits each, and 32 for each 256: 4 + 8320 / 65536
    twice = said(quant_method="bitsandbytes", load_in_4bit=True, bnb_4bit_use_double_quant=True)
    assert weight_bits(twice)["q_proj"] == 4 + (8 * 1024 + 32 * 4) / 65536
    assert weight_bits(twice)["q_proj"] == pytest.approx(4.127, abs=5e-4)


def test_blocks_at_the_edge_are_whole() -> None:
    # 100 x 100: q has 3 x 3 blocks, down 3 outputs x 6 inputs
    found = weight_bits(said(quant_method="fp8", weight_block_size=[100, 100]))
    assert found["q_proj"] == 8 + 9 * 32 / 256**2
    assert found["down_proj"] == 8 + 3 * 6 * 32 / (512 * 256)


def test_embedding_head_and_norms_of_a_quantised_checkpoint_stay_in_its_number_format() -> None:
    widths = said(quant_method="awq", bits=4, group_size=128)
    bits = {row.name: widths.of_row(row) for row in PLAN.layers}
    assert bits["model.embed_tokens"] == (None, 16)
    assert bits["model.norm"] == (None, 16)
    assert bits[f"{FIRST}input_layernorm"] == (None, 16)
    assert bits["lm_head"] == (16, 16)
    assert bits[f"{FIRST}self_attn.core.scores"] == (None, None)
    assert bits["model.rotary_emb"] == (None, None)  # computed, and in no checkpoint
    assert (widths.activations, widths.kv) == (16, 16)


def test_layers_that_are_named_are_not_quantised() -> None:
    kept = said(quant_method="awq", bits=4, modules_to_not_convert=["mlp", "layers.1"])
    assert weight_bits(kept) == matrices(
        {"q_proj": 4.15625, "k_proj": 4.15625, "gate_proj": 16, "down_proj": 16}
    )
    [second] = [x for x in PLAN.layers if x.name == "model.layers.1.self_attn.q_proj"]
    assert kept.of_row(second).weights == 16
    skipped = said(quant_method="bitsandbytes", load_in_4bit=True, llm_int8_skip_modules=["k_proj"])
    assert weight_bits(skipped)["k_proj"] == 16
    only = said(
        quant_method="gptq", bits=4, modules_in_block_to_quantize=[["self_attn.q_proj"], ["mlp.up"]]
    )
    assert weight_bits(only)["q_proj"] == 4.15625
    assert weight_bits(only)["gate_proj"] == 16
    head = said(quant_method="gptq", bits=4, lm_head=True)
    assert weight_bits(head)["lm_head"] == 4.15625


def compressed(weights: dict[str, Any], inputs: dict[str, Any] | None = None, **more: Any) -> Any:
    group = {"targets": ["Linear"], "weights": weights, "input_activations": inputs}
    about = {"quant_method": "compressed-tensors", "config_groups": {"group_0": group}}
    return said(**about | more)


def test_compressed_tensors_say_groups_activations_and_cache() -> None:
    # W8A8: a scale in the number format for each output
    wide = {"num_bits": 8, "type": "int", "strategy": "channel", "symmetric": True}
    widths = compressed(
        wide, {"num_bits": 8}, ignore=["lm_head"], kv_cache_scheme={"num_bits": 8, "type": "float"}
    )
    by_row = {name: 8 + 16 / inputs for name, (inputs, _) in SIZES.items()}
    assert weight_bits(widths) == matrices(by_row)
    assert (widths.activations, widths.kv) == (8, 8)
    # W4A16 in groups, not symmetric: 16 + 4 bits for 128 inputs, and the head if nobody ignores it
    narrow = {"num_bits": 4, "strategy": "group", "group_size": 128, "symmetric": False}
    assert weight_bits(compressed(narrow)) == matrices(4.15625, head=4.15625)
    assert weight_bits(compressed(narrow, ignore=["re:.*gate_proj"]))["gate_proj"] == 16
    assert compressed(narrow).activations == 16
    # NVFP4: 8 bits for 16 inputs, and 32 for the tensor
    floats = {"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16}
    found = weight_bits(compressed(floats, format="nvfp4-pack-quantized"))
    assert found["q_proj"] == 4.5 + 32 / 256**2
    blocks = {"num_bits": 8, "strategy": "block", "block_structure": [128, 128]}
    assert weight_bits(compressed(blocks))["q_proj"] == 8 + 16 / 128**2


def test_a_head_that_is_the_embedding_is_not_quantised() -> None:
    weights = {"num_bits": 4, "strategy": "group", "group_size": 128}
    group = {"targets": ["Linear"], "weights": weights}
    widths = said(tied=True, quant_method="compressed-tensors", config_groups={"g": group})
    assert weight_bits(widths)["lm_head"] == 16


def test_the_spiking_model_reads_the_same_weights() -> None:
    widths = said(quant_method="bitsandbytes", load_in_8bit=True)
    ssa = plan_ssa(SHAPE, prefill(8), SpikingConfig(), 0.2)
    assert weight_bits(widths, ssa) == weight_bits(widths)
    [coder] = [x for x in ssa.layers if x.name == f"{FIRST}self_attn.encoder"]
    assert widths.of_row(coder) == (None, None)  # thresholds are in no checkpoint


@pytest.mark.parametrize(
    ("dtype", "bits"),
    [
        ("float16", 16),
        ("torch.bfloat16", 16),
        ("float8_e4m3fn", 8),
        ("float32", None),
        (None, None),
    ],
)
def test_a_checkpoint_without_quantisation_has_one_width(dtype: str, bits: float | None) -> None:
    for key in ("dtype", "torch_dtype"):
        given = {name: x for name, x in LLAMA.items() if name != "torch_dtype"} | {key: dtype}
        widths = of_config(given, "it")
        assert weight_bits(widths) == dict.fromkeys(matrices(0), bits)
        assert (widths.activations, widths.kv) == (bits, bits)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"torch_dtype": "int3"}, "'dtype' (= 'int3') is no number format"),
        ({"quantization_config": {"quant_method": "aqlm"}}, "give them, as --widths weights=4.5"),
        ({"quantization_config": {"bits": 4}}, "give them, as --widths weights=4.5"),
        ({"quantization_config": ["awq"]}, "must be an object or null"),
        ({"quantization_config": {"quant_method": "awq", "bits": "4"}}, "'bits' (= '4') must be"),
        ({"quantization_config": {"quant_method": "awq"}}, "'bits' (= None) must be an integer"),
        (
            {"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 0}},
            "'group_size' (= 0) must be an integer >= 1",
        ),
        (
            {"quantization_config": {"quant_method": "fp8", "weight_block_size": [128]}},
            "must be two integers >= 1, as [128, 128]",
        ),
        (
            {"quantization_config": {"quant_method": "mxfp4", "modules_to_not_convert": "mlp"}},
            "must be a list of names",
        ),
        (
            {"quantization_config": {"quant_method": "gptq", "bits": 4, "dynamic": {"-:x": {}}}},
            "quantised by 'gptq' in a way whose bits per weight are not known",
        ),
        (
            {
                "quantization_config": {
                    "quant_method": "compressed-tensors",
                    "config_groups": {"a": {"weights": {"num_bits": 4, "strategy": "token"}}},
                }
            },
            "'strategy' (= 'token') must be tensor, channel",
        ),
    ],
)
def test_what_is_not_known_is_one_line(config: dict[str, Any], words: str) -> None:
    sentence = refused(UserError, of_config, LLAMA | config, "it")
    assert words in sentence
    assert len(sentence) <= 300


def test_a_pattern_that_is_none_is_one_line() -> None:
    widths = compressed({"num_bits": 4}, ignore=["re:("])
    sentence = refused(ModelError, widths.of_row, PLAN.layer("lm_head"))
    assert "names layers by '(', which is no pattern" in sentence


def test_a_quantisation_that_is_not_known_is_no_error_where_bits_are_given() -> None:
    config = LLAMA | {"quantization_config": {"quant_method": "aqlm"}}
    widths = of_config(config, "it", weights_known=True)
    assert (widths.activations, widths.kv) == (16, 16)


def test_what_is_not_on_this_machine_says_nothing() -> None:
    assert checkpoint_widths(ModelSource("it", "nobody/nothing", None, None)) is UNSAID
    assert UNSAID.of_row(LayerCount("a", "Linear")) == (None, None)


def test_a_directory_says_what_its_config_says(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(LLAMA), encoding="utf-8")
    assert checkpoint_widths(resolve(str(tmp_path))).activations == 16


def test_counted_weight_bytes_of_a_gguf_file_are_the_sizes_of_its_tensors() -> None:
    # SmolLM2: matrices in Q4_1 (5 bits), the embedding, which is the head too, in Q8_0 (8.5 bits),
    # norms in F32. A pass over 7 tokens reads every tensor once, and 7 rows of the embedding.
    source = resolve("smollm2-135m")
    assert source.file is not None
    assert source.shape is not None
    tensors = read_header(source.file).tensors
    widths, bits = checkpoint_widths(source), 0.0
    for row in plan_asa(source.shape, prefill(7)).layers:
        weights, vectors = widths.of_row(row)
        bits += row.ops[Op.WEIGHT_READ] * (weights or 0) + row.ops[Op.VECTOR_READ] * (vectors or 0)
    looked_up = 7 * 576 * 8.5 / 8
    assert bits / 8 == sum(tensor.n_bytes for tensor in tensors.values()) + looked_up
