"""The price list: which operations exist, and what each costs on which hardware."""

from hwmodels.catalog import load_profile, load_profiles, load_sibling, profile_names, siblings
from hwmodels.compose import with_prices
from hwmodels.dataflow import Dataflow
from hwmodels.ops import Buffer, Op
from hwmodels.prices import (
    Core,
    Evidence,
    MemoryLevel,
    OtherValue,
    Price,
    StaticPower,
    SystemFigure,
    Throughput,
)
from hwmodels.profile import HardwareProfile, ProfileError

__all__ = [
    "Buffer",
    "Core",
    "Dataflow",
    "Evidence",
    "HardwareProfile",
    "MemoryLevel",
    "Op",
    "OtherValue",
    "Price",
    "ProfileError",
    "StaticPower",
    "SystemFigure",
    "Throughput",
    "load_profile",
    "load_profiles",
    "load_sibling",
    "profile_names",
    "siblings",
    "with_prices",
]
