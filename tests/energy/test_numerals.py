from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.numerals import MAX_NUMBER, NumeralError, Numerals


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("007", 7),
        ("2.5", 2.5),
        (".5", 0.5),
        ("3.0", 3),
        ("22.46e9", 22_460_000_000),
        ("1E+3", 1000),
        ("1,000,000", 1_000_000),
        ("1,234", 1234),  # in a file with commas between cells, a comma is no decimal one
        ("1 000 000", 1_000_000),
        ("1\u202f000\u00a0000", None),  # two kinds of blanks
        ("1\u202f000\u202f000", 1_000_000),
        ("1'000", 1000),
        ("1.234.567", 1_234_567),
        ("1,234.5", 1234.5),
        ("2.75G", 2_750_000_000),
        ("1.2M", 1_200_000),
        ("12 k", 12_000),
        ("4.12 GMac", 4_120_000_000),
        ("1,200.5K", 1_200_500),
        # None: no number
        ("1,5", None),
        ("1,00", None),
        ("0,125,000", None),
        ("1_000", None),
        ("+1", None),
        ("1m", None),  # a thousandth, or a million
        ("1e5k", None),
        ("0x10", None),
        ("٣", None),
        ("１２", None),
        ("1'000,000", None),
        ("1 000.5", 1000.5),
        ("--", None),
        ("", None),
        ("1" * 100, None),
        ("1e1000000000", None),
    ],
)
def test_a_number_is_read_exactly_or_not_at_all(text: str, value: float | None) -> None:
    if value is None:
        with pytest.raises(NumeralError, match="must be a number"):
            Numerals().read(text)
    else:
        assert Numerals().read(text) == value
        assert isinstance(Numerals().read(text), type(value))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,5", 1.5),
        ("0,125", 0.125),  # a group of three does not begin with 0
        ("1234,567", 1234.567),
        ("1,234,567", 1_234_567),
        ("1.234.567,5", 1_234_567.5),
        ("2,75G", 2_750_000_000),
        ("1 234,5", 1234.5),
    ],
)
def test_where_semicolons_part_cells_a_comma_may_part_a_fraction(text: str, value: float) -> None:
    assert Numerals(commas=True).read(text) == value


def test_a_comma_that_may_part_either_is_refused() -> None:
    with pytest.raises(NumeralError, match=r"may be 1234 or 1\.234; write it without marks"):
        Numerals(commas=True).read("1,234")


@pytest.mark.parametrize(
    "texts", [("1,5", "1,234,567"), ("1.234.567", "2.5"), ("2.5", "1.234.567")]
)
def test_a_mark_means_one_thing_in_a_table(texts: tuple[str, str]) -> None:
    numerals = Numerals(commas=True)
    numerals.read(texts[0])
    with pytest.raises(NumeralError, match="and other rows have it before"):
        numerals.read(texts[1])


@pytest.mark.parametrize("text", ["1e31", "9" * 40, "10000000000000000000T"])
def test_what_no_machine_does_is_refused(text: str) -> None:
    with pytest.raises(NumeralError, match="at most 1e30"):
        Numerals().read(text)


def test_a_suffix_of_bytes_may_be_1024() -> None:
    with pytest.raises(NumeralError, match="must be a number"):
        Numerals().read("12k", suffixes=False)


def test_what_was_understood_is_said_once_for_each_form() -> None:
    numerals = Numerals()
    assert [numerals.read(x) for x in ("1,000", "2,000", "2.75G", "7")] == [1000, 2000, 275e7, 7]
    assert numerals.said() == [
        "numbers as they were read: '1,000' is 1,000, '2.75G' is 2,750,000,000"
    ]
    assert numerals.rounded
    assert not Numerals().said()


@given(st.integers(0, MAX_NUMBER), st.sampled_from(",' \u202f"))
def test_any_whole_number_is_read_back_with_and_without_marks(number: int, mark: str) -> None:
    numerals = Numerals()
    assert numerals.read(str(number)) == number
    assert numerals.read(f"{number:,}".replace(",", mark)) == number


@given(st.floats(0, 1e30))
def test_any_fraction_is_read_back(number: float) -> None:
    assert float(Numerals().read(repr(number))) == number


@given(st.text(max_size=12))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    for commas in (False, True):
        with suppress(NumeralError):
            assert 0 <= Numerals(commas=commas).read(text.strip()) <= MAX_NUMBER
