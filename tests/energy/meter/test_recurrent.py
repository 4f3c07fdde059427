"""Mixers of Mamba-1, RWKV-4 and xLSTM are recognised by what they compute, and counted as that."""

from __future__ import annotations

import pytest
import torch
from decoders import model_of, tiny

from energy import Counts, count_pass, exposed_attention
from energy.formulas.recurrent import Memory, channel_scan, matrix_memory, wkv
from energy.meter.recognise_recurrent import recurrent_rule
from energy.meter.tally_recurrent import mamba1, mlstm, mlstm_layer, norm_of_heads

BATCH, TOKENS = 2, 11
IDS = torch.randint(3, 90, (BATCH, TOKENS), generator=torch.Generator().manual_seed(1))
#: What of these models is no part of a mixer, or a constant of the whole text.
LEFT = {"div_", "mul", "div", "tanh", "add", "sub", "cumsum"}


def counted(kind: str) -> Counts:
    model = model_of(tiny(kind))
    with exposed_attention(model, partial=True):
        return count_pass(model, lambda: model(IDS, use_cache=False), variant="asa", loose=True)


@pytest.mark.parametrize(
    ("kind", "tally"),
    [
        *((x, channel_scan(BATCH, TOKENS, 64, 16)) for x in ("mamba", "falcon_mamba", "jamba")),
        ("rwkv", wkv(BATCH, TOKENS, 32)),
        ("xlstm", matrix_memory(BATCH, TOKENS, Memory(4, 4, 8))),
    ],
)
def test_each_mixer_has_the_scan_that_it_computes(kind: str, tally: object) -> None:
    counts = counted(kind)
    scans = [row for row in counts.layers if row.name.endswith(".scan")]
    assert scans
    assert all(row.tally == tally for row in scans)
    assert set(counts.uncounted) <= LEFT
    # Nothing of a mixer is left to be guessed from operations.
    inside = [row.name for row in counts.layers if ".(" in row.name or ".residual.1" in row.name]
    assert not [name for name in inside if any(x in name for x in ("mixer", "attention", "mlstm"))]


@pytest.mark.parametrize(
    ("kind", "child", "rule"),
    [
        ("mamba", "mixer", mamba1),
        ("xlstm", "mlstm_backend", mlstm),
        ("xlstm", "mlstm_layer", mlstm_layer),
        ("xlstm", "multihead_norm", norm_of_heads),
        ("rwkv", "attention", None),
        ("rwkv", "feed_forward", None),
    ],
)
def test_a_module_that_computes_something_else_is_not_taken_for_one(
    kind: str, child: str, rule: object
) -> None:
    layer = next(x for name, x in model_of(tiny(kind)).named_modules() if name.endswith(child))
    known = recurrent_rule(layer)
    assert known is not None
    assert rule in (None, known)

    class Other(type(layer)):  # type: ignore[misc]
        def forward(self, *args: object, **kwargs: object) -> object:
            out = super().forward(*args, **kwargs)
            return (1.5 * out[0], *out[1:]) if isinstance(out, tuple) else 1.5 * out

    layer.__class__ = Other
    assert recurrent_rule(layer) is None


def test_other_modules_with_parameters_of_such_names_are_none() -> None:
    assert recurrent_rule(torch.nn.Linear(3, 4)) is None
    assert recurrent_rule(torch.nn.LayerNorm(4)) is None
    assert recurrent_rule(torch.nn.Module()) is None
