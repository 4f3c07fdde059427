"""Whose conventions a NIR file may follow, and what a network is given unless told otherwise."""

from __future__ import annotations

from enum import StrEnum


class Exporter(StrEnum):
    """Whose conventions a file follows beside those of NIR."""

    NIR = "nir"
    SNNTORCH = "snntorch"
    SPIKINGJELLY = "spikingjelly"
    NORSE = "norse"


#: Time steps without a recording.
TIMESTEPS = 100
#: Spikes per input and time step without a recording.
INPUT_RATE = 0.1
