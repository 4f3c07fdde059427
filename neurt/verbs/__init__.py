"""The commands: flags, handlers, errors."""
