"""Text of others as one may show it: no characters that command a terminal, not too long."""

from __future__ import annotations

import re
import unicodedata

#: The longest that an error sentence may be, and a value inside of it.
MAX_SENTENCE, MAX_VALUE = 300, 80

#: Unseen letters that the scripts of Persian and of India are written with.
_JOINERS = "\u200c\u200d"


def printable(text: str) -> str:
    r"""The text with every control and direction character written as its escape, such as `\x1b`.

    Letters of any script stay. A name with ANSI, OSC or bidirectional characters would otherwise
    command the terminal, or show another text than the file holds.
    """
    if text.isprintable():
        return text
    return "".join(
        character.encode("unicode_escape").decode("ascii")
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        else character
        for character in text
    )


def printable_lines(text: str) -> str:
    """The same of text that has several lines, which stay."""
    return text if text.isprintable() else "\n".join(map(printable, text.split("\n")))


def shortened(text: str, limit: int = MAX_VALUE) -> str:
    """The text, its middle replaced by dots where it is longer than `limit` characters."""
    if len(text) <= limit:
        return text
    head = (limit - 3 + 1) // 2
    return f"{text[:head]}...{text[len(text) - (limit - 3 - head) :]}"


def several(amount: float, thing: str) -> str:
    """So many things: `1 row`, `2,000 rows`, `3 processes`."""
    many = "" if amount == 1 else "es" if thing.endswith("s") else "s"
    return f"{amount:,} {thing}{many}"


def quoted(value: object, limit: int = MAX_VALUE) -> str:
    """How an error shows a value: its `repr`, printable, shortened in the middle.

    A whole number of thousands of digits, which Python refuses to write, is said by its size.
    """
    try:
        written = repr(value)
    except ValueError:  # sys.set_int_max_str_digits
        written = "a number of thousands of digits"
    return shortened(printable(written), limit)


def one_line(text: str) -> str:
    r"""The text with its lines joined by spaces.

    Raises:
        ValueError: If it holds a control or direction character.
    """
    line = re.sub(r"[ \t\r\n]+", " ", text).strip()
    hidden = next((c for c in line if printable(c) != c and c not in _JOINERS), None)
    if hidden is not None:
        raise ValueError(f"holds the unseen character {printable(hidden)}; take it out")
    return line


def checked_name(name: str) -> str:
    """A name that can be typed, and be part of the name of a file: as Unicode composes it (NFC).

    Raises:
        ValueError: If it holds a character of paths, of globs or of markup, or does not begin with
            a letter, a digit or an underscore.
    """
    name = unicodedata.normalize("NFC", name)
    if not re.fullmatch(r"\w[^/\\:*?\"<>|]*", name) or set(name) & {*_JOINERS}:
        raise ValueError(
            "must begin with a letter, a digit or '_', of any script, and hold none of "
            '/ \\ : * ? " < > |'
        )
    return name
