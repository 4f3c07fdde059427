"""How much work a layer of a given shape is: pure functions, no torch."""

from energy.formulas.conventions import Attention, Conventions, Mla, Window, pairs
from energy.formulas.layers import (
    embedding,
    event_linear,
    event_product,
    linear,
    matrix_product,
    neurons,
)

__all__ = [
    "Attention",
    "Conventions",
    "Mla",
    "Window",
    "embedding",
    "event_linear",
    "event_product",
    "linear",
    "matrix_product",
    "neurons",
    "pairs",
]
