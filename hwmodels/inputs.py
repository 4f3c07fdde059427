"""Files of others, looked at before they are read: regular, of a size, UTF-8, flat JSON or TOML."""

from __future__ import annotations

import json
import math
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

from hwmodels.errors import UserError
from hwmodels.plain import printable, quoted, shortened

#: Brackets that may stand inside one another in a JSON file; a parser recurses once for each.
MAX_JSON_DEPTH = 100

#: Tables and arrays that may stand inside one another in a TOML file, and parts of a dotted key.
MAX_TOML_DEPTH = 16

#: Values in a TOML file: the largest one of this package has 214.
MAX_TOML_VALUES = 10_000

_PART = r"""(?:[A-Za-z0-9_-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')"""
_LONG_KEY = re.compile(
    rf"(?<![A-Za-z0-9_\\-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{MAX_TOML_DEPTH}}}"
)


def check_file(path: Path, called: str, error: type[UserError], limit_bytes: int | None) -> int:
    """The size of a regular file in bytes, looked at before anything of it is read.

    Args:
        path: The file; a symbolic link is followed.
        called: What an error calls it, such as `counts 'a.csv'`.
        error: What is raised.
        limit_bytes: The size above which it is taken for the wrong file; None for no limit.

    Raises:
        UserError: As `error`, if it is missing, a directory, a device, a pipe or a socket (which
            have no end), too large, or cannot be looked at.
    """
    try:
        status = path.stat()
    except FileNotFoundError as bad:
        raise error(f"{called} does not exist") from bad
    except (OSError, ValueError) as bad:  # a name with a null character is a ValueError
        reason = getattr(bad, "strerror", None) or bad
        raise error(f"{called} cannot be read: {reason}") from bad
    if not stat.S_ISREG(status.st_mode):
        raise error(f"{called} is {_kind(status.st_mode)}, and must be a regular file")
    if limit_bytes is not None and status.st_size > limit_bytes:
        raise error(
            f"{called} has {status.st_size:,} bytes, and at most {limit_bytes:,} are read; is it "
            "the right file?"
        )
    return status.st_size


def read_bytes(path: Path, called: str, error: type[UserError], limit_bytes: int) -> bytes:
    """The content of a file; raises `error` as `check_file` does."""
    check_file(path, called, error, limit_bytes)
    try:
        with path.open("rb") as file:
            content = file.read(limit_bytes + 1)  # a file of /proc says 0 bytes and holds more
    except OSError as bad:
        raise error(f"{called} cannot be read: {bad.strerror or bad}") from bad
    if len(content) > limit_bytes:
        raise error(f"{called} grew above {limit_bytes:,} bytes while it was read")
    return content


def read_utf8(path: Path, called: str, error: type[UserError], limit_bytes: int) -> str:
    """The text of a UTF-8 file without its byte order mark; raises `error` if it is none."""
    try:
        return read_bytes(path, called, error, limit_bytes).decode("utf-8-sig")
    except UnicodeDecodeError as bad:
        raise error(f"{called} is not UTF-8 text at byte {bad.start}") from bad


def parse_json(
    text: str | bytes, called: str, error: type[UserError], *, finite: bool = True
) -> Any:
    """The value that JSON says.

    Args:
        text: What a file holds.
        called: How errors name it.
        error: The class of the error.
        finite: Whether NaN, infinities, and numbers that are one when read (1e400) are refused:
            published configurations of Mamba-2 have `"time_step_limit": [0.0, Infinity]`.

    Raises:
        UserError: As `error`, if it is no JSON, nested deeper than `MAX_JSON_DEPTH`, holds a number
            that is refused, or says two things of one key.
    """

    def refuse(word: str) -> Any:
        if not finite:
            return float(word)
        raise error(f"{called} holds {shortened(word)}, which is no finite number")

    def checked(word: str) -> float:
        return number if math.isfinite(number := float(word)) else refuse(word)

    def unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            for key, said in pairs:
                if said != found[key]:
                    raise error(f"{called} says two things of {quoted(key)}; keep one of them")
        return found

    try:
        value = json.loads(
            text, parse_constant=refuse, parse_float=checked, object_pairs_hook=unambiguous
        )
    except RecursionError as bad:
        raise error(f"{called} is nested deeper than {MAX_JSON_DEPTH} levels") from bad
    except json.JSONDecodeError as bad:
        where = f"line {bad.lineno}, column {bad.colno}"
        raise error(f"{called} is cut short or no valid JSON ({where}: {bad.msg})") from bad
    except UserError:
        raise
    except ValueError as bad:  # not UTF-8, or a number of thousands of digits
        fault = shortened(printable(str(bad)))
        raise error(f"{called} is no valid JSON: {fault}") from bad
    if _extent(value)[0] > MAX_JSON_DEPTH:
        raise error(f"{called} is nested deeper than {MAX_JSON_DEPTH} levels")
    return value


def parse_toml(text: str, called: str, error: type[UserError]) -> dict[str, Any]:
    """The table that TOML says.

    Raises:
        UserError: As `error`, if it is no TOML, deeper than `MAX_TOML_DEPTH`, or of more values
            than `MAX_TOML_VALUES`. A long dotted key is found before the parser sees it, which
            takes a minute for one of 200 kB.
    """
    deep = f"{called} is nested deeper than {MAX_TOML_DEPTH} levels"
    if (key := _LONG_KEY.search(text)) is not None:
        raise error(f"{deep} in line {text.count(chr(10), 0, key.start()) + 1}")
    try:
        table = tomllib.loads(text, parse_float=_not_vanished)
    except RecursionError as bad:
        raise error(deep) from bad
    except ValueError as bad:  # also a number of thousands of digits
        fault = shortened(printable(str(bad)))
        raise error(f"{called} is not valid TOML: {fault}") from bad
    depth, values = _extent(table)
    if depth > MAX_TOML_DEPTH:
        raise error(deep)
    if values > MAX_TOML_VALUES:
        raise error(f"{called} has {values:,} values, and at most {MAX_TOML_VALUES:,} are read")
    return table


def _not_vanished(word: str) -> float:
    number = float(word)
    if not number and re.search("[1-9]", re.split("[eE]", word)[0]):
        raise ValueError(f"the number {shortened(word)} is smaller than any")
    return number


def _extent(value: object) -> tuple[int, int]:
    """How many lists and objects stand inside one another, and how many values are in them all."""
    level, depth, values = [value], 0, 0
    while level := [outer for outer in level if isinstance(outer, (dict, list))]:
        level = [
            x for outer in level for x in (outer.values() if isinstance(outer, dict) else outer)
        ]
        depth += 1
        values += len(level)
    return depth, values


def _kind(mode: int) -> str:
    kinds = {
        stat.S_ISDIR: "a directory",
        stat.S_ISFIFO: "a named pipe",
        stat.S_ISSOCK: "a socket",
        stat.S_ISCHR: "a device",
        stat.S_ISBLK: "a device",
    }
    return next((name for test, name in kinds.items() if test(mode)), "no file")
