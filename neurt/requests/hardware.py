"""The parts of requests that say on which hardware counts are priced. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from hwmodels import (
    Dataflow,
    Encoding,
    Fusion,
    HardwareProfile,
    Room,
    load_profile,
    load_profiles,
    load_sibling,
)
from hwmodels.machine import MAX_BITS, MIN_BITS, Operand, Widths
from neurt.requests.base import Amount, Flag, RequestError
from neurt.requests.constants import Changed
from neurt.requests.effects import check_effect

Bits = Annotated[float, Field(ge=MIN_BITS, le=MAX_BITS, allow_inf_nan=False)]
Uses = Annotated[float, Field(ge=1, le=1e9, allow_inf_nan=False)]


class Hardware(Changed):
    """What counts are priced on."""

    group: ClassVar[str] = "hardware"

    hw: Annotated[tuple[str, ...], Flag("NAME", each=True)]
    """hardware profile, by name or .toml file; may be repeated"""

    #: Whether the prices of whole chips are of use.
    whole_chips: ClassVar[bool] = False

    @property
    def names(self) -> tuple[str, ...]:
        """The profiles as they were asked for."""
        return self.hw

    def profiles(self) -> tuple[HardwareProfile, ...]:
        """The profiles by these names.

        Raises:
            ProfileError: If one is not valid, or not there.
            RequestError: If one has the prices of a whole chip, where operations are priced or
                beside one that prices them.
        """
        load_profiles(self.names)  # no two of one name
        found = tuple({it.name: it for it in self.loaded(self.names).values()}.values())
        whole = [profile.name for profile in found if profile.whole_chip is not None]
        if whole and not self.whole_chips:
            raise RequestError(
                f"'{whole[0]}' has the prices of a whole chip as a server, and none of an "
                "operation; it is for `plan` with --prompt and --generate"
            )
        if whole and len(whole) < len(found):
            other = next(profile.name for profile in found if profile.whole_chip is None)
            raise RequestError(
                f"'{whole[0]}' has the prices of a whole chip, '{other}' those of operations, "
                "which no table can hold side by side; give one of the two"
            )
        return found


class Stored(Hardware):
    """Hardware, and how it stores what moves: what is given replaces what a profile says.

    What moves, and in which width, is a property of the machine, so the profiles are changed.
    """

    widths: Annotated[
        Mapping[Operand, Bits],
        Flag("OPERAND=BITS", "those of a checkpoint and of the profile"),
    ] = Field(default_factory=dict)
    """bits of weights, activations, vectors, kv or accumulators, as weights=4.156,kv=8"""
    room: Annotated[Room | None, Flag(default="as the profile says")] = None
    """who gets the room on the chip"""

    @field_validator("widths")
    @classmethod
    def _sums_are_whole(cls, widths: Mapping[Operand, float]) -> Mapping[Operand, float]:
        bits = widths.get("accumulators", 32)
        if not float(bits).is_integer():
            raise ValueError(f"accumulators={bits:g}: sums have whole bits; give 1 to 64")
        return widths

    def profiles(self) -> tuple[HardwareProfile, ...]:
        """See `Hardware`; raises RequestError too if a profile lacks what is to be changed.

        What would change none of them is an error as well.
        """
        own = super().profiles()
        changed = tuple(map(self.changed, own))
        check_effect(self, own, changed)
        return changed

    def changed(self, profile: HardwareProfile) -> HardwareProfile:
        """The profile as this request runs it; raises RequestError if it cannot."""
        changed = self._changes(profile)
        if self.widths:
            changed["widths"] = self._widths(profile.widths)
        if not changed:
            return profile
        machine = profile.model_copy(update=changed)
        if fault := machine.too_wide:
            raise RequestError(f"--widths: {fault}")
        return machine

    def _widths(self, own: Widths) -> Widths:
        given: dict[str, float] = dict(self.widths.items())
        if "accumulators" in given:
            given["accumulators"] = int(given["accumulators"])
        return Widths.model_validate(own.model_dump() | given)

    def _changes(self, _profile: HardwareProfile) -> dict[str, object]:
        """What replaces fields of a profile, beside widths."""
        return {"room": self.room} if self.room else {}


class Bound(Stored):
    """Hardware, and the bound at which its totals stand; tables have both."""

    fusion: Annotated[Fusion | None, Flag(default="as the profile says")] = None
    """what moves between products: fused, or each function through memory; tables have both"""

    def _changes(self, profile: HardwareProfile) -> dict[str, object]:
        changed = super()._changes(profile)
        return changed | {"fusion": self.fusion} if self.fusion else changed


class Executed(Stored):
    """Hardware, and how it executes what was counted, spikes too."""

    dataflow: Annotated[Dataflow | None, Flag(default="as the profile says")] = None
    """how often operands of spiking layers move"""
    encoding: Annotated[Encoding | None, Flag(default="as the profile says")] = None
    """how spikes lie in memory"""
    reuse: Annotated[
        Mapping[Literal["mac", "event"], Uses], Flag("KIND=N", "as the profile says")
    ] = Field(default_factory=dict)
    """multiply-accumulates (mac), or events (event), that share one fetch of a stored operand
    beside the adders, as mac=2048,event=1"""

    def _changes(self, profile: HardwareProfile) -> dict[str, object]:
        changed = super()._changes(profile)
        if self.encoding:
            changed["encoding"] = self.encoding
        if self.reuse:
            if profile.delivery is None:
                raise RequestError(
                    f"--reuse has no effect on '{profile.name}', which has no price of a fetch "
                    "beside its adders; leave it out, or give a profile with 'delivery'"
                )
            reuse: dict[str, object] = {f"{kind}_reuse": n for kind, n in self.reuse.items()}
            # What somebody chose is no uncertain constant: no interval is drawn over it.
            chosen = reuse | {"reuse_range": None}
            changed["delivery"] = profile.delivery.model_copy(update=chosen)
        return changed

    def narrowed(self, profile: HardwareProfile) -> HardwareProfile:
        """Narrower hardware as this request runs it: what is too wide is as wide as it."""
        own = profile.own_bits
        fits = {name: bits for name, bits in self.widths.items() if bits <= own}
        return self.model_copy(update={"widths": fits}).changed(profile)

    def siblings(self, precision: str) -> dict[str, HardwareProfile]:
        """The hardware that was asked for at another precision, by the name of the profile."""
        found = {}
        for words, profile in self.loaded(self.names).items():
            if (other := load_sibling(words, precision)) is not None:
                found[profile.name] = self.narrowed(self.sibling(words, self.names, other))
        return found


class Timed(Executed):
    """Hardware whose static energy follows from how long it takes."""

    latency_s: Annotated[
        Mapping[Literal["asa", "ssa"], Amount],
        Flag("VARIANT=SECONDS", "from the throughput of the profile, else unpriced"),
    ] = Field(default_factory=dict)
    """seconds that all passes of asa, or of ssa, take on the hardware, for its static energy, as
    asa=0.2,ssa=0.1"""

    @property
    def knows_latency(self) -> bool:
        """See `Changed`."""
        return bool(self.latency_s)

    def check(self) -> None:
        """See `Request.check`."""
        super().check()
        if self.latency_s and len(set(self.hw)) > 1:
            raise RequestError(
                f"--latency-s is that of one chip, but --hw names {', '.join(self.hw)}; give one "
                "--hw"
            )

    def profiles(self) -> tuple[HardwareProfile, ...]:
        """See `Hardware`; raises RequestError too if a latency is given that has no price."""
        found = super().profiles()
        if self.latency_s and not any(profile.static_power for profile in found):
            raise RequestError(
                f"--latency-s has no effect here: '{found[0].name}' has no static power to "
                "multiply it with; leave it out, or give a profile with static_power"
            )
        return found


def check_both_sides(latency_s: Mapping[Literal["asa", "ssa"], float]) -> None:
    """Raise RequestError if a latency is given for one side of a saving alone."""
    if len(latency_s) == 1:
        [variant] = latency_s
        raise RequestError(
            f"--latency-s is given for {variant} alone, so static energy would be on one side of "
            "the saving; give asa=SECONDS and ssa=SECONDS"
        )


class Compared(Bound, Timed):
    """Hardware on which baselines are priced too."""

    mixed: bool = False
    """add a comparison of the ANN at its own precision with an INT8 SNN to the baselines, labelled
    as not comparable"""

    def check(self) -> None:
        """See `Request.check`."""
        super().check()
        check_both_sides(self.latency_s)

    def profiles(self) -> tuple[HardwareProfile, ...]:
        """See `Timed`; raises RequestError too if there is no other precision to compare with."""
        found = super().profiles()
        if self.mixed and not any(map(_has_another_precision, self.hw)):
            raise RequestError(
                f"--mixed has no effect here: {', '.join(self.hw)} is INT8 itself, or has no INT8 "
                "prices; leave it out, or give a profile that has both precisions"
            )
        return found


def _has_another_precision(hw: str) -> bool:
    """Whether hardware is not INT8, and has prices at INT8 beside its own."""
    return load_profile(hw).precision != "int8" and load_sibling(hw, "int8") is not None
