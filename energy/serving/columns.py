"""Names of the columns of a table of measured servers, with the units that they say."""

from __future__ import annotations

from textwrap import wrap
from typing import NamedTuple

WH_J, KWH_J = 3600.0, 3.6e6


class Known(NamedTuple):
    """A column, and how many of the unit of this program one of its unit is."""

    field: str  #: what it is
    factor: float = 1.0


#: Words, and numbers, by the names that a column may have.
WORDS = {
    "model": ("model", "model_id", "model_name"),
    "config": ("config",),
    "gpu": ("gpu", "gpu_model"),
    "task": ("task",),
    "precision": ("precision", "weight_precision", "dtype"),
}
NUMBERS: dict[str, dict[str, float]] = {
    "gpus": dict.fromkeys(("gpus", "num_gpus", "gpu_count"), 1.0),
    "parallel": dict.fromkeys(("tensor_parallel", "tensor_parallel_size", "tp"), 1.0),
    "replicas": dict.fromkeys(("replicas", "data_parallel"), 1.0),
    "batch": dict.fromkeys(("batch", "avg_batch_size", "batch_size", "concurrency"), 1.0),
    "prompt": dict.fromkeys(("prompt_tokens", "prompt", "avg_input_len", "input_len"), 1.0),
    "output": dict.fromkeys(("output_tokens", "generate", "avg_output_len", "output_len"), 1.0),
    "requests": dict.fromkeys(("requests", "num_requests"), 1.0),
    "energy_j": {
        **dict.fromkeys(
            ("energy_per_token_j", "energy_per_token_joules", "j_per_token", "joules_per_token"),
            1.0,
        ),
        **dict.fromkeys(("energy_per_token_mj", "mj_per_token"), 1e-3),
        **dict.fromkeys(("energy_per_token_wh", "wh_per_token"), WH_J),
        **dict.fromkeys(("energy_per_token_kwh", "kwh_per_token"), KWH_J),
    },
    "total_j": {
        **dict.fromkeys(("energy_j", "energy_joules", "total_energy_j"), 1.0),
        **dict.fromkeys(("energy_wh", "total_energy_wh"), WH_J),
        **dict.fromkeys(("energy_kwh", "total_energy_kwh"), KWH_J),
        # CodeCarbon counts in kWh; its energy_consumed has CPU and memory in it.
        "gpu_energy": KWH_J,
    },
    "latency_s": {
        **dict.fromkeys(("median_itl_ms", "itl_ms", "tpot_ms"), 1e-3),
        **dict.fromkeys(("median_itl_s", "itl_s", "tpot_s"), 1.0),
    },
    "rate": dict.fromkeys(
        ("output_throughput_tokens_per_sec", "output_tokens_per_s", "tokens_per_s"), 1.0
    ),
    "duration_s": dict.fromkeys(("duration_s", "duration", "elapsed_time"), 1.0),
    # What a step of a model moves, where its configuration is not known.
    "size_weight_bytes": {"size_weight_bytes": 1.0},
    "size_cache_bytes": {"size_cache_bytes": 1.0},
    "size_state_bytes": {"size_state_bytes": 1.0},
    "size_macs": {"size_macs": 1.0},
    "size_attention_macs": {"size_attention_macs": 1.0},
    "size_activation_bytes": {"size_activation_bytes": 1.0},
    "size_sublayers": {"size_sublayers": 1.0},
    "size_width": {"size_width": 1.0},
}

#: What each column is, for help and documents.
MEANINGS = {
    "model": "name, hub id or path of a config.json",
    "config": "path of its config.json, from where the table is, if `model` is only a name",
    "gpu": "which GPU, to choose with --gpu where the table has several",
    "task": "what was asked, to give --prompt for",
    "precision": "bfloat16, float16, fp8, int8 or mxfp4; of the config.json unless given",
    "gpus": "GPUs that share the model; 1 where no column says it",
    "parallel": "GPUs that share each layer, for `gpus` where that is missing",
    "replicas": "copies of the model beside each other: 1, for rows are of one copy",
    "batch": "mean sequences that ran side by side",
    "prompt": "mean tokens of a prompt; --prompt where there is no such column",
    "output": "mean tokens of an answer",
    "requests": "answers that a total energy is of",
    "energy_j": "joules of all GPUs for each token of an answer",
    "total_j": "joules of all GPUs in all, which requests and output tokens divide",
    "latency_s": "median seconds between two tokens of a sequence",
    "rate": "tokens of all answers per second",
    "duration_s": "seconds in all, from which tokens per second follow",
    "size_weight_bytes": "bytes of weights that a step reads",
    "size_cache_bytes": "bytes of the KV cache for each position",
    "size_state_bytes": "bytes of states that a token reads and writes",
    "size_macs": "multiply-accumulates of a token, those of attention aside",
    "size_attention_macs": "those of attention for each position that a token attends",
    "size_activation_bytes": "bytes that a token moves between layers",
    "size_sublayers": "attention and feed-forward blocks",
    "size_width": "values of a token between two blocks",
}

#: Where a model is no known one, it is described by these, of which a state is none unless given.
SIZES = tuple(name for name in NUMBERS if name.startswith("size_"))

NAMES: dict[str, Known] = {
    **{name: Known(field) for field, names in WORDS.items() for name in names},
    **{
        name: Known(field, factor)
        for field, names in NUMBERS.items()
        for name, factor in names.items()
    },
}


def named() -> list[tuple[tuple[str, ...], str]]:
    """The names of each column, the first to be preferred, and what it is."""
    known = [(tuple(WORDS.get(field) or NUMBERS[field]), said) for field, said in MEANINGS.items()]
    return [*known, (("gpu0_energy", "gpu1_energy", "..."), "joules of each GPU (Zeus), added up")]


def describe(width: int = 79) -> str:
    """All columns in lines: the names of each, and below them what it is."""
    lines: list[str] = []
    for names, meaning in named():
        lines += wrap(", ".join(names), width, initial_indent="  ", subsequent_indent="    ")
        lines += wrap(meaning, width, initial_indent="      ", subsequent_indent="      ")
    return "\n".join(lines)
