"""The paper's savings table, with its conventions as columns."""
