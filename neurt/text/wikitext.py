"""WikiText as prose again: its words stand apart, each mark between spaces."""

from __future__ import annotations

import re

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
    """WikiText with the spaces of ordinary prose; `<unk>` stays, since nobody knows the word.

    Args:
        text: As the data set has it: words and marks apart, `@-@` within words.
    """
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
