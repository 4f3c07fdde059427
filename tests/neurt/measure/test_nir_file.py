"""`count --model net.nir`: what it says, writes and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import neurt
from energy.counts.file import read_csv
from hwmodels import Op
from neurt.cli import main
from neurt.requests.passes import ProfileRequest
from neurt.spiking.config import SpikingConfig

nir = pytest.importorskip("nir")

#: Each neuron adds its input whole to a membrane that loses a tenth in each step: dt / tau = 0.1.
LEAKY = nir.LIF(np.full(4, 1e-3), np.full(4, 10.0), np.zeros(4), np.ones(4), np.zeros(4))


def looped() -> object:
    """6 inputs, 4 neurons that excite each other, 2 outputs."""
    nodes = {
        "input": nir.Input(np.array([6])),
        "fc": nir.Affine(np.full((4, 6), 0.5), np.zeros(4)),
        "lif": LEAKY,
        "back": nir.Linear(np.full((4, 4), 0.1)),
        "hold": nir.Delay(np.full(4, 2e-4)),
        "out": nir.Linear(np.ones((2, 4))),
        "output": nir.Output(np.array([2])),
    }
    edges = [("input", "fc"), ("fc", "lif"), ("lif", "back"), ("back", "lif")]
    edges += [("lif", "hold"), ("hold", "out"), ("out", "output")]
    return nir.NIRGraph(nodes, edges, type_check=False)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    nir.write(tmp_path / "net.nir", looped())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def count(flags: str) -> int:
    fixed = "--hw 45nm --pictures none --out out --force"
    return main(["count", *fixed.split(), *flags.split()])


def test_recorded_spikes_are_counted_one_by_one(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x = np.zeros((8, 2, 6), np.uint8)
    x[0, 0, :3] = 1  # three spikes of 0.5 lift each membrane of the first sample to 1.5: all fire
    np.save("events.npy", x)
    assert count("--model net.nir --input events.npy") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "8 time steps of 0.0001 s, 2 samples, input from events.npy" in said
    assert "since they close a loop: lif -> back." in said
    assert "What delays hold meanwhile has no price: hold." in said
    [counts] = read_csv(here / "out" / "counts.csv")
    rows = {row.name: row.tally.ops for row in counts.layers}
    assert rows["fc"][Op.AC] == 3 * 4  # spikes, outputs
    assert rows["lif"][Op.SPIKE] == 4  # what comes back, 4 * 0.1, lifts none above 1
    assert rows["back"][Op.AC] == 4 * 4
    assert rows["out"][Op.AC] == 4 * 2  # two steps later
    assert rows["lif"][Op.NEURON_UPDATE] == 8 * 2 * 4
    assert (counts.timesteps, counts.batch, counts.tokens) == (8, 2, 2)
    assert counts.total(Op.MAC) == 0
    record = json.loads((here / "out" / "count.json").read_text("utf-8"))
    assert record["settings"]["timesteps"] == 8
    assert record["settings"]["late"] == {"back": ["lif"]}
    # 12 + 16 + 8 accumulates of two samples
    assert "Per sample on 45nm" in said
    assert "(0 MACs, 18 accumulates)" in said


def test_analog_input_is_counted_as_macs_and_said(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save("currents.npy", np.full((5, 6), 0.25))
    assert count("--model net.nir --input currents.npy") == 0
    assert "what takes them is counted as MACs" in " ".join(capsys.readouterr().out.split())
    [counts] = read_csv(here / "out" / "counts.csv")
    rows = {row.name: row.tally.ops for row in counts.layers}
    assert rows["fc"][Op.MAC] == 5 * 6 * 4
    assert rows["back"].get(Op.MAC, 0) == 0


def test_random_input_has_the_rate_that_was_asked_for(here: Path) -> None:
    assert count("--model net.nir --timesteps 200 --input-rate 0.25 --batch 5") == 0
    [counts] = read_csv(here / "out" / "counts.csv")
    [row] = [x for x in counts.layers if x.name == "fc"]
    assert row.tally.slots == 200 * 5 * 6
    # a standard deviation of sqrt(0.25 * 0.75 / 6000) = 0.0056
    assert abs(row.tally.spikes / row.tally.slots - 0.25) < 5 * 0.0056


@pytest.mark.parametrize(
    ("flags", "status", "sentence"),
    [
        ("--model other.nir", 1, "does not exist"),
        ("--model net.nir --input none.npy", 1, "'none.npy' does not exist"),
        ("--model net.nir --input flat.npy", 1, "must be (time steps, 6), or"),
        ("--model net.nir --input flat.npy --batch 2", 2, "--batch: has no effect here"),
        ("--model net.nir --seq-len 4", 2, "--seq-len: has no effect here"),
        ("--model net.nir --dt 1", 1, "a delay of 0.0002 s, which is no whole number of"),
        ("--model net.nir --timesteps 1000000 --batch 10000000", 1, "give smaller --timesteps"),
        ("--model net.nir --input-rate 2", 2, "--input-rate"),
        ("--model gpt2-nano --input-rate 0.2", 2, "give --model FILE.nir"),
    ],
)
def test_what_cannot_be_is_one_line(
    here: Path, capsys: pytest.CaptureFixture[str], flags: str, status: int, sentence: str
) -> None:
    np.save("flat.npy", np.ones((8, 7)))
    assert count(flags) == status
    error = capsys.readouterr().err.strip()
    assert sentence in error
    assert "Traceback" not in error
    assert not (here / "out" / "count.json").exists()


def test_a_network_without_neurons_has_its_samples_too(here: Path) -> None:
    weights = nir.NIRGraph.from_list(nir.Scale(np.arange(1.0, 7)), nir.Linear(np.ones((2, 6))))
    nir.write("plain.nir", weights)
    assert count("--model plain.nir --timesteps 10 --batch 3") == 0
    [counts] = read_csv(here / "out" / "counts.csv")
    assert (counts.timesteps, counts.batch, counts.tokens) == (10, 3, 3)
    assert counts.total(Op.MAC) == 10 * 3 * 6 * 2


def test_other_commands_name_those_that_count_it(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", "--model", "net.nir", "--hw", "45nm", "--out", "out"]) == 1
    assert "use `neurt-energy count` or `profile` for NIR" in capsys.readouterr().err


def profile(flags: str) -> int:
    return main(["profile", "--hw", "45nm", "--out", "run", "--force", *flags.split()])


def test_a_file_is_profiled_as_the_graph_in_memory_is(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x = (torch.rand(10, 3, 6, generator=torch.Generator().manual_seed(0)) < 0.3).float()
    np.save("events.npy", x.numpy())
    assert profile("--model net.nir --input events.npy --pictures svg") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "10 time steps of 0.0001 s, 3 samples, input from events.npy" in said
    assert "Per sample:" in said
    run = neurt.profile_module(looped(), x, input_levels="binary")
    both = read_csv(here / "run" / "counts.csv")
    for ours, theirs in zip(both, (run.asa, run.ssa), strict=True):
        assert [row.tally for row in ours.layers] == [row.tally for row in theirs.layers]
    record = json.loads((here / "run" / "run.json").read_text("utf-8"))
    assert record["settings"]["late"] == {"back": ["lif"]}
    assert {"report.html", "layers_45nm.svg"} <= {x.name for x in (here / "run").iterdir()}
    # Another run of it, and a comparison with itself.
    assert main(["report", "run", "run", "--compare", "--out", "both", "--pictures", "none"]) == 0


def test_a_file_runs_longer_than_a_conversion_may(here: Path) -> None:
    assert profile("--model net.nir --timesteps 80 --pictures none") == 0  # a conversion: 64
    record = json.loads((here / "run" / "run.json").read_text("utf-8"))
    assert record["settings"]["timesteps"] == 80


def test_steps_are_those_of_the_conversion_or_of_the_file() -> None:
    eight = SpikingConfig(timesteps=8)
    for model in ("gpt2-nano", "net.nir"):
        given = ProfileRequest(model=model, hw=("45nm",), timesteps=8)
        inside = ProfileRequest(model=model, hw=("45nm",), spiking=eight)
        nir_file = model.endswith(".nir")
        assert (given.timesteps, given.spiking.timesteps) == (8, 4 if nir_file else 8)
        assert inside.timesteps == (8 if nir_file else None)
        if not nir_file:  # a point of a grid and a command line are stored as the same
            assert given.model_dump_json() == inside.model_dump_json()


@pytest.mark.parametrize(
    ("flags", "status", "sentence"),
    [
        ("--model net.nir --threshold 2", 2, "--threshold: has no effect here"),
        ("--model net.nir --prompt 2 --generate 3", 2, "has no effect here: it is of a language"),
        ("--model net.nir --timesteps 1000001", 2, "--timesteps: must be at most 1,000,000"),
        ("--model gpt2-nano --timesteps 65", 2, "--timesteps: must be at most 64, not 65"),
        ("--model net.nir --input flat.npy --seed 2", 2, "the input is recorded"),
        ("--model net.nir --input flat.npy", 1, "must be (time steps, 6), or"),
        ("--model plain.nir --input analog.npy", 1, "ran no spiking neurons"),
        ("--model gpt2-nano --exporter norse", 2, "give --model FILE.nir"),
    ],
)
def test_what_cannot_be_profiled_is_one_line(
    here: Path, capsys: pytest.CaptureFixture[str], flags: str, status: int, sentence: str
) -> None:
    np.save("flat.npy", np.ones((8, 7)))
    np.save("analog.npy", np.full((8, 6), 0.5))
    nir.write("plain.nir", nir.NIRGraph.from_list(nir.Linear(np.ones((2, 6)))))
    assert profile(flags) == status
    error = capsys.readouterr().err.strip()
    assert sentence in error
    assert "Traceback" not in error
    assert not (here / "run").exists()


def test_a_graph_in_memory_is_profiled_beside_its_analog_layers() -> None:
    x = (torch.rand(10, 3, 6, generator=torch.Generator().manual_seed(0)) < 0.3).float()
    run = neurt.profile_module(looped(), x, input_levels="binary")
    ssa = neurt.count_module(neurt.nir_network(looped()), x, input_levels="binary")
    assert run.ssa.total(Op.AC) == ssa.total(Op.AC) > 0
    assert (run.ssa.timesteps, run.ssa.tokens) == (10, 3)
    # Every slot of one step: 6 x 4 of fc, 4 x 4 of back, 4 x 2 of out, of three samples.
    assert run.asa.total(Op.MAC) == 3 * (24 + 16 + 8)
