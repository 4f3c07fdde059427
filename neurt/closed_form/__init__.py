"""Passes and their counts from sizes alone. No torch here."""
