"""Which forward passes are meant: one, or the many of a whole request."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hwmodels.errors import UserError
from neurt.families import Shape, layout


class PlanError(UserError, ValueError):
    """Passes that contradict each other, or that the model cannot do."""


@dataclass(frozen=True)
class Pass:
    """One forward pass."""

    batch: int  #: sequences side by side
    queries: int  #: new tokens per sequence
    keys: int  #: attended tokens per sequence, the new ones included
    repeats: int = 1  #: how many such passes

    @property
    def known(self) -> int:
        """Tokens per sequence that are in the cache before it."""
        return self.keys - self.queries

    @property
    def tokens(self) -> int:
        """New tokens in all."""
        return self.batch * self.queries * self.repeats

    @property
    def phase(self) -> str:
        """Its name in the tables."""
        return "prefill" if self.queries == self.keys else f"decode@{self.keys}"


@dataclass(frozen=True)
class Stage:
    """Passes of one kind, which are reported together."""

    name: str  #: `prefill` or `decode`
    passes: tuple[Pass, ...]  #: in the order in which they run; at least one

    @property
    def phase(self) -> str:
        """Its name in the tables, with the contexts it covers."""
        first, last = self.passes[0], self.passes[-1]
        return first.phase if first == last else f"{first.phase}-{last.keys}"

    @property
    def generated(self) -> int:
        """Tokens that come out of it for each sequence: each pass predicts one."""
        return sum(one.repeats for one in self.passes)


def prefill(tokens: int, *, batch: int = 1, repeats: int = 1) -> Pass:
    """A pass over whole sequences of `tokens` tokens."""
    return Pass(batch, tokens, tokens, repeats)


def decode(context: int, *, batch: int = 1, repeats: int = 1) -> Pass:
    """One new token that attends `context` tokens, itself included, through a cache."""
    return Pass(batch, 1, context, repeats)


def whole_request(
    prompt: int, generate: int, *, batch: int = 1, repeats: int = 1
) -> tuple[Stage, ...]:
    """The prefill of `prompt` tokens and the decode steps that complete `generate` new ones.

    The prefill predicts the first new token, so `generate - 1` steps follow, at the contexts
    `prompt + 1` to `prompt + generate - 1`; the last new token is never fed back. Where one token
    is asked for there is no decode. `batch` requests are side by side, in step, and `repeats` such
    batches one after the other.
    """
    first = Stage("prefill", (prefill(prompt, batch=batch, repeats=repeats),))
    steps = tuple(
        decode(context, batch=batch, repeats=repeats)
        for context in range(prompt + 1, prompt + generate)
    )
    return (first, Stage("decode", steps)) if steps else (first,)


_LENGTHS = "--seq-len, --context, --prompt or --generate"


def check_positions(tokens: int, positions: int, name: str, flags: str = _LENGTHS) -> None:
    """Raise PlanError, which says what to lower, if a model has fewer positions than tokens."""
    if tokens > positions:
        raise PlanError(
            f"{tokens} tokens are more than the {positions} positions of '{name}'; lower {flags}"
        )


def check_length(
    tokens: int, shape: Shape, name: str, flags: str = _LENGTHS, *, analog: bool = False
) -> None:
    """Raise PlanError if sequences of so many tokens are more than a model can count.

    A table of learned positions ends. Rotary ones do not, and no count depends on them: of those
    see `beyond`. A spiking model must not outgrow a window.

    Args:
        analog: Whether the analog model is all that is counted.
    """
    if layout(shape).learns_positions:
        check_positions(tokens, shape.positions, name, flags)
    if not analog and shape.window is not None and tokens > shape.window:
        raise PlanError(
            f"{tokens} tokens are more than the {shape.window} that the sliding window of '{name}' "
            f"holds, and a spiking model has none; lower {flags}, or count the analog model "
            "alone with `neurt-energy plan --analog`"
        )


def check_stages(
    stages: Iterable[Stage],
    shape: Shape,
    name: str,
    *,
    analog: bool = False,
    values: bool = False,
) -> None:
    """The same for each pass of the stages.

    Args:
        analog: Whether the analog model is all that is counted.
        values: Whether what a model computes matters, which it learned at its positions.
    """
    longest = longest_of(stages)
    if values and longest > shape.positions and not layout(shape).learns_positions:
        raise PlanError(
            f"{longest} tokens are more than the {shape.positions} positions of '{name}', and how "
            f"often neurons fire beyond them says nothing; lower {_LENGTHS}, or take `neurt-energy "
            "plan`, where no count depends on positions"
        )
    check_length(longest, shape, name, analog=analog)


def longest_of(stages: Iterable[Stage]) -> int:
    """Tokens of the longest sequence of the stages."""
    return max(one.keys for stage in stages for one in stage.passes)


def beyond(tokens: int, positions: int, name: str) -> tuple[str, ...]:
    """Says it of tokens beyond those that a configuration names, without a period; else nothing."""
    if tokens <= positions:
        return ()
    return (
        f"{tokens:,} tokens are more than the {positions:,} positions that the configuration of "
        f"'{name}' names: no count depends on them, but what it answers there may",
    )
