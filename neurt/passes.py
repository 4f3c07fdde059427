"""Which forward pass is meant."""

from __future__ import annotations

from dataclasses import dataclass

from neurt.gpt2 import GPT2Shape


class PlanError(ValueError):
    """A pass that the model cannot do."""


@dataclass(frozen=True)
class Pass:
    """One forward pass.

    Attributes:
        batch: Sequences side by side.
        queries: New tokens per sequence.
        keys: Attended tokens per sequence, the new ones included.
        repeats: How many such passes.
    """

    batch: int
    queries: int
    keys: int
    repeats: int = 1

    @property
    def tokens(self) -> int:
        """New tokens in all."""
        return self.batch * self.queries * self.repeats

    @property
    def phase(self) -> str:
        """Its name in the tables."""
        return "prefill" if self.queries == self.keys else f"decode@{self.keys}"


def prefill(tokens: int, *, batch: int = 1, repeats: int = 1) -> Pass:
    """A pass over whole sequences of `tokens` tokens."""
    return Pass(batch, tokens, tokens, repeats)


def decode(context: int, *, batch: int = 1, repeats: int = 1) -> Pass:
    """One new token that attends `context` tokens, itself included, through a cache."""
    return Pass(batch, 1, context, repeats)


def check_pass(what: Pass, shape: GPT2Shape, name: str) -> None:
    """Make sure that the model has a position for each token.

    Raises:
        PlanError: If it has not.
    """
    if what.keys > shape.positions:
        raise PlanError(
            f"{what.keys} tokens are more than the {shape.positions} positions of '{name}'; lower "
            "--seq-len or --context"
        )
