"""When events cost less than multiply-accumulates: table, picture, terminal."""
