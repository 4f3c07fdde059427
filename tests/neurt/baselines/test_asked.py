from __future__ import annotations

import pytest
from builders import refused
from hypothesis import given
from hypothesis import strategies as st

from neurt.baselines.asked import Asked, BaselineError, Kind, parse, parse_all
from neurt.requests.evaluate import EvaluateRequest
from neurt.requests.sweep import SweepRequest


@pytest.mark.parametrize(
    ("word", "kind", "number", "said"),
    [
        ("w8a8", Kind.W8A8, None, "w8a8"),
        ("w4a16", Kind.W4A16, None, "w4a16"),
        ("zones", Kind.ZONES, 1.0, "zones"),
        ("zones=1.5", Kind.ZONES, 1.5, "zones=1.5"),
        ("teal", Kind.TEAL, 0.4, "teal=0.4"),
        ("teal=.25", Kind.TEAL, 0.25, "teal=0.25"),
        ("wina=1e-1", Kind.WINA, 0.1, "wina=0.1"),
        ("twin", Kind.TWIN, None, "twin"),
        ("twin=4", Kind.TWIN, 4.0, "twin=4"),
    ],
)
def test_a_word_is_a_kind_and_its_number(
    word: str, kind: Kind, number: float | None, said: str
) -> None:
    assert parse(word) == Asked(kind, number)
    assert str(parse(word)) == said


@given(st.sampled_from(["teal", "wina"]), st.floats(1e-4, 0.9999))
def test_what_is_said_is_understood_again(kind: str, share: float) -> None:
    asked = parse(f"{kind}={share:g}")
    assert parse(str(asked)) == asked


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        (
            "tael",
            "baseline 'tael' is not known; known are w8a8, w4a16, zones, teal, wina, twin; did you "
            "mean 'teal'?",
        ),
        ("w8a8=3", "baseline 'w8a8' takes no number, not '3'; give w8a8"),
        (
            "teal=1",
            "baseline 'teal' takes a share above 0 and below 1, as in teal=0.4, not '1'",
        ),
        ("wina=0", "baseline 'wina' takes a share above 0 and below 1, as in wina=0.4, not '0'"),
        ("teal=", "baseline 'teal' takes a share above 0 and below 1, as in teal=0.4, not ''"),
        (
            "teal=nan",
            "baseline 'teal' takes a share above 0 and below 1, as in teal=0.4, not 'nan'",
        ),
        (
            "teal=-0.4",
            "baseline 'teal' takes a share above 0 and below 1, as in teal=0.4, not '-0.4'",
        ),
        (
            "zones=0",
            "baseline 'zones' takes a factor above 0 and at most 1e6, as in zones=1.5, not '0'",
        ),
        ("twin=2.5", "baseline 'twin' takes 1 to 16 whole bits, as in twin=4, not '2.5'"),
        ("twin=17", "baseline 'twin' takes 1 to 16 whole bits, as in twin=4, not '17'"),
    ],
)
def test_what_is_no_baseline_is_said_in_one_sentence(word: str, sentence: str) -> None:
    assert refused(BaselineError, parse, word) == sentence


def test_a_baseline_that_is_asked_for_twice_is_refused() -> None:
    assert refused(BaselineError, parse_all, ["teal", "w8a8", "teal=0.4"]) == (
        "baseline 'teal=0.4' is asked for twice, as 'teal' and 'teal=0.4'; keep one"
    )
    assert refused(BaselineError, parse_all, ["w8a8", "w8a8"]) == (
        "baseline 'w8a8' is asked for twice; keep one"
    )


@pytest.mark.parametrize("request_type", [EvaluateRequest, SweepRequest])
def test_requests_keep_them_as_they_are_understood(request_type: type[EvaluateRequest]) -> None:
    asked = request_type(model="gpt2-nano", baselines=("teal", "wina=.1", "zones=1"))
    assert asked.baselines == ("teal=0.4", "wina=0.1", "zones")
