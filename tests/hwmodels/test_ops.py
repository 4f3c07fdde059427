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
        Op.NEURON_ADD: "neuron",
        Op.NEURON_MUL: "neuron",
        Op.NEURON_CMP: "neuron",
        Op.SPIKE: "routing",
        Op.SPIKE_HOP: "routing",
        Op.DELIVERY: "delivery",
    }
    assert {op.group for op in TRAFFIC} == {"memory"}


def test_traffic_is_what_is_read_or_written_in_values_or_in_slots() -> None:
    counted = ("read_values", "write_values", "read_slots", "write_slots")
    assert [op for op in Op if op.value.endswith(counted)] == TRAFFIC
    assert {op for op in TRAFFIC if op.moves_spikes} == {
        Op.SPIKE_READ,
        Op.SPIKE_WRITE,
        Op.KV_SPIKE_READ,
        Op.KV_SPIKE_WRITE,
    }


@pytest.mark.parametrize("op", TRAFFIC)
def test_traffic_is_known_by_its_name_in_bytes_too(op: Op) -> None:
    assert Op(op.value.rpartition("_")[0] + "_bytes") is op


def test_what_is_no_traffic_has_no_name_in_bytes() -> None:
    for name in ("mac_bytes", "delivery_bytes", "bytes"):
        with pytest.raises(ValueError, match=name):
            Op(name)


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


def test_hops_and_deliveries_follow_from_a_machine() -> None:
    assert [op for op in Op if not op.is_counted] == [Op.SPIKE_HOP, Op.DELIVERY]


def test_what_neurons_do_is_priced_as_its_like_outside_of_them() -> None:
    assert {op: op.alike for op in Op if op.alike} == {
        Op.NEURON_ADD: Op.ADD,
        Op.NEURON_MUL: Op.MUL,
        Op.NEURON_CMP: Op.CMP,
    }


def test_an_operation_is_looked_up_by_its_column() -> None:
    assert {"mac": 1}[Op.MAC] == 1
    assert {Op.MAC: 1}["mac"] == 1  # type: ignore[index]
    assert Op("kv_read_values") is Op.KV_READ
