"""How much work a layer of a given shape is: pure functions, no torch."""
