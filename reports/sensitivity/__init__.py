"""How far a saving moves with the prices."""
