"""The family of errors that are written for the user."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType


class UserError(Exception):
    """An error whose one sentence is written for the user, and shown without a traceback.

    The sentence names the layer or key, the value, the rule and the way out. Each error of this
    program subclasses it, and the builtin error that is nearest.
    """

    #: What `--json` prints beside the sentence.
    details: Mapping[str, object] = MappingProxyType({})


class Caution(UserWarning):
    """A warning whose one sentence is written for the user: the command line shows it as a line."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: the known one that it is nearest to, if any."""
    near = get_close_matches(word, list(known), 1)
    return f"; did you mean '{near[0]}'?" if near else ""
