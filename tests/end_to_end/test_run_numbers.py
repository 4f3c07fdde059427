"""The numbers in the files of a run, by closed forms and from each other."""

from __future__ import annotations

import pytest
from finished import (
    BATCH,
    HEADS,
    LABEL,
    LAYERS,
    TIMESTEPS,
    TOKENS,
    VOCABULARY,
    WIDTH,
    WINDOWS,
    Finished,
)


def test_every_row_carries_the_weights(finished: Finished) -> None:
    for name in ("counts.csv", "layers.csv", "savings.csv"):
        assert {row["weights"] for row in finished.rows(name)} == {LABEL}, name
        assert {row["model"] for row in finished.rows(name)} == {"tiny-gpt2"}, name


def synapses(finished: Finished) -> dict[str, tuple[int, int]]:
    # MACs of each dense layer of the analog model, and the fan-out of one of its events.
    rows = BATCH * finished.queries * WINDOWS
    pairs = BATCH * HEADS * finished.queries * TOKENS * WINDOWS
    sizes = {
        "attn.c_attn": (rows * WIDTH * 3 * WIDTH, 3 * WIDTH),
        "attn.core.scores": (pairs * WIDTH // HEADS, TOKENS),
        "attn.core.mix": (pairs * WIDTH // HEADS, finished.queries),
        "attn.c_proj": (rows * WIDTH * WIDTH, WIDTH),
        "mlp.c_fc": (rows * WIDTH * 4 * WIDTH, 4 * WIDTH),
        "mlp.c_proj": (rows * 4 * WIDTH * WIDTH, WIDTH),
    }
    return {
        f"transformer.h.{depth}.{name}": size
        for depth in range(LAYERS)
        for name, size in sizes.items()
    }


def test_the_macs_of_the_analog_model_are_the_closed_form(finished: Finished) -> None:
    head = BATCH * finished.queries * WINDOWS * WIDTH * VOCABULARY
    expected = {name: macs for name, (macs, _) in synapses(finished).items()} | {"lm_head": head}
    found = finished.layers("45nm", "asa")
    assert {n: int(row["mac"]) for n, row in found.items() if row["mac"] != "0"} == expected
    assert {row["ac"] for row in found.values()} == {"0"}
    assert {row["calls"] for row in found.values()} == {str(WINDOWS)}


def test_the_accumulates_of_the_spiking_model_are_events_times_fan_out(finished: Finished) -> None:
    found = finished.layers("45nm", "ssa")
    for name, (macs, fan_out) in synapses(finished).items():
        row = found[name]
        assert int(row["mac"]) == 0, name
        assert int(row["ac"]) == int(row["spikes"]) * fan_out, name
        # Blind to spikes, each of the T steps would cost what the analog layer costs.
        assert int(row["dense_macs"]) == TIMESTEPS * macs, name
        assert 0 < int(row["spikes"]) <= int(row["slots"]), name
    # The head stays analog.
    assert found["lm_head"]["mac"] == finished.layers("45nm", "asa")["lm_head"]["mac"]
    assert {n for n, row in found.items() if row["ac"] != "0"} == set(synapses(finished))


def test_each_neuron_is_updated_once_per_step(finished: Finished) -> None:
    steps = TIMESTEPS * BATCH * finished.queries * WINDOWS
    channels = {
        "attn.encoder": WIDTH,
        "attn.qkv_neuron": 3 * WIDTH,
        "attn.mix_neuron": WIDTH,
        "mlp.encoder": WIDTH,
        "mlp.hidden_encoder": 4 * WIDTH,
    }
    found = finished.counted("ssa")
    assert {
        n: int(row["neuron_update"]) for n, row in found.items() if row["neuron_update"] != "0"
    } == {
        f"transformer.h.{depth}.{name}": steps * width
        for depth in range(LAYERS)
        for name, width in channels.items()
    }
    # LIF: 3 additions, a multiplication, a comparison; signed IF: 2 additions, 2 comparisons
    of = {name: (3, 1, 1) if name.endswith("_neuron") else (2, 0, 2) for name in channels}
    for name, row in found.items():
        short = name.split(".", 3)[-1]
        number = steps * channels.get(short, 0)
        parts = tuple(int(row[part]) for part in ("neuron_add", "neuron_mul", "neuron_cmp"))
        assert parts == tuple(each * number for each in of.get(short, (0, 0, 0))), name


def test_what_the_encoders_emit_is_what_the_layers_behind_them_receive(finished: Finished) -> None:
    found = finished.layers("45nm", "ssa")
    for depth in range(LAYERS):
        for neuron, synapse in (
            ("attn.encoder", "attn.c_attn"),
            ("attn.mix_neuron", "attn.c_proj"),
            ("mlp.encoder", "mlp.c_fc"),
            ("mlp.hidden_encoder", "mlp.c_proj"),
        ):
            emitted, received = (found[f"transformer.h.{depth}.{n}"] for n in (neuron, synapse))
            assert emitted["spikes"] == received["spikes"], synapse
            assert emitted["slots"] == received["slots"], synapse


def test_energies_are_counts_times_the_prices_of_each_profile(finished: Finished) -> None:
    # A price of a whole update pays for its parts; on 45nm it is the parts that have prices.
    ours = {"neuron_add": 0.9, "neuron_mul": 3.7, "neuron_cmp": 0.9}
    for hw, mac, ac, neuron in (
        ("45nm", 4.6, 0.9, ours),
        ("loihi", 0.0, 23.6, {"neuron_update": 81.0}),
    ):
        for variant in ("asa", "ssa"):
            for name, row in finished.layers(hw, variant).items():
                if hw == "loihi" and int(row["mac"]):  # no price, so no energy
                    assert (row["compute_pj"], row["energy_pj"]) == ("", "")
                else:
                    compute = mac * int(row["mac"]) + ac * int(row["ac"])
                    assert float(row["compute_pj"]) == pytest.approx(compute), (hw, name)
                counted = finished.counted(variant)[name]
                expected = sum(pj * int(counted[op]) for op, pj in neuron.items())
                assert float(row["neuron_pj"]) == pytest.approx(expected)


def test_the_saving_of_the_attention_block_follows_from_its_rows(finished: Finished) -> None:
    [row] = [
        row
        for row in finished.rows("savings.csv")
        if (row["hw"], row["block"], row["component"], row["accounting"])
        == ("45nm", "attention", "total", "compute")
    ]
    macs = sum(macs for name, (macs, _) in synapses(finished).items() if ".attn." in name)
    acs = sum(
        int(layer["ac"])
        for name, layer in finished.layers("45nm", "ssa").items()
        if ".attn." in name
    )
    assert int(row["asa_mac"]) == macs
    assert int(row["ssa_ac"]) == acs
    assert float(row["saving"]) == pytest.approx(1 - 0.9 * acs / (4.6 * macs))
    assert float(row["events_per_mac"]) == pytest.approx(acs / macs)
    assert (row["timesteps"], row["phase"], row["tokens"]) == (
        str(TIMESTEPS),
        "prefill" if finished.phase == "prefill" else "decode@16",
        str(BATCH * finished.queries * WINDOWS),
    )
