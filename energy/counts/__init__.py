"""What was counted: whole numbers per layer, and the file that holds them.

Names are found when they are asked for: a command line that prints its help needs no arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwmodels.lazy import lazy_exports

if TYPE_CHECKING:
    from energy.counts.counts import About as About
    from energy.counts.counts import Counts as Counts
    from energy.counts.file import CountsError as CountsError
    from energy.counts.file import read_csv as read_csv
    from energy.counts.file import to_csv as to_csv
    from energy.counts.layer import Label as Label
    from energy.counts.layer import LayerCount as LayerCount
    from energy.counts.layer import Tally as Tally
    from energy.counts.levels import Levels as Levels

__getattr__, __dir__, __all__ = lazy_exports(__name__)
