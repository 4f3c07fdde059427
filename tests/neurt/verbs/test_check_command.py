from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from energy.literature.claims import ClaimError
from hwmodels import ProfileError
from neurt.verbs import check_command
from reports.kit.files import OutputError

CLAIMS = """\
model,hw,ann_ops,ann_energy_mj,snn_ops,snn_energy_mj,ac_pj,time_ns
ViT-B,,55.4e9,254.84,,,,
FWformer,,,,0.951e9,0.415,,
Loihi,loihi,,,,,27.1,3.5
"""


def request(tmp_path: Path, text: str = CLAIMS, **changed: object) -> argparse.Namespace:
    path = tmp_path / "claims.csv"
    path.write_text(text, encoding="utf-8")
    asked = {"claims": path, "hw": "45nm", "tolerance": 0.02, "out": None}
    return argparse.Namespace(**asked | changed)


def test_findings_are_printed_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "findings.csv"
    check_command.run(request(tmp_path, out=out))
    said = capsys.readouterr().out
    assert "2 of 3 claims flagged" in said
    assert "27.1 pJ per AC is 23.6 pJ + 3.5 ns" in said
    assert f"Written to {out}" in said
    assert out.read_text(encoding="utf-8").count("\n") == 4


def test_the_prices_are_those_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # 3.2 pJ x 1 G = 3.2 mJ
    text = "model,ann_ops,ann_energy_mj\nm,1e9,3.2\n"
    check_command.run(request(tmp_path, text, hw="45nm-int32"))
    assert "0 of 1 claims flagged" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "changed", "error"),
    [
        ("model\n", {}, ClaimError),
        (CLAIMS, {"hw": "abacus"}, ProfileError),
        (CLAIMS.replace("loihi", "abacus"), {}, ProfileError),
        (CLAIMS, {"out": Path("/dev/null/findings.csv")}, OutputError),
    ],
)
def test_nothing_is_printed_of_a_request_that_fails(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    text: str,
    changed: dict[str, object],
    error: type[Exception],
) -> None:
    with pytest.raises(error):
        check_command.run(request(tmp_path, text, **changed))
    assert capsys.readouterr().out == ""
