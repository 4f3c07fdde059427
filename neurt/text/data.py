"""Text in, windows of token ids out; WikiText as prose again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from hwmodels import inputs
from hwmodels.errors import UserError
from hwmodels.plain import several
from neurt.text.encoding import TextError, token_ids
from neurt.text.windows import MAX_TEXT_BYTES
from reports.kit.files import write_text

__all__ = ["TextError", "read_text", "read_utf8", "windows"]

#: Texts that a model directory may hold: one that its training never saw, and one to calibrate on.
HELDOUT, CALIBRATION = "heldout.txt", "calibration.txt"

#: Tokens to calibrate on, unless more are asked for.
CALIBRATION_TOKENS = 512


class Calibration(NamedTuple):
    """What thresholds are calibrated on; nothing for a converted model, which has its own."""

    windows: Sequence[Tensor] = ()  #: token ids (1, tokens)
    text: str = ""  #: the text they were cut from
    name: str = "stored with the model"  #: what reports call it


def read_text(
    path: Path | None, model: Path | None = None, *, detokenise: bool = False
) -> tuple[str, str]:
    """Read a text, or that of a model directory, or the English passage that the package ships.

    Args:
        path: A UTF-8 text file; None for the default.
        model: Directory of the model that shall read it, whose `heldout.txt` is its default text.
        detokenise: Undo the spacing of WikiText, see `detokenised`.

    Returns:
        The text, and what reports call it.

    Raises:
        TextError: If the file cannot be read, is not UTF-8, or holds nothing but white space.
    """
    if path is None and model is not None and (model / HELDOUT).is_file():
        return read_text(model / HELDOUT)[0], f"{HELDOUT} of {model.resolve().name}"
    if path is None:
        return packaged_text("passage.txt"), "Moby-Dick, chapters 1 and 3 (packaged)"
    text = read_utf8(path, TextError)
    if not text.strip():
        raise TextError(f"text '{path}' is empty; give a text of at least one window")
    return (detokenised(text), f"{path.name}, detokenised") if detokenise else (text, path.name)


def read_utf8(path: Path, unreadable: type[UserError]) -> str:
    """The content of a text file; lines end as in Python, and a byte order mark is left out.

    Raises `unreadable` if it is no regular file, has more than `MAX_TEXT_BYTES`, is not UTF-8, or
    holds a null character, which text has not.
    """
    text = inputs.read_utf8(path, f"text '{path}'", unreadable, MAX_TEXT_BYTES)
    if (place := text.find("\0")) >= 0:
        raise unreadable(
            f"text '{path}' has a null character at {place:,}: it is no text, or one in UTF-16; "
            "give it in UTF-8"
        )
    return text.replace("\r\n", "\n").replace("\r", "\n")


def copy_texts(model: Path | None, directory: Path) -> None:
    """Give what is made of a model the texts that its directory holds, for the same comparisons."""
    for name in (HELDOUT, CALIBRATION):
        if model is not None and (model / name).is_file():
            write_text(directory / name, read_utf8(model / name, TextError))


def packaged_text(name: str) -> str:
    """One of the texts in `neurt/assets`."""
    return (files("neurt.assets") / name).read_text(encoding="utf-8")


def windows(tokenizer: Any, text: str, *, tokens: int, batch: int, count: int) -> list[Tensor]:
    """Cut the start of a text into `count` batches of `batch` windows: ids (batch, tokens) each.

    Raises:
        TextError: If the text is too short.
    """
    needed = tokens * batch * count
    ids = token_ids(tokenizer.encode, text, needed)
    if len(ids) < needed:
        raise TextError(
            f"the text has {several(len(ids), 'token')}, but {several(count, 'window')} x batch "
            f"{batch} x {several(tokens, 'token')} need {needed:,}; give a longer --text, or lower "
            "--seq-len, --batch or --windows"
        )
    return list(ids.view(count, batch, tokens))


def check_ids(inputs: Iterable[Tensor], vocabulary: int) -> None:
    """Raise TextError if the tokenizer gives an id for which the model has no embedding."""
    largest = max((int(ids.max()) for ids in inputs), default=0)
    if largest >= vocabulary:
        raise TextError(
            f"the tokenizer gives the id {largest}, but the model's vocabulary has {vocabulary} "
            "entries; the two do not belong together"
        )


def calibration(
    tokenizer: Any,
    *,
    tokens: int,
    model: Path | None = None,
    own: Path | None = None,
    total: int = CALIBRATION_TOKENS,
    detokenise: bool = False,
) -> Calibration:
    """The text to calibrate a model on, which is another than the one counted by default.

    Args:
        tokens: Longest window.
        model: Directory of the model, whose own text goes before the packaged one.
        own: A UTF-8 text file of the user, which goes before both.
        total: Tokens in all; what does not fill a window is left out.

    Raises:
        TextError: If the text cannot be read or is too short.
    """
    if own is not None:
        text, name = read_text(own, detokenise=detokenise)
    elif model is not None and (model / CALIBRATION).is_file():
        text, name = read_text(model / CALIBRATION)[0], f"{CALIBRATION} of {model.resolve().name}"
    else:
        text, name = packaged_text(CALIBRATION), "Moby-Dick, chapter 2 (packaged)"
    tokens = min(tokens, total)
    try:
        cut = windows(tokenizer, text, tokens=tokens, batch=1, count=total // tokens)
    except TextError as error:
        raise TextError(f"{name} has fewer than {total} tokens; lengthen it") from error
    return Calibration(cut, text, name)


#: What to put together, in this order; as language-modelling harnesses commonly do for WikiText.
_BEFORE = [
    (r"s '", "s'"),
    (r" @-@ ", "-"),  # a hyphen within a word
    (r" @,@ ", ","),  # within a number
    (r" @\.@ ", "."),
    (r" ([:;.!?,]) ", r"\1 "),
]
#: What is written without spaces inside.
_PAIRS = [("(", ")"), ("[", "]"), ("{", "}"), ('"', '"'), ("'", "'")]
_AFTER = [
    (r"= = = =", "===="),  # headings
    (r"= = =", "==="),
    (r"= =", "=="),
    (rf" {chr(176)} ", chr(176)),
    (r" \n", "\n"),
    (r"\n ", "\n"),
    (r" 's", "'s"),
]


def detokenised(text: str) -> str:
    """WikiText with the spaces of ordinary prose; `<unk>` stays, since nobody knows the word."""
    for pattern, written in _BEFORE:
        text = re.sub(pattern, written, text)
    for opened, closed in _PAIRS:
        text = _tight(text, opened, closed)
    for pattern, written in _AFTER:
        text = re.sub(pattern, written, text)
    return text


def _tight(text: str, opened: str, closed: str) -> str:
    """Without white space behind an opening mark and before the next closing one.

    Not by a regular expression: one would go through the text for each mark that is never closed,
    and for each division of the white space behind it.
    """
    parts, at = [], 0
    while (start := text.find(opened, at)) >= 0 and (stop := text.find(closed, start + 1)) >= 0:
        parts += [text[at : start + 1], text[start + 1 : stop].strip(), closed]
        at = stop + 1
    return "".join([*parts, text[at:]])
