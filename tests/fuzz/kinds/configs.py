"""Configurations of models, through the closed form and with random weights."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from ..case import Case, Draw
from ..seeds import Seeds, under
from ..values import RAW, change_bytes, change_tree, put, to_json

_PRICED = "--hw 45nm --pictures none --no-page --out run"
_PLANS = (
    f"plan --model model --seq-len 8 {_PRICED}",
    f"plan --model model --seq-len 8 --card --carbon-intensity 350 {_PRICED}",
    f"plan --model model/config.json --phase decode --context 8 {_PRICED}",
    f"plan --model model --prompt 4 --generate 3 --form softmax --code pow2 {_PRICED}",
    "breakeven --model model --seq-len 8 --hw 45nm --pictures none --out even",
)
_COUNT = "count --model model --weights random --seq-len 4 --hw 45nm --pictures none --out count"
_SPIKING = "evaluate --model model --max-tokens 16 --window 8 --pictures none --out quality"
_LLAMA: dict[str, Any] = {
    **{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 300},
    **{"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "hidden_act": "silu"},
    **{"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 32},
    **{"rms_norm_eps": 1e-6, "attention_bias": False, "mlp_bias": False, "head_dim": 4},
    **{"tie_word_embeddings": True, "torch_dtype": "float32", "bos_token_id": 0},
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
}
_QWEN = {**_LLAMA, "model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"]} | {
    **{"use_sliding_window": False, "sliding_window": 16, "max_window_layers": 2},
}
_MISTRAL = {**_LLAMA, "model_type": "mistral", "architectures": ["MistralForCausalLM"]} | {
    "sliding_window": None
}
_OPT = {
    **{"model_type": "opt", "hidden_size": 16, "ffn_dim": 32, "num_hidden_layers": 2},
    **{"num_attention_heads": 2, "vocab_size": 300, "max_position_embeddings": 32},
    **{"word_embed_proj_dim": 16, "do_layer_norm_before": True, "activation_function": "relu"},
}
_NO_SIZE = (
    *(0, -1, 1.5, True, False, "8", [8], {"a": 1}, 10**10, 10**30, -(10**30), 1e30, 1e308),
    *(float("nan"), f"{RAW}1e400", f"{RAW}1{'0' * 400}", "", "٣"),
)
_SIZES = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")


def _size(random: Random, tree: Any) -> Any:
    return put(tree, random.choice(_SIZES), random.choice(_NO_SIZE))


def _flag(random: Random, tree: Any) -> Any:
    key = random.choice(("attention_bias", "mlp_bias", "tie_word_embeddings"))
    return put(tree, key, random.choice(("false", "true", "", 2, 0.5, [], {}, "no")))


_FAULTS = (
    ("a size that is none", _size),
    ("a size that is none", _size),
    ("a flag that is none", _flag),
    ("heads that do not share", lambda _, tree: put(tree, "num_key_value_heads", 3)),
    ("an unknown family", lambda r, tree: put(tree, "model_type", r.choice(("", "lama", 5, [])))),
    ("an unknown activation", lambda r, tree: put(tree, "hidden_act", r.choice(("x", 1, None)))),
)


def case(draw: Draw, seeds: Seeds) -> Case:
    """A configuration, and a command that reads it."""
    what = draw.choices(("plan", "count", "spiking"), (12, 2, 1))[0]
    model = seeds.spiking if what == "spiking" else seeds.model
    own = json.loads(model["config.json"])
    tree = own if what == "spiking" else draw.choice((own, _LLAMA, _QWEN, _MISTRAL, _OPT))
    if tree is _LLAMA:  # others have not all of these keys
        tree = draw.spoilt(tree, _FAULTS)
    data = to_json(draw.changed(tree, change_tree))
    if draw.random() < 0.1:
        data = draw.changed(data, change_bytes)
    words = {"plan": draw.choice(_PLANS), "count": _COUNT, "spiking": _SPIKING}[what]
    files = under("model", (model if what != "plan" else {}) | {"config.json": data})
    return draw.case(words.split(), files, valid=tree is not _OPT)
