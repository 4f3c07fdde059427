from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from energy import Counts, Label, LayerCount, Tally
from energy.counts.file import read_csv
from hwmodels import Op, load_profiles
from reports.count.run import CountRun, Unnamed, part_pj
from reports.count.write import write_count
from reports.run.summary import sha256

pytestmark = pytest.mark.usefixtures("sketched")

MACS = Tally({Op.MAC: 10}, 10)
ROWS = (
    LayerCount("words", "Embedding", Label("embedding", "embedding"), 1),
    LayerCount("h.0.fc", "Linear", Label("other", "fc", 0), 1, MACS),
    LayerCount("h.0.e.3.w2", "Linear", Label("other", "w2", 0), 1, MACS),
    LayerCount("h.1.fc", "Linear", Label("other", "fc", 1), 1, MACS),
    LayerCount("h.1.e.0.w2", "Linear", Label("other", "w2", 1), 0),
    LayerCount("norm", "LayerNorm", Label("head", "norm"), 1, Tally({Op.ADD: 10, Op.EXP: 7})),
    LayerCount("act", "GELU", Label("ffn", "activation"), 1, Tally({Op.EXP: 7})),
    LayerCount("lm_head", "Linear", Label("head", "lm_head"), 1, Tally({Op.MAC: 30}, 30)),
)


def counted(*hw: str) -> CountRun:
    counts = Counts("asa", ROWS, "m", "random(seed=0)", tokens=5, uncounted={"add": 3})
    return CountRun(counts, load_profiles(hw), {"seed": 0}, {"torch": "2"}, "now")


def test_layers_without_a_name_are_grouped_by_pattern() -> None:
    assert counted("45nm").unnamed == (
        Unnamed("h.*.fc", 2, 20),
        Unnamed("h.*.e.*.w2", 2, 10),
    )


def test_a_part_costs_what_its_operations_cost() -> None:
    bill = counted("45nm").estimates["45nm"]
    # 4.6 pJ for a MAC, 0.9 pJ for an addition; an exponential has no price
    assert part_pj(bill, "compute") == pytest.approx(60 * 4.6)
    assert part_pj(bill, "compute", "other") == pytest.approx(30 * 4.6)
    assert part_pj(bill, "full", "head", "norm") == pytest.approx(10 * 0.9)
    assert part_pj(bill, "compute", "head", "norm") == 0
    assert part_pj(bill, "full", "embedding") == 0  # nothing was counted there


def test_what_has_no_price_is_no_zero() -> None:
    run = counted("45nm", "loihi")
    assert part_pj(run.estimates["45nm"], "full", "ffn") is None
    loihi = run.estimates["loihi"]
    assert part_pj(loihi, "compute") is part_pj(loihi, "full", "head", "norm") is None


def test_the_files_hold_the_whole_count(tmp_path: Path) -> None:
    run = counted("45nm", "loihi")
    files = write_count(run, tmp_path / "out")
    assert [path.name for path in files] == [
        "counts.csv",
        "energy.csv",
        "components_45nm.png",
        "components_45nm.svg",
        "components_loihi.png",
        "components_loihi.svg",
        "sources.bib",
        "count.json",
    ]
    assert read_csv(files[0]) == [replace(run.counts, uncounted={})]
    cited = files[-2].read_text(encoding="utf-8")
    assert "horowitz2014" in cited
    assert "davies2018" in cited  # 45nm and Loihi
    assert "balaji2025" not in cited  # no published saving stands beside one side
    about = json.loads(files[-1].read_text(encoding="utf-8"))
    assert about["sha256"]["counts.csv"] == sha256(files[0].read_bytes())
    assert about["unnamed"][0] == {"pattern": "h.*.fc", "layers": 2, "macs": 20}
    assert about["counts"]["uncounted"] == {"add": 3}
    assert (about["weights"], about["settings"]) == ("random(seed=0)", {"seed": 0})
    ours, theirs = about["hardware"]["45nm"], about["hardware"]["loihi"]
    # 60 MACs and 10 additions over 5 tokens; one fetch of 4 bytes at 1.25 pJ for 2,048 MACs
    pj = (60 * 4.6 + 10 * 0.9 + 60 / 2048 * 4 * 1.25) / 5
    assert ours["pj_per_token"] == pytest.approx({"fused": pj, "unfused": pj})
    assert ours["unpriced"] == {"exp": 14}
    assert theirs["fused_pj"] is theirs["unfused_pj"] is None
    assert theirs["pj_per_token"] == {"fused": None, "unfused": None}
