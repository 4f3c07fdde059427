"""Measured systems that are no price list, one TOML file each; read by `hwmodels.shelf`."""
