from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodels.plain import printable, quoted, several, shortened


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("gpt2", "gpt2"),
        ("模型 é", "模型 é"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("a\u202eb", r"a\u202eb"),  # would show b before a
        ("\x9b31m", r"\x9b31m"),  # the one-byte CSI
        ("two\nlines", r"two\nlines"),
        ("no break\u00a0space", "no break\u00a0space"),
    ],
)
def test_control_characters_are_written_as_their_escapes(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(max_size=400), st.integers(10, 100))
def test_a_shortened_text_is_at_most_its_limit_and_keeps_both_ends(text: str, limit: int) -> None:
    short = shortened(text, limit)
    assert len(short) <= max(limit, 0)
    assert (short == text) == (len(text) <= limit)
    assert text.startswith(short.partition("...")[0][:3])


def test_a_value_of_thousands_of_digits_can_be_named() -> None:
    assert quoted(10**5000) == "a number of thousands of digits"
    assert quoted("x" * 500) == "'" + "x" * 38 + "..." + "x" * 37 + "'"


def test_one_thing_is_no_plural() -> None:
    said = [several(n, "row") for n in (0, 1, 2, 2000)]
    assert said == ["0 rows", "1 row", "2 rows", "2,000 rows"]
    assert [several(n, "process") for n in (1, 3)] == ["1 process", "3 processes"]
