from __future__ import annotations

import pytest

from hwmodels import Dataflow
from hwmodels.dataflow import Rules


def test_the_names_are_frozen() -> None:
    assert [flow.value for flow in Dataflow] == [
        "layerwise",
        "stepwise",
        "event-driven",
        "time-batched",
        "gathered",
    ]


def test_each_has_rules_and_a_sentence_of_its_own() -> None:
    assert len({flow.rules for flow in Dataflow}) == len(Dataflow)
    assert len({flow.definition for flow in Dataflow}) == len(Dataflow)


@pytest.mark.parametrize(
    ("flow", "rules"),
    [
        (Dataflow.LAYERWISE, Rules("call", "call", "step", "resident", "packed")),
        (Dataflow.STEPWISE, Rules("step", "step", "step", "resident", "packed")),
        (Dataflow.EVENT_DRIVEN, Rules("event", "step", "step", "event", "addresses")),
        (Dataflow.TIME_BATCHED, Rules("call", "call", "resident", "resident", "packed")),
        (Dataflow.GATHERED, Rules("touched", "call", "resident", "resident", "packed")),
    ],
)
def test_what_moves_how_often(flow: Dataflow, rules: Rules) -> None:
    assert flow.rules == rules
