"""Spiking networks from NIR files: read, checked, executed step by step."""
