"""Measured systems, alone and beside runs."""
