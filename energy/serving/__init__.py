"""Servers of language models: what a step of one does, what it costs, and fits of what it costs."""
