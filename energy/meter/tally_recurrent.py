"""The rules for mixers of Mamba-1, RWKV-4 and xLSTM, as the recurrences that they compute.

Projections and norms inside of them are layers of their own.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from energy.counts import Tally
from energy.formulas import Conventions, linear, nonlinear
from energy.formulas.recurrent import (
    Memory,
    channel_scan,
    matrix_memory,
    sigmoid_gate,
    soft_cap,
    token_shift,
    wkv,
)
from energy.meter.rules import Rows
from energy.meter.tally_scan import convolved


def mamba1(layer: Any, name: str, args: Any, out: Tensor, conventions: Conventions) -> Rows:
    """The rule of a mixer of Mamba-1. Its step has a projection whose weights it takes itself."""
    sequences, tokens = args[0].shape[:2]
    channels, rank = layer.dt_proj.weight.shape
    rows, elements = sequences * tokens, sequences * tokens * channels
    found = convolved(layer, name, sequences, tokens, conventions)
    found["dt_proj"] = linear(rows, rank, channels, bias=False)  # its bias is read by the scan
    found["scan"] = channel_scan(sequences, tokens, channels, layer.A_log.shape[1])
    found["gate"] = Tally.total((nonlinear.silu(elements), nonlinear.multiply(elements)))
    return found


def rwkv_attention(layer: Any, name: str, args: Any, out: Any, conventions: Conventions) -> Rows:
    """The rule of what RWKV has in the place of attention."""
    sequences, tokens, width = args[0].shape
    channels = layer.time_decay.shape[0]
    return {
        "shift": token_shift(sequences, tokens, width, 3),
        "scan": wkv(sequences, tokens, channels),
        "gate": sigmoid_gate(sequences * tokens * channels),
    }


def rwkv_feedforward(layer: Any, name: str, args: Any, out: Any, conventions: Conventions) -> Rows:
    """The rule of the feed-forward block of RWKV, which sees the token before, too."""
    sequences, tokens, width = args[0].shape
    rows = sequences * tokens
    return {
        "shift": token_shift(sequences, tokens, width, 2),
        "act": nonlinear.relu_squared(rows * layer.key.weight.shape[0]),
        "gate": sigmoid_gate(rows * width),
    }


def mlstm(layer: Any, name: str, args: Any, out: Any, conventions: Conventions) -> Rows:
    """The rule of the matrix memory of xLSTM: queries, keys, values and gates by head."""
    sequences, heads, tokens, key_width = args[0].shape
    memory = Memory(heads, key_width, args[2].shape[-1])
    return {"scan": matrix_memory(sequences, tokens, memory)}


def mlstm_layer(layer: Any, name: str, args: Any, out: Any, conventions: Conventions) -> Rows:
    """The rule of the layer around it: capped gates of its input, and a gate of its output."""
    rows = args[0].shape[:-1].numel()
    return {
        "cap": soft_cap(rows * 2 * layer.multihead_norm.num_heads),
        "gate": sigmoid_gate(rows * layer.v_dim),
    }


def norm_of_heads(layer: Any, name: str, args: Any, out: Any, conventions: Conventions) -> Rows:
    """The rule of a LayerNorm of each head by itself, with a scale of its own."""
    heads, width = args[0].shape[-2:]
    rows = args[0].shape[:-2].numel()
    shift = layer._parameters.get("bias") is not None
    tally = nonlinear.layer_norm(rows * heads, width, shift=shift)
    return {"": nonlinear.scaled_apart(tally, heads)}
