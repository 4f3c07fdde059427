"""Servers of language models: fitted prices, and what they predict."""
