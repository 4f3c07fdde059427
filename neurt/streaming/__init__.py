"""Models that are run layer by layer: the weights of one transformer layer in memory at a time."""
