"""The count of an analog model alone."""
