from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from energy.literature.claims import ClaimError
from hwmodels import ProfileError
from neurt.cli import main
from reports.kit.files import OutputError

CLAIMS = """\
model,hw,ann_ops,ann_energy_mj,snn_ops,snn_energy_mj,ac_pj,time_ns
ViT-B,,55.4e9,254.84,,,,
FWformer,,,,0.951e9,0.415,,
Loihi,loihi,,,,,27.1,3.5
"""


@pytest.fixture
def check(tmp_path: Path, command: Callable[..., str]) -> Callable[..., str]:
    def run(*words: object, text: str = CLAIMS) -> str:
        (tmp_path / "claims.csv").write_text(text, encoding="utf-8")
        return command("check", tmp_path / "claims.csv", *words)

    return run


def test_findings_are_printed_and_written(tmp_path: Path, check: Callable[..., str]) -> None:
    out = tmp_path / "findings.csv"
    said = check("--out", out)
    assert "2 of 3 claims flagged" in said
    assert "27.1 pJ per AC is 23.6 pJ + 3.5 ns" in said
    assert f"Written to {out}" in said
    assert out.read_text(encoding="utf-8").count("\n") == 4


def test_the_prices_are_those_asked_for(check: Callable[..., str]) -> None:
    # 3.2 pJ x 1 G = 3.2 mJ
    text = "model,ann_ops,ann_energy_mj\nm,1e9,3.2\n"
    assert "0 of 1 claims flagged" in check("--hw", "45nm-int32", text=text)


@pytest.mark.parametrize(
    ("text", "words", "error"),
    [
        ("model\n", [], ClaimError),
        (CLAIMS, ["--hw", "abacus"], ProfileError),
        (CLAIMS.replace("loihi", "abacus"), [], ProfileError),
        (CLAIMS, ["--out", "/dev/null/findings.csv"], OutputError),
    ],
)
def test_nothing_is_printed_of_a_request_that_fails(
    check: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
    text: str,
    words: list[str],
    error: type[Exception],
) -> None:
    with pytest.raises(error):
        check(*words, text=text)
    assert capsys.readouterr().out == ""


def test_findings_are_not_replaced_unasked(tmp_path: Path, check: Callable[..., str]) -> None:
    out = tmp_path / "findings.csv"
    out.write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match=r"already holds a file findings.csv"):
        check("--out", out)
    assert out.read_text(encoding="utf-8") == "mine"
    check("--out", out, "--force")
    assert "FWformer" in out.read_text(encoding="utf-8")


def test_what_was_understood_of_claims_is_said(check: Callable[..., str]) -> None:
    # 0.9 pJ x 2.75 G = 2.475 mJ
    said = check(text="Model;snn_ops;snn_energy_mj\nx;2,75G;2,48\n")
    assert "'2,75G' is 2,750,000,000, '2,48' is 2.48." in said
    assert "0 of 1 claims flagged" in said


@pytest.mark.parametrize("read", ["claims.csv", "chip.toml"])
def test_what_is_read_is_never_replaced(
    read: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("claims.csv").write_text("model,ann_ops\nm,1\n", encoding="utf-8")
    Path("chip.toml").write_text('extends = "45nm"\n', encoding="utf-8")
    before = Path(read).read_bytes()
    assert main(["check", "claims.csv", "--hw", "chip.toml", "--out", read, "--force"]) == 1
    assert f"'{read}' is read" in capsys.readouterr().err
    assert Path(read).read_bytes() == before
