"""What may be asked of each command: one model each, whose fields are its flags."""
