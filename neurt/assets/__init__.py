"""Texts that the package ships; see LICENSES.md."""
