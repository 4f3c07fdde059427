"""The price list: which operations exist, and what each costs on which hardware.

Names are imported when first used: a command line can be interrupted before they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwmodels.lazy import lazy_exports

if TYPE_CHECKING:
    from hwmodels.catalog import load_profile as load_profile
    from hwmodels.catalog import load_profiles as load_profiles
    from hwmodels.catalog import load_sibling as load_sibling
    from hwmodels.catalog import profile_names as profile_names
    from hwmodels.catalog import siblings as siblings
    from hwmodels.compose import with_prices as with_prices
    from hwmodels.constants import with_constants as with_constants
    from hwmodels.dataflow import Dataflow as Dataflow
    from hwmodels.machine import Delivery as Delivery
    from hwmodels.machine import Encoding as Encoding
    from hwmodels.machine import Fusion as Fusion
    from hwmodels.machine import Room as Room
    from hwmodels.machine import Widths as Widths
    from hwmodels.ops import Buffer as Buffer
    from hwmodels.ops import Op as Op
    from hwmodels.pair import Machine as Machine
    from hwmodels.pair import TwoMachines as TwoMachines
    from hwmodels.pair import two_machines as two_machines
    from hwmodels.prices import Bandwidth as Bandwidth
    from hwmodels.prices import Core as Core
    from hwmodels.prices import Evidence as Evidence
    from hwmodels.prices import MemoryLevel as MemoryLevel
    from hwmodels.prices import OtherValue as OtherValue
    from hwmodels.prices import Price as Price
    from hwmodels.prices import StaticPower as StaticPower
    from hwmodels.prices import Throughput as Throughput
    from hwmodels.profile import HardwareProfile as HardwareProfile
    from hwmodels.profile import ProfileError as ProfileError
    from hwmodels.systems import Boundary as Boundary
    from hwmodels.systems import SystemFigure as SystemFigure

__getattr__, __dir__, __all__ = lazy_exports(__name__)
