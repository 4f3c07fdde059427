"""MACs of checkpoints that people run, from their `config.json` alone, against arithmetic by hand.

In each of L layers the projections of H heads of D channels read a width d: Q and the output are
2 x d H D, keys and values of K heads 2 x d K D; a gated feed-forward block is 3 x d F; the head is
V d. Scores and mix are H D each for every pair of tokens.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from energy import Attention, Counts
from hwmodels import Op
from neurt.measure.planning import run_plan
from neurt.requests.passes import PlanRequest

LLAMA_7B: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "vocab_size": 32000,
    "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": False,
}
#: A head is as wide as it says: 32 x 128 channels are not the width of 5120.
MISTRAL_NEMO = LLAMA_7B | {
    "model_type": "mistral",
    "hidden_size": 5120,
    "intermediate_size": 14336,
    "num_hidden_layers": 40,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 131072,
    "max_position_embeddings": 131072,
}
LLAMA_3_AWQ = LLAMA_7B | {
    "intermediate_size": 14336,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "quantization_config": {
        **{"quant_method": "awq", "bits": 4, "group_size": 128},
        **{"version": "gemm", "zero_point": True},
    },
}
QWEN2 = LLAMA_7B | {
    "model_type": "qwen2",
    "hidden_size": 896,
    "intermediate_size": 4864,
    "num_hidden_layers": 24,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "vocab_size": 151936,
    "tie_word_embeddings": True,
}
R1_DISTILL_QWEN = QWEN2 | {
    "hidden_size": 1536,
    "intermediate_size": 8960,
    "num_hidden_layers": 28,
    "num_attention_heads": 12,
    "tie_word_embeddings": False,
}
MODELS = {
    "Llama-2-7B": LLAMA_7B,
    "Mistral-Nemo-12B": MISTRAL_NEMO,
    "Llama-3.1-8B-AWQ": LLAMA_3_AWQ,
    "Qwen2-0.5B": QWEN2,
    "R1-Distill-Qwen-1.5B": R1_DISTILL_QWEN,
}


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def planned(config: dict[str, Any], folder: Path, **asked: Any) -> Counts:
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return run_plan(PlanRequest(model="config.json", hw=("45nm",), out=folder, **asked)).asa


@pytest.mark.parametrize(
    ("name", "linear", "pairs", "macs"),
    [
        # 32 (4 x 4096^2 + 3 x 4096 x 11008) + 32000 x 4096; 2 x 32 x 4096 a pair
        ("Llama-2-7B", 6_607_077_376, 2 * 32 * 4096, 850_000_871_424),
        # 40 (2 x 5120 x 4096 + 2 x 5120 x 1024 + 3 x 5120 x 14336) + 131072 x 5120
        ("Mistral-Nemo-12B", 11_576_279_040, 2 * 40 * 4096, 1_487_132_426_240),
        # 32 (2 x 4096^2 + 2 x 4096 x 1024 + 3 x 4096 x 14336) + 128256 x 4096
        ("Llama-3.1-8B-AWQ", 7_504_658_432, 2 * 32 * 4096, 964_891_246_592),
        # 24 (2 x 896^2 + 2 x 896 x 128 + 3 x 896 x 4864) + 151936 x 896
        ("Qwen2-0.5B", 493_961_216, 2 * 24 * 896, 63_931_678_720),
        # 28 (2 x 1536^2 + 2 x 1536 x 256 + 3 x 1536 x 8960) + 151936 x 1536
        ("R1-Distill-Qwen-1.5B", 1_543_569_408, 2 * 28 * 1536, 198_986_170_368),
    ],
)
def test_a_prompt_of_128_tokens(
    name: str, linear: int, pairs: int, macs: int, elsewhere: Path
) -> None:
    assert 128 * linear + 128**2 * pairs == macs
    assert planned(MODELS[name], elsewhere, seq_len=128).dense_macs == macs


def test_a_token_that_attends_to_4096(elsewhere: Path) -> None:
    # 6,607,077,376 and 4096 pairs x 2 x 32 x 4096
    macs = 6_607_077_376 + 4096 * 2 * 32 * 4096
    assert macs == 7_680_819_200
    assert planned(LLAMA_7B, elsewhere, phase="decode", context=4096).dense_macs == macs


@pytest.mark.parametrize(
    ("attention", "products"),
    [
        # 4 sequences x 8192^2 pairs x 2 x 32 x 4096; causal 8192 x 8193 / 2 of them
        (Attention.FULL, 70_368_744_177_664),
        (Attention.CAUSAL, 35_188_667_056_128),
    ],
)
def test_products_of_attention_over_8192_tokens(
    attention: Attention, products: int, elsewhere: Path
) -> None:
    config = LLAMA_7B | {"max_position_embeddings": 8192}
    counts = planned(config, elsewhere, seq_len=8192, batch=4, attention=attention)
    pairs = 8192**2 if attention is Attention.FULL else 8192 * 8193 // 2
    assert products == 4 * pairs * 2 * 32 * 4096
    of_pairs = [counts.only(component=name).total(Op.MAC) for name in ("scores", "mix")]
    assert of_pairs == [products // 2, products // 2]
    # 4 x 8192 x 6,607,077,376 in all else
    assert counts.dense_macs - products == 216_500_711_456_768
