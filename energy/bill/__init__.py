"""Counts become a bill: execution, placement, prices, sums, savings."""
