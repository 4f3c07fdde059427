"""Bits of quantised weights, from the `quantization_config` of a `config.json`. No torch here."""
