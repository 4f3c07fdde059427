"""The part of requests that gives constants of the hardware another value. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar

from pydantic import field_validator

from hwmodels import HardwareProfile, ProfileError, load_profile, with_constants
from hwmodels.constants import Setting
from hwmodels.keys import has_constant, same_constant
from neurt.requests.base import Flag, Request, RequestError

#: Who sets them.
BY = "set on the command line"
#: What costs energy only where somebody knows for how long.
_LEAKAGE = "static_power"


class Changed(Request):
    """Hardware with other constants, for one run."""

    group: ClassVar[str] = "hardware"

    set: Annotated[tuple[str, ...], Flag("KEY=VALUE", each=True)] = ()
    """another value for a constant of the hardware in this run, as prices.mac=0.5pJ or
    memory.sram.capacity=4MiB: of all --hw that have it, or of one, as 45nm:prices.mac=0.5pJ; may
    be repeated"""

    @field_validator("set")
    @classmethod
    def _are_settings(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        for word in words:
            Setting.parse(word)
        return words

    @property
    def knows_latency(self) -> bool:
        """Whether the request says how long a pass takes."""
        return False

    def loaded(self, names: Iterable[str]) -> dict[str, HardwareProfile]:
        """The profiles of these names, by name, with the constants of this request.

        Raises:
            ProfileError: If one cannot be loaded.
            RequestError: If a constant is none of any, or changes nothing.
        """
        profiles = {name: load_profile(name) for name in dict.fromkeys(names)}
        set_of = self.constants(profiles)
        found = {name: _with(profile, set_of[name]) for name, profile in profiles.items()}
        for name, profile in found.items():
            if _LEAKAGE in {key.partition(".")[0] for key in set_of[name]} and not (
                profile.throughput or self.knows_latency
            ):
                raise RequestError(
                    f"--set {_LEAKAGE} has no effect on '{profile.name}': without throughput no "
                    "time is known; leave it out, or give throughput.mac too, or --latency-s where "
                    "the command has it"
                )
        return found

    def sibling(
        self, name: str, profiles: Iterable[str], sibling: HardwareProfile
    ) -> HardwareProfile:
        """Another precision of a profile, with those of its constants that are the same in both.

        Args:
            name: The profile.
            profiles: All that are asked for.
            sibling: The same hardware at another precision.
        """
        own = load_profile(name)
        constants = self.constants({it: load_profile(it) for it in profiles})[name]
        alike = {key: value for key, value in constants.items() if same_constant(own, sibling, key)}
        return _with(sibling, alike)

    def constants(self, profiles: Mapping[str, HardwareProfile]) -> dict[str, dict[str, object]]:
        """What is set of each profile, by name; raises RequestError if it is nobody's."""
        found: dict[str, dict[str, object]] = {name: {} for name in profiles}
        for setting in map(Setting.parse, self.set):
            for name in _homes(setting, profiles):
                if setting.key in found[name]:
                    raise RequestError(f"--set {setting.key} is given twice; leave one of them out")
                found[name][setting.key] = setting.value
        return found


def _with(profile: HardwareProfile, constants: Mapping[str, object]) -> HardwareProfile:
    if not constants:
        return profile
    try:
        return with_constants(profile, constants, by=BY)
    except ProfileError as error:
        raise RequestError(f"--set: {error}") from error


def _homes(setting: Setting, profiles: Mapping[str, HardwareProfile]) -> list[str]:
    """The profiles whose constant it is; raises RequestError if there is none."""
    if setting.profile:
        for name, profile in profiles.items():
            if setting.profile in (name, profile.name):
                return [name]
        known = ", ".join(profiles)
        raise RequestError(f"--set {setting}: no --hw is '{setting.profile}', but {known}")
    homes, faults = [], []
    for name, profile in profiles.items():
        try:
            if has_constant(profile, setting.key):
                homes.append(name)
        except ProfileError as error:
            faults.append(str(error))
    if homes:
        return homes
    first = next(iter(profiles))
    if len(faults) == len(profiles):
        raise RequestError(f"--set {setting}: {faults[0]}")
    raise RequestError(
        f"--set {setting}: {', '.join(profiles)} has no number for {setting.key}; to add one, name "
        f"the profile, as {first}:{setting}"
    )
