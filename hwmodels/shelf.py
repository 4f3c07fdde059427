"""The shelf of measured systems: files of the package, and what profiles say of whole systems."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from hwmodels.catalog import load_profile, profile_names
from hwmodels.prices import Name, Record, Sentence
from hwmodels.profile import ProfileError
from hwmodels.systems import SystemFigure


class System(Record):
    """One file of `hwmodels/measured`.

    Attributes:
        name: Short name, for tables and pictures.
        title: What it is, in one line.
        system: What was measured on it.
    """

    name: Name
    title: Sentence
    system: tuple[SystemFigure, ...]


class Measured(NamedTuple):
    """One measured figure."""

    system: str  #: short name of the system, or of the profile that says it
    title: str  #: what the system is
    figure: SystemFigure  #: what was measured


def measured() -> list[Measured]:
    """All figures: systems of the package by name, then profiles, each in the order of its file.

    A plug-in whose profile is not valid says nothing; `hw list` names it.
    """
    found = [Measured(it.name, it.title, figure) for it in _systems() for figure in it.system]
    told = {one.figure for one in found}
    for name in profile_names():
        try:
            profile = load_profile(name)
        except ProfileError:
            continue
        for figure in profile.system:
            if figure not in told:  # precisions of a file repeat what it says
                found.append(Measured(profile.name, profile.title, figure))
                told.add(figure)
    return found


@cache
def _systems() -> tuple[System, ...]:
    folder = files("hwmodels.measured")
    texts = [x.read_text(encoding="utf-8") for x in folder.iterdir() if x.name.endswith(".toml")]
    systems = (System.model_validate(tomllib.loads(text)) for text in texts)
    return tuple(sorted(systems, key=lambda system: system.name))
