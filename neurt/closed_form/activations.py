"""Class of each activation in transformers, by its name there, and what it costs. No torch."""

from __future__ import annotations

from energy.formulas import nonlinear

ACTIVATIONS = {
    "gelu_new": ("NewGELUActivation", nonlinear.gelu_tanh),
    "gelu_pytorch_tanh": ("GELUTanh", nonlinear.gelu_tanh),
    "gelu": ("GELUActivation", nonlinear.gelu_erf),
    "gelu_fast": ("FastGELUActivation", nonlinear.gelu_tanh),
    "quick_gelu": ("QuickGELUActivation", nonlinear.quick_gelu),
    "bloom_gelu": ("BloomGelu", nonlinear.gelu_tanh),
    "relu": ("ReLU", nonlinear.relu),
    "relu2": ("ReLUSquaredActivation", nonlinear.relu_squared),
    "silu": ("SiLUActivation", nonlinear.silu),
    "swish": ("SiLUActivation", nonlinear.silu),
}
