"""Hardware profiles as tables."""
