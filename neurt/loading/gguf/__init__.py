"""Reading GGUF files without running code."""
