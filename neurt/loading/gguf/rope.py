"""Frequencies of rotary positions that a GGUF file scales, as Llama 3.1 and its successors do."""

from __future__ import annotations

import math
import struct
from typing import Any

from hwmodels.plain import quoted
from neurt.loading.gguf.contents import GGUFError, GGUFHeader
from neurt.loading.gguf.tensors import ROPE_FREQS

#: What all models of Llama 3.1 to 3.3 have beside their factor (their `config.json`).
_LLAMA3 = {
    "rope_type": "llama3",
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
#: Metadata that says that nothing is scaled.
_UNSCALED: dict[str, tuple[object, ...]] = {
    "rope.scaling.type": ("none",),
    "rope.scaling.factor": (1.0, 0.0),
}
#: Heads of 8,192 channels; a larger tensor is of something else.
_MOST_BYTES = 4 * 4096


def rope_parameters(header: GGUFHeader, theta: float) -> dict[str, Any]:
    """The `rope_parameters` of a `config.json`.

    Divisors of the frequencies that Llama 3.1 to 3.3 do not have are left out, for no count depends
    on them; `check_frequencies` refuses them where weights are run.
    """
    divisors = _divisors(header)
    largest = max(divisors, default=1.0)
    # Whole in all of them, but for the rounding of FP32.
    factor = float(round(largest)) if math.isfinite(largest) else 1.0
    scaled = _LLAMA3 | {"factor": factor, "rope_theta": theta}
    if factor > 1 and _same(divisors, _of_llama3(scaled, len(divisors))):
        return scaled
    return {"rope_type": "default", "rope_theta": theta}


def check_frequencies(header: GGUFHeader, config: dict[str, Any]) -> None:
    """Raise GGUFError if a file scales its frequencies otherwise than its configuration says.

    To run it that matters; to plan it, it does not.
    """
    kind = header.metadata.get("general.architecture")
    for key, neutral in _UNSCALED.items():
        value = header.metadata.get(f"{kind}.{key}", neutral[0])
        if value not in neutral:
            raise GGUFError(
                f"'{header.path}' sets '{kind}.{key}' to {quoted(value)}; a plan can be made of "
                "it, but to run it give the model in Hugging Face format"
            )
    if not (divisors := _divisors(header)):
        return
    parameters = config["rope_parameters"]
    scaled = parameters["rope_type"] == "llama3"
    expected = _of_llama3(parameters, len(divisors)) if scaled else [1.0] * len(divisors)
    if not _same(divisors, expected):
        raise GGUFError(
            f"'{header.path}' scales its rotary frequencies ('{ROPE_FREQS}') otherwise than Llama "
            "3.1 to 3.3; a plan can be made of it, but to run it give the model in Hugging Face "
            "format"
        )


def _divisors(header: GGUFHeader) -> list[float]:
    """What the tensor holds; empty where there is none."""
    info = header.tensors.get(ROPE_FREQS)
    if info is None:
        return []
    if info.kind or len(info.shape) > 1 or info.n_bytes > _MOST_BYTES:
        raise GGUFError(
            f"tensor '{ROPE_FREQS}' of '{header.path}' must be one FP32 number for each pair of "
            f"channels of a head, and has the shape {info.shape}"
        )
    with header.path.open("rb") as file:
        file.seek(info.start)
        return list(struct.unpack(f"<{info.n_bytes // 4}f", file.read(info.n_bytes)))


def _of_llama3(parameters: dict[str, Any], pairs: int) -> list[float]:
    """As convert_hf_to_gguf.py of llama.cpp makes them, and transformers undoes them."""
    factor, theta = parameters["factor"], parameters["rope_theta"]
    low, high = parameters["low_freq_factor"], parameters["high_freq_factor"]
    found = []
    for pair in range(pairs):
        wavelength = 2 * math.pi * theta ** (pair / pairs)
        turns = parameters["original_max_position_embeddings"] / wavelength
        smooth = min(1.0, max(0.0, (turns - low) / (high - low)))
        found.append(1 / ((1 - smooth) / factor + smooth))
    return found


def _same(one: list[float], other: list[float]) -> bool:
    """Whether they differ by no more than the rounding of FP32."""
    return all(math.isclose(a, b, rel_tol=1e-5) for a, b in zip(one, other, strict=True))
