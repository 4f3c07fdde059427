"""Perplexity and agreement beside energy, for one conversion or many."""
