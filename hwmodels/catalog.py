"""Where profiles come from: the package, installed plug-ins, and the user's own files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from hwmodels.compose import as_table
from hwmodels.document import Document, compose, validated
from hwmodels.errors import did_you_mean
from hwmodels.profile import HardwareProfile, ProfileError

ENTRY_POINT_GROUP = "neurt_energy.hardware"


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

    Raises:
        ProfileError: If there is no such profile, or it does not follow the schema; the message
            names the profile and the key.
    """
    source = _find(str(name_or_path))
    return compose(source.open(), source.precision, _find_beside)


def load_profiles(names: Iterable[str | Path]) -> tuple[HardwareProfile, ...]:
    """Load several profiles; one that is given twice is loaded once.

    Raises:
        ProfileError: If one cannot be loaded, or two have the same name, by which tables and
            pictures would confuse them.
    """
    profiles = [load_profile(name) for name in dict.fromkeys(map(str, names))]
    seen = [profile.name for profile in profiles]
    for name in seen:
        if seen.count(name) > 1:
            raise ProfileError(
                f"two of the hardware profiles are called '{name}'; rename one of them"
            )
    return tuple(profiles)


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


def read_profiles(path: Path) -> tuple[HardwareProfile, ...]:
    """Read all precisions of one TOML file, the default first."""
    document = Document.read(path)
    return tuple(compose(document, p, _find_beside) for p in (None, *document.precisions))


def _find(reference: str, folder: Path = Path()) -> _Source:
    if (source := _sources().get(reference)) is not None:
        return source
    head, colon, precision = reference.rpartition(":")
    if colon and head.endswith(".toml"):
        return _Source(lambda: Document.read(folder / head), precision)
    path = folder / reference
    try:
        is_path = path.suffix == ".toml" or path.exists()
    except OSError:  # a name that no file can have
        is_path = False
    if is_path:
        return _Source(lambda: Document.read(path))
    raise ProfileError(
        f"hardware profile '{reference}' is not known; known are {', '.join(_sources())}, "
        f"or give the path of a .toml file{did_you_mean(reference, _sources())}"
    )


def _find_beside(reference: str, folder: Path | None) -> tuple[Document, str | None]:
    # What a file extends: files are looked for where it is, not where the user is.
    source = _find(reference, folder or Path())
    return source.open(), source.precision


@cache
def _sources() -> dict[str, _Source]:
    documents = [
        Document.parse(entry.read_text(encoding="utf-8"), entry.name.removesuffix(".toml"))
        for entry in files("hwmodels.builtin").iterdir()
        if entry.name.endswith(".toml")
    ]
    sources: dict[str, _Source] = {}
    for document in sorted(documents, key=lambda document: document.name):
        for precision in (None, *document.precisions):
            source = _Source(lambda document=document: document, precision)  # type: ignore[misc]
            sources.setdefault(document.reference(precision), source)
    for point in entry_points(group=ENTRY_POINT_GROUP):
        sources.setdefault(point.name, _Source(lambda point=point: _plugged_in(point)))  # type: ignore[misc]
    return sources


def _plugged_in(point: EntryPoint) -> Document:
    plugin = f"hardware profile '{point.name}' of the plug-in '{point.value}'"
    try:
        loaded = point.load()
        profile = loaded() if callable(loaded) else loaded
        # Dumped here: a profile that was made without validation may fail to.
        table = as_table(profile) if isinstance(profile, HardwareProfile) else None
    except (Exception, SystemExit) as error:  # somebody else's code: whatever it raises
        raise ProfileError(f"{plugin} failed: {type(error).__name__}: {error}") from error
    if table is None:
        raise ProfileError(
            f"{plugin} is a {type(profile).__name__}; it must be a HardwareProfile or a function "
            "returning one"
        )
    validated(table, plugin)
    return Document(point.name, table)
