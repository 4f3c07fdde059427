"""Layers of a counted type, and how those of other models are exposed as such."""
