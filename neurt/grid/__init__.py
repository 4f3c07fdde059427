"""Many points, measured side by side and kept as they come."""
