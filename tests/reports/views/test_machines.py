from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from neurt.cli import main

COUNTS = """\
variant,layer,block,component,mac,ac
asa,a,attention,qkv,1000,0
ssa,a,attention,qkv,0,2000
asa,h,head,lm_head,500,0
ssa,h,head,lm_head,500,0
"""


@pytest.fixture
def compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[pd.DataFrame, str]:
    (tmp_path / "c.csv").write_text(COUNTS, encoding="utf-8")
    words = ["price", str(tmp_path / "c.csv"), "--asa-hw", "45nm", "--ssa-hw", "loihi"]
    assert main([*words, "--out", str(tmp_path)]) == 0
    frame = pd.read_csv(tmp_path / "machines.csv")
    return frame[frame.accounting == "compute"].set_index("block"), capsys.readouterr().out


def test_each_side_has_the_prices_of_its_own_machine(
    compared: tuple[pd.DataFrame, str],
) -> None:
    frame, said = compared
    attention = frame.loc["attention"]
    assert (attention.asa_hw, attention.ssa_hw) == ("45nm", "loihi")
    assert attention.asa_pj == pytest.approx(1000 * 4.6)
    assert attention.ssa_pj == pytest.approx(2000 * 23.6)
    assert attention.saving == pytest.approx(1 - 47200 / 4600)
    assert attention.ratio == pytest.approx(4600 / 47200)
    assert said.startswith("ASA on 45 nm digital CMOS")


def test_what_stays_dense_is_unpriced_and_so_nothing_is_compared(
    compared: tuple[pd.DataFrame, str],
) -> None:
    frame, said = compared
    for block in ("head", "total"):
        assert frame.loc[block, ["ssa_pj", "saving", "ratio"]].isna().all()
        assert frame.loc[block, "unpriced"] == "mac"
    assert "Without a price, so in no sum of ssa on loihi: mac" in said


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ("", "the following arguments are required: --hw"),
        ("--asa-hw 45nm", "needs --ssa-hw too"),
        ("--ssa-hw 45nm", "needs --asa-hw too"),
        ("--asa-hw 45nm --ssa-hw 45nm", "45nm on both sides is one machine"),
        ("--asa-hw 45nm --ssa-hw loihi --hw 7nm", "--hw prices both sides"),
        ("--asa-hw 45nm --ssa-hw loihi --accounting lemaire", "by --accounting bill alone"),
    ],
)
def test_what_is_no_pair_is_refused(
    flags: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(f"price c.csv {flags}".split()) == 2
    assert says in capsys.readouterr().err
