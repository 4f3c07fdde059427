"""What a training said while it ran, and what came of it."""
