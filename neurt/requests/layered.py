"""Whether a model is run layer by layer. No torch."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from neurt.requests.base import Request


class Layered(Request):
    """How much of a model is in memory at a time. That decides no number, so no record keeps it."""

    group: ClassVar[str] = "model"

    stream: Annotated[bool, Field(exclude=True)] = False
    """run layer by layer, with the weights of one transformer layer in memory; activations are kept
    in DIR/unfinished, where the same command goes on if it was interrupted"""
