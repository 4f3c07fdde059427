"""The price list: which operations exist, and what each costs on which hardware."""

from hwmodels.catalog import ProfileError, load_profile, load_profiles, profile_names
from hwmodels.ops import Buffer, Op
from hwmodels.profile import Evidence, HardwareProfile, MemoryLevel, Price, StaticPower

__all__ = [
    "Buffer",
    "Evidence",
    "HardwareProfile",
    "MemoryLevel",
    "Op",
    "Price",
    "ProfileError",
    "StaticPower",
    "load_profile",
    "load_profiles",
    "profile_names",
]
