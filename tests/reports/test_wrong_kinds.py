from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import energy
import hwmodels
import reports
from energy import Counts, Label, LayerCount, Tally
from hwmodels import Dataflow, Op
from hwmodels.errors import UserError
from reports import Run

ROW = LayerCount("fc", "Linear", Label("ffn", "ffn_up", 0), 1, Tally({Op.MAC: 7}, 7))
COUNTS = Counts("asa", (ROW,), tokens=1)
PROFILE = hwmodels.load_profile("45nm")
BILL = energy.estimate(COUNTS, PROFILE)


def wrong(value: object) -> Any:
    return value


#: What a newcomer may write, and what is said of it.
CALLS: dict[str, tuple[Callable[[], object], str]] = {
    "a name for a profile": (
        lambda: energy.estimate(COUNTS, wrong("45nm")),
        "`profile` must be a HardwareProfile, and not '45nm'; `hwmodels.load_profile` makes one",
    ),
    "a list for counts": (
        lambda: energy.estimate(wrong([COUNTS]), PROFILE),
        "`counts` must be a Counts, and not",
    ),
    "a dataflow that is none": (
        lambda: energy.estimate(COUNTS, PROFILE, dataflow=wrong("layerwse")),
        "`dataflow` must be one of .* not 'layerwse'; did you mean 'layerwise'",
    ),
    "seconds as text": (
        lambda: energy.estimate(COUNTS, PROFILE, latency_s=wrong("1")),
        "`latency_s` must be a float or int, and not '1'",
    ),
    "a past": (
        lambda: energy.estimate(COUNTS, PROFILE, latency_s=-1),
        r"`latency_s` \(= -1\) must be at least 0",
    ),
    "counts for a list": (
        lambda: energy.bill_of(wrong(COUNTS), PROFILE),
        "`phases` must be a Sequence.*give a list of counts",
    ),
    "no phases": (lambda: energy.bill_of([], PROFILE), "`phases` is empty"),
    "a profile for a list": (
        lambda: energy.price_many(COUNTS, wrong(PROFILE)),
        "`profiles` must be a Sequence",
    ),
    "names for profiles": (
        lambda: energy.price_many(COUNTS, wrong(["45nm"])),
        "`profile` must be a HardwareProfile, and not '45nm'",
    ),
    "counts for bills": (
        lambda: energy.saving(wrong(COUNTS), BILL),
        "`asa` must be an Estimate, .* `energy.estimate` makes one",
    ),
    "a number for a name": (
        lambda: hwmodels.load_profile(wrong(3)),
        "`name_or_path` must be a str or Path, and not 3",
    ),
    "a name for a list": (
        lambda: hwmodels.load_profiles("45nm"),
        "`names` must be a list, and not '45nm'; `load_profile` loads one",
    ),
    "profiles for names": (
        lambda: hwmodels.load_profiles([wrong(PROFILE)]),
        "`names` must be a str or Path.*a profile needs no loading",
    ),
    "a name to change": (
        lambda: hwmodels.with_constants(wrong("45nm"), {"prices.mac": 1}),
        "`profile` must be a HardwareProfile, and not '45nm'",
    ),
    "a flag for constants": (
        lambda: hwmodels.with_constants(PROFILE, wrong("prices.mac=1pJ")),
        "`constants` must be a Mapping.*give values by key",
    ),
    "a name to price": (
        lambda: hwmodels.with_prices(wrong("45nm"), {}, name="mine"),
        "`profile` must be a HardwareProfile",
    ),
    "a directory for a run": (
        lambda: reports.write_report(wrong("runs/first"), "out"),
        "`run` must be a Run, and not 'runs/first'; .*`reports.read_run`",
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_kind_is_refused_in_a_sentence(name: str) -> None:
    call, said = CALLS[name]
    with pytest.raises(UserError, match=said) as caught:
        call()
    assert isinstance(caught.value, TypeError | ValueError)
    assert len(str(caught.value).splitlines()) == 1


def test_words_are_taken_for_what_they_name(make_run: Callable[..., Run], tmp_path: Path) -> None:
    by_word = energy.estimate(COUNTS, PROFILE, dataflow=wrong("event-driven"))
    assert by_word.dataflow is Dataflow.EVENT_DRIVEN
    run = make_run("45nm")
    files = reports.write_report(run, str(tmp_path / "out"), pictures="none", page=False)
    assert [path for path in files if path.suffix in (".png", ".svg")] == []
    assert reports.prepare_directory(str(tmp_path / "new")).is_dir()


def test_a_run_says_what_it_knows(make_run: Callable[..., Run], tmp_path: Path) -> None:
    run = make_run("45nm")
    with pytest.raises(UserError, match="must be one of none, png, svg, pdf, all, and not"):
        reports.write_report(run, tmp_path / "out", pictures="jpeg")
    with pytest.raises(UserError, match="`fit` must be one of one, two, and not 'three'"):
        run.to_latex("three")
    for call in (lambda: run.to_frame(wrong([])), lambda: run.plot("layers", wrong(PROFILE))):
        with pytest.raises(ValueError, match="known are"):
            call()
    with pytest.raises(UserError, match=r"is a \.png, \.svg or \.pdf, and the name 'abc'"):
        run.plot("components").save(tmp_path / "abc")
