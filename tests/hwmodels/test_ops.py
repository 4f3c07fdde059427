from __future__ import annotations

import pytest

from hwmodels import Buffer, Op

TRAFFIC = [op for op in Op if op.buffer is not None]


def test_every_operation_has_a_definition_of_its_own() -> None:
    definitions = [op.definition for op in Op]
    assert all(definitions)
    assert len(set(definitions)) == len(Op)


def test_the_headings_of_the_bill() -> None:
    headings = {op: op.group for op in Op if op not in TRAFFIC}
    assert headings == {
        Op.MAC: "compute",
        Op.AC: "compute",
        Op.SHIFT_AC: "compute",
        Op.ADD: "scalar",
        Op.MUL: "scalar",
        Op.DIV: "scalar",
        Op.EXP: "scalar",
        Op.SQRT: "scalar",
        Op.CMP: "scalar",
        Op.NEURON_UPDATE: "neuron",
        Op.SPIKE: "routing",
        Op.SPIKE_HOP: "routing",
    }
    assert {op.group for op in TRAFFIC} == {"memory"}


def test_traffic_is_what_is_counted_in_bytes() -> None:
    assert [op.value for op in Op if op.value.endswith("_bytes")] == TRAFFIC


@pytest.mark.parametrize(
    ("buffer", "operations"),
    [
        (Buffer.WEIGHTS, {Op.WEIGHT_READ, Op.VECTOR_READ}),
        (Buffer.ACTIVATIONS, {Op.ACTIVATION_READ, Op.ACTIVATION_WRITE}),
        (Buffer.SPIKES, {Op.SPIKE_READ, Op.SPIKE_WRITE}),
        (Buffer.STATE, {Op.STATE_READ, Op.STATE_WRITE}),
        (Buffer.KV_CACHE, {Op.KV_READ, Op.KV_WRITE, Op.KV_SPIKE_READ, Op.KV_SPIKE_WRITE}),
    ],
)
def test_each_buffer_has_its_traffic(buffer: Buffer, operations: set[Op]) -> None:
    assert {op for op in Op if op.buffer is buffer} == operations


def test_a_traffic_operation_reads_or_writes() -> None:
    assert {op for op in TRAFFIC if not op.is_read} == {
        Op.ACTIVATION_WRITE,
        Op.SPIKE_WRITE,
        Op.STATE_WRITE,
        Op.KV_WRITE,
        Op.KV_SPIKE_WRITE,
    }


def test_only_hops_are_derived() -> None:
    assert [op for op in Op if not op.is_counted] == [Op.SPIKE_HOP]


def test_packed_spikes_and_arithmetic_do_not_follow_the_width_of_a_value() -> None:
    assert {op for op in Op if not op.scales_with_precision} == {
        *(op for op in Op if op not in TRAFFIC),
        Op.SPIKE_READ,
        Op.SPIKE_WRITE,
        Op.KV_SPIKE_READ,
        Op.KV_SPIKE_WRITE,
    }


def test_an_operation_is_looked_up_by_its_column() -> None:
    assert {"mac": 1}[Op.MAC] == 1
    assert {Op.MAC: 1}["mac"] == 1  # type: ignore[index]
    assert Op("kv_read_values") is Op.KV_READ
