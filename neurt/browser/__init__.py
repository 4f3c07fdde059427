"""Python's closed form as JavaScript, made from its own source, for pages that need no install."""
