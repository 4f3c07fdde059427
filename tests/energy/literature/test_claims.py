from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from builders import refused

from energy.literature.claims import Claim, ClaimError, read_claims

Write = Callable[[str], Path]


@pytest.fixture
def written(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "claims.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_an_empty_cell_is_a_number_that_is_not_printed(written: Write) -> None:
    claims = read_claims(written("model,ann_ops,ratio,hw\nBERT, 22.46e9 ,,\nother,,2,loihi\n"))
    assert claims == [Claim("BERT", ann_ops=22.46e9), Claim("other", "loihi", ratio=2.0)]


def test_other_forms_are_understood_and_said(written: Write) -> None:
    said: list[str] = []
    claims = read_claims(written("Model;SNN Ops;ratio\nx;2,75G;1,5\n"), said.append)
    assert claims == [Claim("x", snn_ops=2.75e9, ratio=1.5)]
    assert [one.partition(": ")[2] for one in said] == [
        "columns read under another name: 'Model' is model, 'SNN Ops' is snn_ops",
        "numbers as they were read: '2,75G' is 2,750,000,000, '1,5' is 1.5",
    ]


def test_a_price_may_have_its_unit(written: Write) -> None:
    [claim] = read_claims(written("model,mac_pj,ac_pj\na,4.6 pJ/MAC,900 fJ/SOP\n"))
    assert (claim.mac_pj, claim.ac_pj) == (4.6, 0.9)
    with pytest.raises(ClaimError, match=r"line 2, column 'mac_pj' .* another operation, ac"):
        read_claims(written("model,mac_pj\na,0.9 pJ/SOP\n"))


def test_a_byte_order_mark_is_no_part_of_the_header(written: Write) -> None:
    assert read_claims(written("\ufeffmodel\nx\n")) == [Claim("x")]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "need the column 'model'"),
        ("ann_ops\n1\n", "need the column 'model'"),
        ("model\n", "a header but no rows"),
        (
            "model,colour\nx,red\n",
            "have a column 'colour'; known are model, hw, true_macs, ann_ops, ann_energy_mj, "
            "snn_ops, snn_macs, snn_energy_mj, spike_rate, timesteps, ratio, mac_pj, ac_pj",
        ),
        ("model,ratio,ratio\nx,1,1\n", "the column 'ratio' more than once"),
        ("model,ratio\nx\n", "line 2 has not the 2 columns"),
        ("model,ratio\nx,1,2\n", "line 2 has not the 2 columns"),
        ("model,ratio\nx,many\n", "line 2, column 'ratio' (= 'many') must be a number"),
        ("model,ratio\na,1\nx,-1\n", "line 3, column 'ratio' (= '-1') must not be negative"),
        ("model,ratio\nx,nan\n", "column 'ratio' (= 'nan')"),
        ("model,ratio\nx,inf\n", "column 'ratio' (= 'inf')"),
        ("model,ratio\n ,1\n", "line 2, column 'model' is empty"),
        ("model,ratio\nx,1_000\n", "line 2, column 'ratio' (= '1_000') must be a number"),
        ("model,snn_ops\nx,1e308\n", "column 'snn_ops' (= '1e308') must be at most 1e30"),
        *(
            (f"model,timesteps\nx,{steps}\n", f"(= {shown}) must be an integer from 1 to 100,000")
            for steps, shown in (("1e9", "1e+09"), ("0", "0"), ("1.5", "1.5"))
        ),
        ("model,ratio\nx,1\ny,1\nx,1\n", "line 4 is the same as line 2; leave one of them out"),
        ("model;ratio\nx;1,234\n", "column 'ratio' (= '1,234') may be 1234 or 1.234"),
        ('model,ratio\n"x,1\n', "not valid CSV"),
    ],
)
def test_a_bad_file_is_one_clear_line(written: Write, text: str, says: str) -> None:
    said = refused(ClaimError, read_claims, written(text))
    assert says in said
    assert "claims.csv" in said


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClaimError, match=r"missing\.csv' does not exist"):
        read_claims(tmp_path / "missing.csv")
    with pytest.raises(ClaimError, match="is a directory, and must be a regular file"):
        read_claims(tmp_path)
    latin = tmp_path / "latin.csv"
    latin.write_bytes(b"model\nH\xf6ppner\n")
    with pytest.raises(ClaimError, match="are not UTF-8 text at line 2, byte 7"):
        read_claims(latin)


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), 1e31])
def test_a_claim_has_finite_numbers(value: float) -> None:
    with pytest.raises(ClaimError, match="claim 'x': 'spike_rate'"):
        Claim("x", spike_rate=value)


def test_binary_spikes_are_at_most_one_per_neuron_and_time_step(tmp_path: Path) -> None:
    # 1.4 spikes of a neuron in 4 steps are a rate of 0.35.
    assert Claim("x", spike_rate=1.0).spike_rate == 1
    path = tmp_path / "claims.csv"
    path.write_text("model,spike_rate,timesteps\na,0.35,4\nb,1.4,4\n", encoding="utf-8")
    said = refused(ClaimError, read_claims, path)
    assert "line 3: claim 'b': 'spike_rate' (= 1.4) must be from 0 to 1" in said
