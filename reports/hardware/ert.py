"""An energy reference table (ERT) of Accelergy in YAML, as the rows of a table of costs."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from hwmodels import ProfileError
from hwmodels.inputs import read_utf8
from hwmodels.plain import quoted

#: What is an ERT by the name of the file.
SUFFIXES = (".yaml", ".yml")
#: The largest file that is taken for one: exports with an entry for each toggled bit have 0.2 MB.
MAX_BYTES = 16 * 1024 * 1024
#: What a mapping is known to start at.
_LINE = "__line__"
#: Keys of a component, and of an action.
_TABLE, _ACTION = ("name", "actions"), ("name", "arguments", "energy")


class Entry(NamedTuple):
    """A number of the table: an action of a component with some arguments."""

    line: int
    component: str
    action: str
    arguments: str  #: as `address_delta 1, data_delta 0`; empty where there are none
    energy: float  #: in picojoules


class Action(NamedTuple):
    """What became of the numbers of one action of one component."""

    entry: Entry  #: the one that counts
    note: str  #: why it does, where there are others; else empty


class _Located(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML ships no types
    """The loader that makes plain values alone, and says where a mapping starts."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """See `yaml.SafeLoader`."""
        return {**super().construct_mapping(node, deep=deep), _LINE: node.start_mark.line + 1}


def read_ert(path: Path) -> list[Action]:
    """Read it; of several numbers of an action, by its arguments, the largest counts.

    Args:
        path: A YAML file, `ERT: {version, tables: [{name, actions: [{name, arguments, energy}]}]}`
            as Accelergy and Timeloop write it, with energies in picojoules.

    Raises:
        ProfileError: If it is none; it names the line.
    """
    actions: defaultdict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in _entries(path):
        actions[entry.component, entry.action].append(entry)
    found = []
    for entries in actions.values():
        largest = max(entries, key=lambda entry: entry.energy)
        note = ""
        if len({entry.energy for entry in entries}) > 1:
            least = min(entry.energy for entry in entries)
            note = (
                f"{largest.component}, {largest.action}: of {len(entries)} numbers, from "
                f"{least:g} to {largest.energy:g} pJ, the largest counts ({largest.arguments})."
            )
        found.append(Action(largest, note))
    return found


def _entries(path: Path) -> Iterator[Entry]:
    called = f"costs '{path}'"
    for table in _list(_ert(path, called), "tables", "ERT", called):
        name = _name(table, _TABLE, called)
        for action in _list(table, "actions", name, called):
            word = _name(action, _ACTION, called)
            line = action[_LINE]
            energy = _number(action.get("energy"), f"{called}, line {line} ({name}, {word})")
            arguments = action.get("arguments") or {}
            if not isinstance(arguments, dict):
                raise ProfileError(f"{called}, line {line}: arguments are no mapping")
            given = ", ".join(f"{key} {x}" for key, x in arguments.items() if key != _LINE)
            yield Entry(line, name, word, given, energy)


def _ert(path: Path, called: str) -> Mapping[str, Any]:
    text = read_utf8(path, called, ProfileError, MAX_BYTES)
    try:
        content = yaml.load(text, _Located)
    except yaml.YAMLError as bad:
        mark = getattr(bad, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise ProfileError(f"{called}{where} are no YAML: {getattr(bad, 'problem', bad)}") from bad
    except (RecursionError, ValueError) as bad:  # nested too deep; a date that is none
        raise ProfileError(f"{called} are no YAML that can be read: {bad}") from bad
    ert = content.get("ERT") if isinstance(content, dict) else None
    if not isinstance(ert, dict):
        has = ", ".join(str(x) for x in content if x != _LINE) if isinstance(content, dict) else ""
        raise ProfileError(
            f"{called} have no 'ERT'{f', but {has}' if has else ''}; give the energy reference "
            "table of Accelergy, such as timeloop-mapper.ERT.yaml"
        )
    return ert


def _list(value: Mapping[str, Any], key: str, name: str, called: str) -> list[dict[str, Any]]:
    found = value.get(key)
    if not isinstance(found, list) or not all(isinstance(it, dict) for it in found):
        raise ProfileError(
            f"{called}, line {value[_LINE]}: {quoted(name)} has no list of {key}, each with a name"
        )
    return found


def _name(value: Mapping[str, Any], known: tuple[str, ...], called: str) -> str:
    """The name of a component or action; a key that is not read is not dropped in silence."""
    for key in value:
        if key not in (*known, _LINE):
            raise ProfileError(
                f"{called}, line {value[_LINE]}: {quoted(key)} is no key of an ERT, which has "
                f"{', '.join(known)}"
            )
    name = value.get("name")
    if not isinstance(name, str) or not name.strip():
        raise ProfileError(f"{called}, line {value[_LINE]}: name {quoted(name)} is no text")
    return name.strip()


def _number(value: Any, where: str) -> float:
    """An energy; YAML takes `1e-09` for a text."""
    try:
        energy = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        energy = math.nan
    if not 0 <= energy < math.inf:
        raise ProfileError(f"{where}: energy {quoted(value)} is no number of picojoules")
    return energy
