"""What a planned row is before it has a full name. No torch."""

from __future__ import annotations

from energy.counts import Tally

#: Name within a transformer layer, class and counts.
Row = tuple[str, str, Tally]
