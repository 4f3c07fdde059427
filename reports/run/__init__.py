"""What a run is: counts, prices, settings, and what `run.json` holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwmodels.lazy import lazy_exports

if TYPE_CHECKING:
    from reports.run.run import Phase as Phase
    from reports.run.run import Run as Run
    from reports.run.run import merged as merged

__getattr__, __dir__, __all__ = lazy_exports(__name__)
