"""Energy per token for the card of a model."""
