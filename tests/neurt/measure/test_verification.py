from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from plans import measured, planned

from energy import Conventions, Counts
from hwmodels import Op
from neurt.closed_form.passes import prefill
from neurt.families import read_shape
from neurt.measure.verification import VerificationError, verify_spiking
from neurt.spiking.config import Code, SpikingConfig
from neurt.spiking.modeling import SpikingLanguageModel

CODER = "transformer.h.0.mlp.encoder"
PASS = prefill(7)


def changed(counts: Counts, op: Op, number: float) -> Counts:
    """The counts with another number of an operation in the row of a coder."""
    rows = (
        row.with_ops(row.ops | {op: number}) if row.name == CODER else row for row in counts.layers
    )
    return replace(counts, layers=tuple(rows))


@pytest.mark.parametrize("op", [Op.NEURON_ADD, Op.NEURON_CMP])
def test_executed_steps_lie_between_the_events_and_the_plan(
    converted: Callable[..., SpikingLanguageModel], op: Op
) -> None:
    model = converted("gpt2", "softmax", torch.float32, code=Code.POW2, timesteps=2)
    counts = measured(model, PASS, "ssa")
    shape = read_shape(model.config.to_dict(), "it")
    chosen = SpikingConfig.model_validate(model.config.spiking)

    def verify(found: Counts) -> None:
        verify_spiking(shape, Conventions(), chosen, PASS, found)

    verify(counts)
    events = counts.layer(CODER).tally.spikes
    most = planned(model, PASS, counts).layer(CODER).ops[op]
    # Some values fire in the last step, after which there is no silent one.
    assert events < counts.layer(CODER).ops[op] < most
    for number in (events, most):
        verify(changed(counts, op, number))
    for number in (events - 1, most + 1):
        with pytest.raises(VerificationError, match=rf"'{CODER}' .* another number of {op} than"):
            verify(changed(counts, op, number))
