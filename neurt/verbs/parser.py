"""The parser of words: what it refuses is one sentence, which knows what may have been meant."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from hwmodels.errors import UserError, did_you_mean
from hwmodels.plain import quoted, shortened


class UsageError(UserError):
    """Words that make no sense."""

    def __init__(self, sentence: str, program: str) -> None:
        super().__init__(sentence)
        self.way_out = f" (see {program} --help)"


class Help(argparse.HelpFormatter):
    """Fills what stands above and below the flags, but for a text that has lines of its own."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if "\n" in text else super()._fill_text(text, width, indent)


class Parser(argparse.ArgumentParser):
    """A parser that knows what a misspelt command or flag may have meant."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.elsewhere: Callable[[str], str] = lambda _flag: ""  #: which commands have a flag

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse; a flag that nobody knows is said before one that is missing because of it."""
        known = self._option_string_actions
        for word in _flags_among(args or ()) if self._subparsers is None else ():
            if not any(flag.startswith(word) for flag in known):
                hint = self.elsewhere(word) or did_you_mean(word, known)
                self.error(f"unrecognized arguments: {shortened(word)}{hint}")
        return super().parse_known_args(args, namespace)

    def _get_option_tuples(self, option_string: str) -> list[Any]:
        """What a shortened flag may mean; the singular of a flag is that flag."""
        flag, equals, value = option_string.partition("=")
        if f"{flag}s" in self._option_string_actions:
            option_string = f"{flag}s{equals}{value}"
        return super()._get_option_tuples(option_string)

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        raise UsageError(message, self.prog)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = list(map(str, action.choices))
            hint = did_you_mean(str(value), known)
            sentence = f"invalid choice: {quoted(value)} (choose from {', '.join(known)}){hint}"
            raise argparse.ArgumentError(action, sentence)

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        if action.option_strings and "--" in arg_strings:  # argparse would take it away
            raise argparse.ArgumentError(action, "'--' is no value")
        return super()._get_values(action, arg_strings)


def _flags_among(words: Sequence[str]) -> Iterator[str]:
    for word in words:
        if word == "--":
            return
        if word.startswith("--"):
            yield word.partition("=")[0]


class Once(argparse.Action):
    """Keeps the value of a flag that takes one; another one after it is an error."""

    def __call__(
        self, _: Any, namespace: argparse.Namespace, value: Any, option: str | None = None
    ) -> None:
        """Keep it."""
        _keep_once(self, namespace, value)


class OnceOrNot(argparse.BooleanOptionalAction):
    """The same for `--page` and `--no-page`."""

    def __call__(
        self, _: Any, namespace: argparse.Namespace, value: Any, option: str | None = None
    ) -> None:
        """Keep it."""
        _keep_once(self, namespace, not (option or "").startswith("--no-"))


def _keep_once(action: argparse.Action, namespace: argparse.Namespace, value: object) -> None:
    before = getattr(namespace, action.dest, value)
    if before != value:
        both = f"{quoted(before)}, then {quoted(value)}"
        raise argparse.ArgumentError(action, f"is given more than once: {both}")
    setattr(namespace, action.dest, value)


class PrintVersion(argparse.Action):
    """Prints the version; it is only looked up when asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        """Print it, and end."""
        from neurt.version import __version__

        print(f"neurt-energy {__version__}")
        parser.exit()
