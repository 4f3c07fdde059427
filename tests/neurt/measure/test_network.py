"""`neurt.profile_module`: any network as a run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import neurt
from energy import NetworkError, count_module, estimate
from energy.counts.file import read_csv
from energy.network.checks import TimeWarning
from hwmodels import Op, load_profile
from neurt.cli import main
from reports import write_report
from reports.compare.comparison import compare_runs
from reports.compare.picture import side_by_side
from reports.read import read_run
from reports.shown import Run


class LIF(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("v", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.v = self.v + (x - self.v) / 2
        spike = (self.v > 0.2).to(x.dtype)
        self.v = self.v * (1 - spike)
        return spike


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.lif = nn.Conv2d(1, 2, 3), LIF()
        self.pool, self.fc = nn.AvgPool2d(2), nn.Linear(18, 3)
        self.out = nn.Linear(3, 3)
        self.lif2 = LIF()
        nn.init.constant_(self.fc.bias, 0.5)  # so that some of them fire

    def forward(self, x: Tensor) -> Tensor:
        current = self.conv(x)  # once, before the loop over time
        rec = []
        for _ in range(4):
            pooled = self.pool(self.lif(current)).flatten(1)
            rec.append(self.out(self.lif2(self.fc(pooled))))
        return torch.stack(rec).mean(0)


X = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
OWN: Any = {LIF: "binary"}


@pytest.fixture(scope="module")
def run() -> Run:
    return neurt.profile_module(Net(), X, hw=("45nm", "loihi"), neurons=OWN)


def test_the_analog_side_is_the_same_layers_at_one_step(run: Run) -> None:
    asa, ssa = run.asa, run.ssa
    assert (asa.timesteps, ssa.timesteps) == (1, 4)
    assert [x.name for x in asa.layers] == [x.name for x in ssa.layers]
    conv, fc, out = (asa.layer(x).tally for x in ("conv", "fc", "out"))
    # The convolution ran once: 2 x 36 positions x 9 x 2 MACs, as in the spiking network.
    assert conv.ops[Op.MAC] == ssa.layer("conv").tally.ops[Op.MAC] == 2 * 36 * 18
    # The others ran in each of 4 steps: 2 x 18 x 3, 2 x 3 x 3.
    assert (fc.ops[Op.MAC], ssa.layer("fc").tally.ops[Op.MAC]) == (2 * 54, 4 * 2 * 54)
    assert out.ops[Op.MAC] == 2 * 9
    assert ssa.layer("out").tally.ops[Op.AC] == 3 * ssa.layer("lif2").tally.spikes > 0
    assert asa.layer("lif").kind == "ReLU"
    assert asa.layer("lif").tally.ops[Op.CMP] == 2 * 72
    assert "the same layers, every slot as a MAC at T = 1" in run.settings["assumed"]
    assert "pool (avg_pool2d)" in str(run.settings["assumed"])
    assert "a step of LIF is that of an LIF neuron" in str(run.settings["assumed"])


def test_a_baseline_takes_the_place_of_it() -> None:
    analog = nn.Sequential(nn.Flatten(), nn.Linear(64, 5))
    run = neurt.profile_module(Net(), X, neurons=OWN, baseline=analog)
    assert run.asa.total(Op.MAC) == 2 * 64 * 5
    assert (run.asa.variant, run.asa.timesteps, run.asa.model) == ("asa", 1, "Net")
    assert run.settings["baseline"] == "Sequential"


def test_it_is_priced_written_and_read_as_any_other_run(run: Run, tmp_path: Path) -> None:
    profile = load_profile("45nm")
    asa, ssa = run.estimates["45nm"]
    assert ssa.energy_pj() == estimate(run.ssa, profile).energy_pj() > 0
    write_report(run, str(tmp_path))  # as the documentation writes it
    again = read_run(str(tmp_path))
    assert [x.tally for x in again.ssa.layers] == [x.tally for x in run.ssa.layers]
    assert again.title == "Net, weights in memory, T = 4"
    assert again.subtitle == "inference, 2 samples"
    assert again.estimates["45nm"][0].energy_pj() == asa.energy_pj()
    assert {side.variant for side in read_csv(tmp_path / "counts.csv")} == {"asa", "ssa"}
    text = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert "Assumed: the analog model is the same layers" in text
    assert "Published" not in text  # nothing was, for a network of somebody's own
    assert "Quality: not measured; compare how often the two networks are right." in text
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Published for the attention block" not in page


def test_the_commands_read_what_was_written(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_report(run, tmp_path / "run")
    where, out = str(tmp_path / "run"), str(tmp_path / "out")
    for command in (
        ["report", where, "--out", out, "--pictures", "none", "--no-page"],
        ["report", where, where, "--compare", "--out", f"{out}-compare", "--no-page"],
        ["price", f"{where}/counts.csv", "--hw", "45nm", "--out", f"{out}.csv"],
        ["sensitivity", where, "--hw", "45nm", "--block", "model", "--out", f"{out}-sensitivity"],
        ["breakeven", "--hw", "45nm", "--run", where, "--out", f"{out}-breakeven"],
    ):
        assert main(command) == 0, capsys.readouterr().err
    text = capsys.readouterr().out
    assert "Assumed: the analog model is the same layers" in text
    assert "of attention" not in text  # there is none, and nothing was published of it


def test_it_is_shown_in_a_notebook(run: Run) -> None:
    assert set(run.to_frame("layers")["variant"]) == {"asa", "ssa"}
    assert "inference, 2 samples" in run._repr_html_()
    for picture in ("layers", "components", "phases", "spike_rates"):
        assert run.plot(picture).svg().startswith("<?xml")
    whole, *layers = run.plot("layers").figure.axes
    assert [axes.get_xlabel() for axes in layers] == ["", "layer"]
    assert len(whole.get_yticks()) == 2  # nothing lies outside of the layers


def test_a_network_without_known_neurons_is_one_line() -> None:
    with pytest.raises(NetworkError, match="Sequential ran no spiking neurons that are known here"):
        neurt.profile_module(nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), X)
    with pytest.raises(NetworkError, match="no hardware to price on"):
        neurt.profile_module(Net(), X, neurons=OWN, hw=())


def test_counts_alone_are_those_of_energy() -> None:
    assert neurt.count_module is count_module
    counts = neurt.count_module(Net(), X, neurons=OWN, model="mine", weights="trained")
    assert (counts.model, counts.weights, counts.variant) == ("mine", "trained", "ssa")


def test_the_ten_lines_of_the_documentation(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("snntorch", reason="needs snntorch")
    page = (Path(__file__).parents[3] / "docs/how-to/networks.md").read_text(encoding="utf-8")
    shown = re.search(r"```python\n(.*?)```.*?It prints\n\n```text\n(.*?)```", page, re.S)
    assert shown
    code, printed = shown.groups()
    exec(compile(code, "networks.md", "exec"), {})
    assert capsys.readouterr().out == printed


def test_steps_that_are_calls_cost_what_steps_that_are_an_axis_cost() -> None:
    """What a call holds decides where it fits, and a call is one of all time steps."""
    neurons = pytest.importorskip("spikingjelly.activation_based.neuron")

    def network(mode: str) -> nn.Module:
        torch.manual_seed(0)
        first, last = nn.Linear(784, 1000), nn.Linear(1000, 10)
        return nn.Sequential(first, neurons.IFNode(step_mode=mode), last)

    x = torch.rand(1, 784) * 4
    calls = neurt.profile_module(network("s"), x, timesteps=8)
    axis = neurt.profile_module(network("m"), x.repeat(8, 1, 1))
    for one, other in zip(calls.estimates["45nm"], axis.estimates["45nm"], strict=True):
        assert one.energy_pj() == pytest.approx(other.energy_pj())
    # 794,000 weights of 4 bytes, which no array of 1 MiB holds: the same share on both sides.
    analog, spiking = (x.to_frame("layers").set_index("variant") for x in (calls, axis))
    first = analog[analog.layer == "0"]
    assert first.loc["asa", "weights_pj"] == first.loc["ssa", "weights_pj"]
    assert first.loc["asa", "weights_pj"] == spiking[spiking.layer == "0"].loc["ssa", "weights_pj"]


class Stepwise(nn.Module):
    """Called once for each time step: its loop is outside, and its neurons are silent."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.lif, self.out = nn.Linear(4, 3), LIF(), nn.Linear(3, 2)
        nn.init.constant_(self.fc.weight, 0.0)
        nn.init.constant_(self.fc.bias, 0.0)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(self.lif(self.fc(x)))
        return out


def test_one_step_that_nobody_asked_for_is_warned_of() -> None:
    x = torch.rand(1, 4)
    with pytest.warns(TimeWarning, match=r"each neuron of Stepwise took one time step \(T = 1\)"):
        neurt.profile_module(Stepwise(), x, neurons=OWN)
    ways: Any = ({"timesteps": 1}, {"run": lambda net: net(x)})
    for asked in ways:  # warnings are errors here
        assert neurt.profile_module(Stepwise(), x, neurons=OWN, **asked).ssa.timesteps == 1


def test_neurons_that_send_nothing_are_named() -> None:
    run = neurt.profile_module(Stepwise(), torch.rand(1, 4), neurons=OWN, timesteps=2)
    assert "lif sent no spike" in str(run.settings["assumed"])


def test_a_baseline_that_takes_spikes_is_analog_without_a_warning() -> None:
    net, x = nn.Sequential(nn.Linear(4, 3), LIF()), torch.ones(1, 4)
    asked: Any = {"neurons": OWN, "input_levels": "binary", "timesteps": 2}
    run = neurt.profile_module(net, x, baseline=nn.Linear(4, 5), **asked)
    assert sum(layer.tally.ops[Op.MAC] for layer in run.asa.layers) == 4 * 5


def test_networks_side_by_side_speak_of_samples_and_of_the_baseline() -> None:
    net, x = Stepwise(), torch.rand(1, 4)
    asked: Any = {"neurons": OWN, "timesteps": 2}
    same = neurt.profile_module(net, x, **asked)
    other = neurt.profile_module(net, x, baseline=nn.Linear(4, 2), **asked)
    both = compare_runs({"same": same, "other": other})
    left, right = side_by_side(both).axes
    assert left.get_xlabel().startswith("energy per sample")
    assert right.get_xlim()[0] < 0
    assert "against the same layers" in both.to_latex("two")
    assert "against Linear" in both.to_latex("two")
    for text in (both.to_markdown(), both.to_latex("two")):
        assert "token" not in text
        assert "attention" not in text
    assert "model, MACs and ACs" in both.to_markdown()
    assert "of an analog one: Linear" in other.to_latex()
    assert "conversion" not in other.to_latex() + both.to_latex()
