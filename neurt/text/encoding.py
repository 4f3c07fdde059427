"""Token ids of texts of any length, or of their beginning, in bounded memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, islice

import torch
from torch import Tensor

from hwmodels.errors import UserError
from neurt.text.faults import tokenizer_faults

#: `encode(text, add_special_tokens=True)` of a tokenizer of transformers.
Encode = Callable[..., Sequence[int]]

#: Characters that are encoded at once: up to 0.2 GB of memory.
PIECE = 2**18
#: Characters that are encoded at once where a whole text is asked for, or it cannot be divided.
WHOLE = 2**21
#: Characters on either side of a place to divide at, and how many places are tried.
_AROUND, _PLACES = 256, 16
#: Where texts are divided: between words, else before or behind other white space.
_BETWEEN_WORDS = re.compile(r"(?<=[^\W_])(?= [^\W_])")
_AT_SPACE = re.compile(r"(?<=\S)(?=\s)|(?<=\S\n)(?=\S)")


class TextError(UserError, ValueError):
    """A text that cannot be used."""


def token_ids(encode: Encode, text: str, most: int | None = None) -> Tensor:
    """Token ids (N,) of a text, or its first `most`: those of `encode(text)[:most]`.

    Of a long text only what is needed is encoded, in pieces. A place divides a text if what stands
    around it has the same ids in two parts as in one: the patterns that divide words look one
    character ahead and never back, and byte pairs are merged within words, so that the rest of the
    text changes nothing there.

    Raises:
        TextError: If a text of more than `WHOLE` characters cannot be divided, or the tokenizer
            fails.
    """
    with tokenizer_faults(TextError, "the tokenizer of the model cannot read the text"):
        return _token_ids(encode, text, most)


def _token_ids(encode: Encode, text: str, most: int | None) -> Tensor:
    if len(text) <= PIECE or (most is None and len(text) <= WHOLE):
        return _tensor(encode(text)[:most])
    try:
        return _in_pieces(encode, text, most)
    except _UndividedError as undivided:
        if len(text) > WHOLE:
            raise TextError(
                f"the text has {len(text):,} characters, and from {undivided.args[0]:,} on no "
                "white space where the tokenizer divides it; give another, or one of at most "
                f"{WHOLE:,} characters"
            ) from undivided
    return _tensor(encode(text)[:most])


class _UndividedError(Exception):
    """From which character on there is no place to divide a text."""


def _in_pieces(encode: Encode, text: str, most: int | None) -> Tensor:
    plain = partial(encode, add_special_tokens=False)
    first, last = _added(encode, plain, text[:_AROUND])
    found = [_tensor(first)]
    for piece in _pieces(plain, text):
        found.append(_tensor(plain(piece)))
        if most is not None and sum(map(len, found)) >= most:
            break
    else:
        found.append(_tensor(last))
    return torch.cat(found)[:most]


def _pieces(plain: Encode, text: str) -> Iterator[str]:
    start = 0
    while len(text) - start > PIECE:
        stop, after = next(_places(plain, text, start + PIECE), (0, 0))
        if not stop:
            raise _UndividedError(start + PIECE)
        yield text[start:stop]
        start = after
    yield text[start:]


def _places(plain: Encode, text: str, near: int) -> Iterator[tuple[int, int]]:
    """Ends of a piece, and starts of the next."""
    close, far = near + _AROUND * _PLACES, near + PIECE
    candidates = chain(
        islice(_BETWEEN_WORDS.finditer(text, near, close), _PLACES),
        islice(_AT_SPACE.finditer(text, near, far), _PLACES),
    )
    for place in (match.start() for match in candidates):
        before, behind = text[max(0, place - _AROUND) : place], text[place : place + _AROUND]
        whole, first = [*plain(before + behind)], plain(before)
        if whole == [*first, *plain(behind)]:
            yield place, place
        elif behind[0] == " " and whole == [*first, *plain(behind[1:])]:
            yield place, place + 1  # SentencePiece puts the space there itself


def _added(encode: Encode, plain: Encode, sample: str) -> tuple[list[int], list[int]]:
    """Tokens that stand before and behind every text."""
    whole, bare = [*encode(sample)], [*plain(sample)]
    for start in range(len(whole) - len(bare) + 1):
        if whole[start : start + len(bare)] == bare:
            return whole[:start], whole[start + len(bare) :]
    raise _UndividedError(0)


def _tensor(ids: Sequence[int]) -> Tensor:
    return torch.tensor(ids, dtype=torch.long)
