"""The price list: which operations exist, and what each costs on which hardware."""

from hwmodels.catalog import load_profile, load_profiles, load_sibling, profile_names, siblings
from hwmodels.compose import with_prices
from hwmodels.dataflow import Dataflow
from hwmodels.machine import Delivery, Encoding, Fusion, Room, Widths
from hwmodels.ops import Buffer, Op
from hwmodels.prices import (
    Bandwidth,
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
    "Bandwidth",
    "Buffer",
    "Core",
    "Dataflow",
    "Delivery",
    "Encoding",
    "Evidence",
    "Fusion",
    "HardwareProfile",
    "MemoryLevel",
    "Op",
    "OtherValue",
    "Price",
    "ProfileError",
    "Room",
    "StaticPower",
    "SystemFigure",
    "Throughput",
    "Widths",
    "load_profile",
    "load_profiles",
    "load_sibling",
    "profile_names",
    "siblings",
    "with_prices",
]
