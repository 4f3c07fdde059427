"""What tests of models that are run layer by layer read."""

from __future__ import annotations

import torch

#: Of two lengths, so that layers are given two kinds of angles.
WINDOWS = [
    torch.randint(0, 101, (1, tokens), generator=torch.Generator().manual_seed(tokens))
    for tokens in (24, 24, 16)
]
