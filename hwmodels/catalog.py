"""Where profiles come from: the package, installed plug-ins, and the user's own files."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from hwmodels.document import Document, compose, origins
from hwmodels.doubts import ProfileWarning
from hwmodels.errors import did_you_mean
from hwmodels.given import KindError, check_kind
from hwmodels.plain import printable, quoted
from hwmodels.plugins import plugged_in
from hwmodels.profile import HardwareProfile, ProfileError

ENTRY_POINT_GROUP = "neurt_energy.hardware"

#: Faults after which no further precision of a file is checked, which would repeat most of them.
MAX_FAULTS = 1000


class _Source(NamedTuple):
    """What a name stands for."""

    open: Callable[[], Document]
    precision: str | None = None


def profile_names() -> list[str]:
    """Names that `load_profile` accepts: the built-in ones, then those of installed plug-ins."""
    return list(_sources())


def load_profile(name_or_path: str | Path) -> HardwareProfile:
    """Load a profile by name, or from a TOML file.

    Args:
        name_or_path: A name from `profile_names`, the path of a `.toml` file, or `FILE.toml:int8`
            for another precision of that file.

    Warns:
        ProfileWarning: Where it is valid, and probably not what its author meant.

    Raises:
        ProfileError: If there is no such profile, or it does not follow the schema, or has the name
            of a built-in one that is another; the message names the profile and the key.
    """
    check_kind("name_or_path", name_or_path, (str, Path), "a profile needs no loading")
    source = _find(str(name_or_path))
    return _composed(source.open(), source.precision)


def load_profiles(names: Iterable[str | Path]) -> tuple[HardwareProfile, ...]:
    """Load several profiles; one that is given twice is loaded once.

    Raises:
        ProfileError: If one cannot be loaded, or two have the same name, by which tables and
            pictures would confuse them.
    """
    if isinstance(names, str | Path):
        raise KindError(
            f"`names` must be a list, and not {quoted(names)}; `load_profile` loads one"
        )
    profiles: dict[str, HardwareProfile] = {}
    names = list(names)
    for name in names:
        check_kind("names", name, (str, Path), "a profile needs no loading")
    for profile in map(load_profile, dict.fromkeys(map(str, names))):
        if profiles.setdefault(profile.name, profile) != profile:
            raise ProfileError(
                f"two of the hardware profiles are called '{profile.name}'; rename one of them"
            )
    return tuple(profiles.values())


def siblings(name_or_path: str | Path) -> dict[str, str]:
    """What to load for each precision of the hardware that a profile belongs to.

    The default of the hardware is first, and the profile itself among them: {"fp32": "45nm",
    "int8": "45nm-int8"}. Errors as those of `load_profile`.
    """
    document = _find(str(name_or_path)).open()
    default = compose(document, None, _find_beside).precision
    return {default: document.reference(None)} | {
        precision: document.reference(precision) for precision in document.precisions
    }


def load_sibling(name_or_path: str | Path, precision: str) -> HardwareProfile | None:
    """The same hardware at another precision, or None where it has none."""
    sibling = siblings(name_or_path).get(precision)
    return None if sibling is None else load_profile(sibling)


def parse_profile(text: str, path: Path) -> HardwareProfile:
    """The profile that the text of a file says, before it is written; errors as of `load_profile`.

    Args:
        text: TOML.
        path: Where the file will be; what it extends is looked for from there.
    """
    return _composed(Document.parse(text, str(path), path), None)


class Checked(NamedTuple):
    """What is to be said of a profile at one precision."""

    called: str  #: what to load to get it
    profile: HardwareProfile | None  #: None if it is not valid
    faults: tuple[str, ...]  #: everything that is wrong
    doubts: tuple[str, ...]  #: what is probably not meant
    origins: Mapping[str, str]  #: of a valid one, who said each key (`prices.mac`)


def check_profile(name_or_path: str | Path) -> list[Checked]:
    """Check all precisions of a profile, the default first, or the one that is named."""
    try:
        source = _find(str(name_or_path))
        document = source.open()
    except ProfileError as error:
        return [Checked(str(name_or_path), None, error.faults, (), {})]
    others = () if source.precision else document.precisions
    found: list[Checked] = []
    for precision in (source.precision, *others):
        if sum(len(one.faults) for one in found) < MAX_FAULTS:
            found.append(_checked(document, precision))
    return found


def _checked(document: Document, precision: str | None) -> Checked:
    called = document.reference(precision)
    profile: HardwareProfile | None = None
    faults: tuple[str, ...] = ()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", ProfileWarning)
        try:
            profile = _composed(document, precision)
        except ProfileError as error:
            faults = error.faults
    itself = f"hardware profile '{printable(called)}': "
    doubts = (str(one.message) for one in said)
    return Checked(
        called,
        profile,
        tuple(fault.removeprefix(itself) for fault in faults),
        tuple(doubt.removeprefix(itself) for doubt in doubts),
        {} if profile is None else origins(document, precision, _find_beside),
    )


def _composed(document: Document, precision: str | None) -> HardwareProfile:
    profile = compose(document, precision, _find_beside)
    namesake = _builtin().get(profile.name)
    if namesake is None or namesake.open() is document:
        return profile
    # A bill says the name alone: it must not stand for other numbers than those of the package.
    if compose(namesake.open(), namesake.precision, _find_beside) != profile:
        raise ProfileError(
            f"hardware profile '{document.reference(precision)}' calls itself '{profile.name}', as "
            "a built-in profile with other numbers does; rename it"
        )
    return profile


def _find(reference: str, folder: Path = Path()) -> _Source:
    if (source := _sources().get(reference)) is not None:
        return source
    head, colon, precision = reference.rpartition(":")
    if colon and head.endswith(".toml"):
        return _Source(lambda: Document.read(folder / head), precision)
    path = folder / reference
    try:
        is_path = path.suffix == ".toml" or (bool(reference) and path.exists())
    except OSError:  # a name that no file can have
        is_path = False
    if is_path:
        return _Source(lambda: Document.read(path))
    raise ProfileError(
        f"hardware profile {quoted(reference)} is not known; `neurt-energy hw list` shows those at "
        f"hand, or give the path of a .toml file{did_you_mean(reference.lower(), _sources())}"
    )


def _find_beside(reference: str, folder: Path | None) -> tuple[Document, str | None]:
    # What a file extends: files are looked for where it is, not where the user is.
    source = _find(reference, folder or Path())
    return source.open(), source.precision


@cache
def _builtin() -> dict[str, _Source]:
    documents = [
        Document.parse(entry.read_text(encoding="utf-8"), entry.name.removesuffix(".toml"))
        for entry in files("hwmodels.builtin").iterdir()
        if entry.name.endswith(".toml")
    ]
    return {
        document.reference(precision): _Source(lambda document=document: document, precision)  # type: ignore[misc]
        for document in sorted(documents, key=lambda document: document.name)
        for precision in (None, *document.precisions)
    }


@cache
def _sources() -> dict[str, _Source]:
    sources = dict(_builtin())
    for point in entry_points(group=ENTRY_POINT_GROUP):
        sources.setdefault(point.name, _Source(lambda point=point: plugged_in(point)))  # type: ignore[misc]
    return sources


def unused_plug_ins() -> list[str]:
    """A sentence for each plug-in that no name stands for, because another profile has its name."""
    taken, unused = set(_builtin()), []
    for point in entry_points(group=ENTRY_POINT_GROUP):
        if point.name in taken:
            unused.append(
                f"hardware profile '{point.name}' of the plug-in '{point.value}' is not used: "
                "another profile has this name"
            )
        taken.add(point.name)
    return unused
