"""The family of errors that are written for the user."""

from __future__ import annotations


class UserError(Exception):
    """An error whose one sentence is written for the user, and shown without a traceback.

    The sentence names the layer or key, the value, the rule and the way out. Each error of this
    program subclasses it, and the builtin error that is nearest.
    """
