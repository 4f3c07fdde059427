"""Several runs side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwmodels.lazy import lazy_exports

if TYPE_CHECKING:
    from reports.compare.comparison import CompareError as CompareError
    from reports.compare.comparison import Comparison as Comparison
    from reports.compare.comparison import compare_runs as compare_runs

__getattr__, __dir__, __all__ = lazy_exports(__name__)
