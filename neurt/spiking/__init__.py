"""The spiking model: neurons, codes, attention, conversion."""
