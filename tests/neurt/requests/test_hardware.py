from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from energy.compare.structure import choices_of
from neurt.cli import main
from neurt.requests.hardware import Executed


def test_bits_of_an_operand_are_any_number_and_those_of_sums_are_whole() -> None:
    given = {"weights": "4", "activations": "12.5", "accumulators": "24"}  # as flags have them
    [profile] = Executed.model_validate({"hw": ("45nm",), "widths": given}).profiles()
    widths = profile.widths
    assert (widths.weights, widths.activations, widths.accumulators) == (4, 12.5, 24)
    with pytest.raises(ValidationError, match=r"accumulators=3.7: sums have whole bits; give 1 to"):
        Executed.model_validate({"hw": ("45nm",), "widths": {"accumulators": "3.7"}})


def test_a_reuse_that_was_chosen_is_no_uncertain_constant() -> None:
    [as_it_is] = Executed.model_validate({"hw": ("45nm",)}).profiles()
    [chosen] = Executed.model_validate({"hw": ("45nm",), "reuse": {"event": "1"}}).profiles()
    assert chosen.delivery is not None
    assert (chosen.delivery.mac_reuse, chosen.delivery.event_reuse) == (2048, 1)
    reuses = [
        {choice.constant.name for choice in choices_of(profile)} & {"delivery.event_reuse"}
        for profile in (as_it_is, chosen)
    ]
    assert reuses == [{"delivery.event_reuse"}, set()]


@pytest.mark.parametrize(
    ("widths", "words"),
    [
        ("weights=0", "the bits of weights must be at least 0.1, not 0"),
        ("weights=1e-9", "the bits of weights must be at least 0.1, not 1e-9"),
        ("kv=-1", "the bits of kv must be at least 0.1, not -1"),
        ("weights=65", "the bits of weights must be at most 64, not 65"),
        ("weight=4", "must be weights=BITS or"),
        ("kv=nan", "must be finite"),
        ("kv=inf", "must be finite"),
        ("weights=four", "must be"),
        ("weights", "must be weights=BITS or"),
        ("kv=", "kv=BITS or accumulators=BITS, not 'kv='"),
        ("weights=4,kv=0", "the bits of kv must be at least 0.1, not 0"),
        ("weights=4,kv=8,weights=5", "weights is given more than once"),
        ("weights=4,", "accumulators=BITS, not ''"),
        ("accumulators=3.7", "accumulators=3.7: sums have whole bits; give 1 to 64"),
        ("accumulators=0.5", "accumulators=0.5: sums have whole bits; give 1 to 64"),
        ("accumulators=0", "the bits of accumulators must be at least 0.1, not 0"),
        ("accumulators=65", "the bits of accumulators must be at most 64, not 65"),
        ("weights=33", "do not fit the arithmetic of '45nm', which takes 32"),
        ("activations=64", "do not fit the arithmetic of '45nm', which takes 32"),
        ("kv=32.5", "do not fit the arithmetic of '45nm', which takes 32"),
    ],
)
def test_widths_that_cannot_be_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], widths: str, words: str
) -> None:
    out = str(tmp_path / "run")
    status = main(
        ["plan", "--model", "gpt2-nano", "--hw", "45nm", "--widths", widths, "--out", out]
    )
    said = capsys.readouterr().err
    assert status == (1 if "45nm" in words else 2)  # 2: the words alone are wrong
    assert words in said
    assert said.count("\n") == 1
    assert len(said) <= 300
    assert "Traceback" not in said


def test_widths_are_those_of_the_tables_that_are_written(tmp_path: Path) -> None:
    words = ["plan", "--model", "gpt2-nano", "--hw", "45nm", "--pictures", "none", "--no-page"]
    given = ["--widths", "weights=4.156,kv=8", "--widths", "accumulators=24"]
    assert main([*words, *given, "--seq-len", "4", "--out", str(tmp_path / "run")]) == 0
    run = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    widths = run["hardware"]["45nm"]["profile"]["widths"]
    assert {name: widths[name] for name in ("weights", "kv", "accumulators")} == {
        "weights": 4.156,
        "kv": 8,
        "accumulators": 24,
    }
