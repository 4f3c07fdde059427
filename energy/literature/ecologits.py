"""The energy of a generated token as EcoLogits estimates it, from parameters and batch alone.

Source: EcoLogits, methodology "LLM inference" and `ecologits/impacts/llm.py` (constants of 2025,
fitted by its authors to ML.ENERGY measurements of an earlier year); GPUs alone, without the host
and the data centre, which the measurements here do not have inside either.
"""

from __future__ import annotations

from math import ceil, exp, log2

#: f(P, B) = alpha exp(beta B) P + gamma, in Wh per token and GPU, P active parameters in billions.
ALPHA, BETA, GAMMA = 1.1665273170451914e-06, -0.011205921025579175, 4.052928146734005e-05

#: Bits of a weight that it takes for granted, memory of a GPU in GB, and room beside the weights.
_BITS, _GPU_GB, _ROOM = 16, 80, 1.2


def gpus_required(total_parameters: float) -> int:
    """GPUs of 80 GB that hold the weights in 16 bits and a fifth more, as a power of two."""
    needed = ceil(_ROOM * total_parameters * _BITS / 8 / 1e9 / _GPU_GB)
    return int(2 ** ceil(log2(needed)))


def ecologits_j(active_parameters: float, total_parameters: float, batch: float) -> float:
    """Joules of all GPUs for a generated token.

    Args:
        active_parameters: Of a mixture of experts, those that a token passes.
        total_parameters: All of them.
        batch: Sequences side by side.
    """
    each_wh = ALPHA * exp(BETA * batch) * active_parameters / 1e9 + GAMMA
    return 3600 * each_wh * gpus_required(total_parameters)
