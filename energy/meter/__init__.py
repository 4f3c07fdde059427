"""Hooks that count what a model does, and the audit that nothing escapes them."""
