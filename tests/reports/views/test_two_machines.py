from __future__ import annotations

import json
import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.text import Text
from torch import Tensor, nn

from energy import saving
from energy.bill.layer import ACCOUNTINGS
from energy.compare.terms import Model
from hwmodels import ProfileError, TwoMachines, load_profile, two_machines
from hwmodels.pair import beside, machines_of, side_of, sides
from neurt import profile_module
from neurt.cli import main
from neurt.measure.planning import run_plan
from neurt.requests.base import RequestError
from neurt.requests.passes import PlanRequest
from reports.page.page import page
from reports.read import read_run
from reports.run.record import RunError
from reports.run.summary import summary
from reports.shown import Run
from reports.views.markdown import summary_markdown
from reports.write import write_report

NAME = "ASA on 45nm, SSA on 7nm"


def plan(**asked: object) -> Run:
    return run_plan(PlanRequest(model="gpt2-nano", seq_len=8, **asked))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def both() -> Run:
    return plan(asa_hw="45nm", ssa_hw="7nm")


def test_each_side_is_billed_as_on_its_machine_alone(both: Run) -> None:
    asa, ssa = both.estimates[NAME]
    ours, theirs = (plan(hw=(hw,), fusion="fused").estimates[hw] for hw in ("45nm", "7nm"))
    for accounting, block in product(ACCOUNTINGS, ("attention", "ffn", None)):
        assert asa.energy_pj(accounting, block=block) == ours[0].energy_pj(accounting, block=block)
        assert ssa.energy_pj(accounting, block=block) == theirs[1].energy_pj(
            accounting, block=block
        )
    assert saving(asa, ssa, "fused").saving == 1 - theirs[1].energy_pj() / ours[0].energy_pj()


def test_every_table_names_both(both: Run) -> None:
    hardware = {name: {*both.to_frame(name).hw} for name in ("savings", "baselines")}
    assert hardware == {"savings": {NAME}, "baselines": {NAME}}
    layers = both.to_frame("layers").groupby("variant").hw.unique()
    assert {side: [*names] for side, names in layers.items()} == {"asa": ["45nm"], "ssa": ["7nm"]}
    for text in (summary_markdown(both), both.to_latex(), both.to_latex("two"), page(both)):
        assert "a comparison of two machines" in text
        assert "this is not what spikes save" in text
    assert "<script" not in page(both)
    drawn = both.plot("layers").figure
    texts = " ".join(text.get_text() for text in drawn.findobj(Text))
    assert "Two machines: the spiking model" in texts.replace("\n", " ")
    assert "a comparison of two machines" in texts.replace("\n", " ")


@pytest.mark.parametrize("kind", ["layers", "components"])
def test_a_picture_says_on_which_of_both_something_has_no_price(kind: str) -> None:
    drawn = plan(asa_hw="7nm", ssa_hw="loihi").plot(kind).figure
    said = [" ".join(text.get_text().split()) for text in drawn.findobj(Text)]
    # MACs have a price on 7nm, and are drawn; the head of the spiking model has MACs on Loihi.
    assert any(
        "without a price on 7nm, so not in the picture: div, exp, sqrt without a price on loihi, "
        "so not in the picture: add, cmp" in text
        for text in said
    )
    answer = "Two machines: what is saved is not known, as MACs and SHIFT_ACs have no price"
    shown = [text for text in said if text.startswith("Two machines")]
    assert shown == [answer if kind == "layers" else answer.replace("and SHIFT_ACs", "or ACs")]


def test_a_record_has_both_and_is_read_back(both: Run, tmp_path: Path) -> None:
    write_report(both, tmp_path)
    record = json.loads((tmp_path / "run.json").read_text())
    [(name, held)] = record["hardware"].items()
    assert (name, {it: held["machines"][it]["name"] for it in ("asa", "ssa")}) == (
        NAME,
        {"asa": "45nm", "ssa": "7nm"},
    )
    assert summary(read_run(tmp_path)) == summary(both)
    held["profile"] = held["machines"]["asa"]
    (tmp_path / "run.json").write_text(json.dumps(record))
    with pytest.raises(RunError, match="a 'profile', or 'machines' of asa and of ssa"):
        read_run(tmp_path)


def test_constants_of_two_machines_are_off_by_themselves(both: Run) -> None:
    model = Model(*both.estimates[NAME], "compute", None)
    constants = {(constant.hw, constant.name) for constant in model.constants}
    assert {("45nm", "prices.mac"), ("7nm", "prices.mac")} <= constants
    # the spiking side has no term of 45nm: what doubles its constants is seen by the analog one
    doubled = [math.log(2) * (c.hw == "45nm") for c in model.constants]
    ends = model.energies(np.array([[0.0] * len(doubled), doubled]))
    assert ends[1][0] == ends[1][1]
    assert ends[0][1] == pytest.approx(2 * ends[0][0])


def test_baselines_are_of_the_machine_of_the_analog_model(both: Run) -> None:
    found = {it.name: it for it in both.baselines[NAME]}
    assert [*found] == ["same", "twin", "sparse", "int8-vs-own"]  # INT8 on both has no meaning
    assert {it.asa.profile.name for it in found.values() if it.asa} == {"45nm", "45nm-int8"}
    assert {it.ssa.profile.name for it in found.values() if it.ssa} == {"7nm"}
    assert found["same"].note == "ANN at fp32 on 45nm, SNN at fp32 on 7nm"


def test_a_pair_has_one_bound_and_two_names() -> None:
    pair = two_machines("45nm", "loihi")
    assert (pair.asa.fusion, pair.ssa.fusion) == ("fused", "fused")
    assert load_profile("loihi").fusion == "unfused"
    assert [it.name for it in sides(pair)] == ["45nm", "loihi"]
    assert [side_of(pair, x).name for x in ("asa", "ssa")] == ["45nm", "loihi"]
    assert beside(pair.asa, pair.asa) is pair.asa
    assert machines_of(["7nm", pair]) == (load_profile("7nm"), pair)
    with pytest.raises(ProfileError, match="'45nm' is fused and 'loihi' unfused"):
        TwoMachines(load_profile("45nm"), load_profile("loihi"))
    with pytest.raises(ProfileError, match="'7nm' on both sides is one machine"):
        two_machines("7nm", "7nm")
    with pytest.raises(ProfileError, match="'h100' has the prices of a whole chip"):
        two_machines("45nm", "h100")


@pytest.mark.parametrize(
    ("flags", "status", "says"),
    [
        ("", 2, "the following arguments are required: --hw"),
        ("--asa-hw 45nm", 2, "needs --ssa-hw too"),
        ("--asa-hw 45nm --ssa-hw 45nm", 2, "45nm on both sides is one machine"),
        ("--asa-hw 45nm --ssa-hw 7nm --hw 45nm", 2, "--hw prices both sides"),
        ("--asa-hw 45nm --ssa-hw 7nm --mixed", 2, "--mixed is of two precisions of one machine"),
        ("--asa-hw 45nm --ssa-hw 7nm --analog", 1, "is planned alone, so that one machine runs"),
        ("--asa-hw 45nm --ssa-hw h100", 1, "which no table can hold side by side"),
    ],
)
def test_what_is_no_pair_is_refused(
    flags: str, status: int, says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = f"plan --model gpt2-nano {flags} --out".split()
    assert main([*words, str(tmp_path / "out")]) == status
    assert says in " ".join(capsys.readouterr().err.split())


def test_a_constant_of_one_machine_is_set_and_sizes_are_swept(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = "plan --model gpt2-nano --asa-hw 45nm --ssa-hw 7nm --set 7nm:prices.mac=9pJ --batch 1,2"
    assert main([*words.split(), "--out", str(tmp_path), "--pictures", "none"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "SSA on 7 nm digital CMOS" in said
    assert "a comparison of two machines" in said
    assert "this is not what spikes save" in said
    record = json.loads((tmp_path / "sizes.json").read_text())["hardware"]
    held = record["ASA on 45nm, SSA on 7nm+set"]
    assert held["ssa"]["prices"]["mac"]["pj"] == 9
    assert held["asa"]["prices"]["mac"]["pj"] == 4.6


def test_one_machine_of_two_files_is_none(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="needs --asa-hw too"):
        PlanRequest(model="gpt2-nano", ssa_hw="7nm").check()


class Spiking(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)


def test_a_network_of_your_own_is_put_on_two_machines() -> None:
    pair = two_machines("45nm", "loihi")
    run = profile_module(Spiking(), torch.tensor([[1.0, 0, 0, 1]]), hw=pair, input_levels="binary")
    asa, ssa = run.estimates[pair.name]
    # 12 multiply-accumulates at 4.6 pJ; two spikes reach 3 results each, 23.6 pJ on Loihi
    assert asa.energy_pj("compute") == pytest.approx(12 * 4.6)
    assert ssa.energy_pj("compute") == pytest.approx(6 * 23.6)
