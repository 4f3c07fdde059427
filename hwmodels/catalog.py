"""Where profiles come from: the package, installed plug-ins, and the user's own files."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError

from hwmodels.profile import HardwareProfile

ENTRY_POINT_GROUP = "neurt_energy.hardware"

#: A profile is a page of text; anything much larger is the wrong file.
MAX_PROFILE_BYTES = 1_000_000


class ProfileError(ValueError):
    """A hardware profile that cannot be found or read."""


def profile_names() -> list[str]:
    """Names that `load_profile` accepts: the built-in ones, then those of installed plug-ins."""
    return list(_sources())


def load_profile(name_or_path: str | Path) -> HardwareProfile:
    """Load a profile by name, or from a TOML file.

    Args:
        name_or_path: A name from `profile_names`, or the path of a `.toml` file.

    Raises:
        ProfileError: If there is no such profile, or it does not follow the schema; the message
            names the profile and the key.
    """
    text = str(name_or_path)
    source = _sources().get(text)
    if source is not None:
        return source()
    path = Path(text)
    try:
        is_path = path.suffix == ".toml" or path.exists()
    except OSError:  # a name that no file can have
        is_path = False
    if is_path:
        return read_profile(path)
    raise ProfileError(
        f"hardware profile '{text}' is not known; known are {', '.join(_sources())}, "
        "or give the path of a .toml file"
    )


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


def read_profile(path: Path) -> HardwareProfile:
    """Read one TOML file.

    Raises:
        ProfileError: If the file cannot be read, is not TOML, or does not follow the schema.
    """
    if not path.exists():
        raise ProfileError(f"hardware profile '{path}' does not exist")
    if not path.is_file():
        raise ProfileError(
            f"hardware profile '{path}' is not a file; give the path of a .toml file"
        )
    if (size := path.stat().st_size) > MAX_PROFILE_BYTES:
        raise ProfileError(
            f"hardware profile '{path}' has {size:,} bytes, but a profile is a page of text "
            f"(at most {MAX_PROFILE_BYTES:,}); is it the right file?"
        )
    try:
        return parse_profile(path.read_bytes().decode("utf-8-sig"), name=str(path))
    except UnicodeDecodeError as error:
        raise ProfileError(
            f"hardware profile '{path}' is not UTF-8 text at byte {error.start}"
        ) from error
    except OSError as error:
        raise ProfileError(
            f"hardware profile '{path}' cannot be read: {error.strerror or error}"
        ) from error


def parse_profile(text: str, *, name: str) -> HardwareProfile:
    """Parse the text of a TOML profile.

    Args:
        text: TOML.
        name: What to call it in an error message.

    Raises:
        ProfileError: If the text is not TOML or does not follow the schema; names the first key
            at fault, its value and the rule.
    """
    try:
        return HardwareProfile.model_validate(tomllib.loads(text))
    except RecursionError as error:
        raise ProfileError(
            f"hardware profile '{name}' is not valid TOML: nested too deep"
        ) from error
    except ValidationError as error:
        raise ProfileError(f"hardware profile '{name}': {_first_fault(error)}") from error
    except ValueError as error:  # TOMLDecodeError, or a number that Python refuses
        raise ProfileError(f"hardware profile '{name}' is not valid TOML: {error}") from error


def _first_fault(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"] if part != "[key]")
    message = first["msg"].removeprefix("Value error, ")
    more = f" ({error.error_count() - 1} more faults)" if error.error_count() > 1 else ""
    if not key:  # a rule that spans several keys names them itself
        return message + more
    if first["type"] == "extra_forbidden":
        return f"unknown key '{key}'; `neurt-energy hw schema` lists the keys" + more
    if first["type"] == "missing":
        return f"key '{key}' is missing" + more
    return f"key '{key}' (= {first['input']!r}): {message}" + more


@cache
def _sources() -> dict[str, Callable[[], HardwareProfile]]:
    found: dict[str, Callable[[], HardwareProfile]] = {}
    builtin = sorted(
        (entry for entry in files("hwmodels.builtin").iterdir() if entry.name.endswith(".toml")),
        key=lambda entry: entry.name.removesuffix(".toml"),
    )
    for entry in builtin:
        name = entry.name.removesuffix(".toml")
        text = entry.read_text(encoding="utf-8")
        found[name] = lambda text=text, name=name: parse_profile(text, name=name)  # type: ignore[misc]
    for point in entry_points(group=ENTRY_POINT_GROUP):
        found.setdefault(point.name, lambda point=point: _from_plugin(point))  # type: ignore[misc]
    return found


def _from_plugin(point: EntryPoint) -> HardwareProfile:
    try:
        loaded = point.load()
        profile = loaded() if callable(loaded) else loaded
    except Exception as error:  # somebody else's code: whatever it raises, name the profile
        raise ProfileError(
            f"hardware profile '{point.name}' of the plug-in '{point.value}' failed: "
            f"{type(error).__name__}: {error}"
        ) from error
    if not isinstance(profile, HardwareProfile):
        raise ProfileError(
            f"hardware profile '{point.name}' of the plug-in '{point.value}' is a "
            f"{type(profile).__name__}; it must be a HardwareProfile or a function returning one"
        )
    return profile
