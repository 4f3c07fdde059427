"""What stands in the reference and is made of the code: commands with their flags, public names."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from importlib import import_module
from inspect import isclass, isfunction

from sphinx.application import Sphinx

from neurt.browser.closed_form import script
from neurt.browser.models import models
from neurt.verbs.commands import COMMANDS, Command
from neurt.verbs.parser import Parser
from neurt.version import __version__
from reports.config_page.page import config_page

#: Public names by package. All are imported at once: autodoc changes annotations that it reads,
#: after which pydantic could make no further class of them.
PUBLIC = {
    package: {
        name: getattr(import_module(package), name) for name in import_module(package).__all__
    }
    for package in ("neurt", "energy", "reports", "hwmodels")
}
#: The page of a configuration, as it lies in the site.
CONFIG_PAGE = "config/index.html"
OPEN = f'<p><a href="../{CONFIG_PAGE}">Open the page.</a></p>'


def write_config_page(app: Sphinx, error: Exception | None) -> None:
    """Put the page that prices a configuration into the site."""
    if error is None:
        page = app.outdir / CONFIG_PAGE
        page.parent.mkdir(exist_ok=True)
        page.write_text(config_page(script(), models(), __version__), encoding="utf-8")


def filled(app: Sphinx, name: str, source: list[str]) -> None:
    """Put what was made in the place of its mark, in the text of a page."""
    marks = {"<!-- commands -->": commands, "<!-- config page -->": lambda: OPEN} | {
        f"<!-- names of {package} -->": lambda package=package: names(package) for package in PUBLIC
    }
    for mark, make in marks.items():
        if mark in source[0]:
            source[0] = source[0].replace(mark, make())


def commands() -> str:
    """Every command with its flags, as `--help` has them."""
    return "\n".join(line for command in COMMANDS for line in _command(command))


def _command(command: Command) -> Iterator[str]:
    parser = Parser(prog=f"neurt-energy {command.name}")
    command.fill(parser)
    yield f"\n## neurt-energy {command.name}\n"
    yield f"{_text(command.help[0].upper() + command.help[1:])}.\n"
    for group in parser._action_groups:
        shown = [a for a in group._group_actions if not isinstance(a, argparse._HelpAction)]
        if shown:
            yield f"**{group.title}**\n"
            for action in shown:
                yield f"{_usage(action)}\n: {_text(action.help or '')}\n"
    if command.epilog:
        yield f"```text\n{command.epilog.strip()}\n```\n"


def _usage(action: argparse.Action) -> str:
    words = [", ".join(action.option_strings) or str(action.metavar or action.dest)]
    if action.choices:
        words.append("|".join(map(str, action.choices)))
    elif action.option_strings and action.nargs != 0:
        words.append(str(action.metavar or action.dest.upper()))
    if action.nargs in ("+", "*") or isinstance(action, argparse._AppendAction):
        words.append("...")
    return f"`{' '.join(words)}`{' (required)' if action.required else ''}"


def _text(words: str) -> str:
    """A line of help as Markdown: what is in backticks stays, else nothing is markup."""
    parts = re.split(r"(`[^`]*`)", words.replace("%%", "%"))
    return "".join(x if x.startswith("`") else re.sub(r"([\\*_<>\[\]])", r"\\\1", x) for x in parts)


def names(package: str) -> str:
    """Every public name of a package, by its docstring."""
    return "\n".join(
        f"```{{eval-rst}}\n{_directive(package, name, PUBLIC[package][name])}\n```\n"
        for name in sorted(PUBLIC[package].keys() - {"__version__"}, key=str.casefold)
    )


def _directive(package: str, name: str, found: object) -> str:
    if isclass(found):
        kind = "autoexception" if issubclass(found, Exception) else "autoclass"
        members = "" if issubclass(found, Exception) else "\n   :members:"
        return f".. {kind}:: {package}.{name}{members}"
    return f".. auto{'function' if isfunction(found) else 'data'}:: {package}.{name}"


_fields: dict[str, list[str]] = {}


def before_napoleon(
    app: Sphinx, what: str, name: str, found: object, options: object, lines: list[str]
) -> None:
    """Escape what would be markup, and keep what a field says."""
    lines[:] = [re.sub(r"\|(\w+)\|", r"\\|\1\\|", line) for line in lines]
    if what in ("attribute", "data", "property"):
        _fields[name] = [*lines]


def as_written(
    app: Sphinx, what: str, name: str, found: object, options: object, lines: list[str]
) -> None:
    """Give a field its words back: napoleon takes those before a colon for its type."""
    lines[:] = _fields.pop(name, lines)
