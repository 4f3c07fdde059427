"""Text in, token ids and windows out."""
