"""Hooks that count what a model does, and the audit that nothing escapes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwmodels.lazy import lazy_exports

if TYPE_CHECKING:
    from energy.meter.audit import UncountedOperation as UncountedOperation
    from energy.meter.meter import CountSettings as CountSettings
    from energy.meter.meter import Meter as Meter
    from energy.meter.meter import count_pass as count_pass
    from energy.meter.meter import counting as counting

__getattr__, __dir__, __all__ = lazy_exports(__name__)
