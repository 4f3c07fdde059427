"""A machine that runs a tiny transformer layer by layer and counts what it moves, value by value.

A second witness for the closed forms of traffic, written from the definitions of the two bounds:

* unfused: each function reads its operands from memory and writes its result;
* fused: functions of single values and of rows work on values on their way between products. A
  product loads its operand in the form in which it takes it (values, or events of a coder), and
  stores its result in the form in which the next one takes it. Attention is tiled: scores and
  weights stay on the chip, keys and values are loaded for each block of queries that a quarter of
  the room holds. A residual addition loads the stream, and its sum is stored in the place of what
  it adds.

Nothing here is a formula: loops visit every value, and a scratchpad knows what it holds.
"""
