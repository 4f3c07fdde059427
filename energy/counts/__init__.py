"""What was counted: whole numbers per layer, and the file that holds them."""

from energy.counts.counts import About, Counts
from energy.counts.file import CountsError, read_csv, to_csv
from energy.counts.layer import Label, LayerCount, Tally
from energy.counts.levels import Levels

__all__ = [
    "About",
    "Counts",
    "CountsError",
    "Label",
    "LayerCount",
    "Levels",
    "Tally",
    "read_csv",
    "to_csv",
]
