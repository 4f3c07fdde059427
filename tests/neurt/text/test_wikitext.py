from __future__ import annotations

import random

import pytest

from neurt.text import data
from neurt.text.data import detokenised, packaged_text


@pytest.mark.parametrize(
    ("apart", "together"),
    [
        ("a well @-@ known man", "a well-known man"),
        ("10 @,@ 000 @,@ 000 men", "10,000,000 men"),
        ("3 @.@ 5 metres", "3.5 metres"),
        ("He came , saw . He left", "He came, saw. He left"),
        ("why ? here : so ; there ! on", "why? here: so; there! on"),
        ("the song ( from 1999 ) is", "the song (from 1999) is"),
        ("quoted [ sic ] here", "quoted [sic] here"),
        ("a set { 1 } here", "a set {1} here"),
        ('called " Senjō no " there', 'called "Senjō no" there'),
        ("the king 's men", "the king's men"),
        ("the players ' goals", "the players' goals"),
        ("a ' word ' here", "a 'word' here"),
        (" = Valkyria Chronicles III = \n", " = Valkyria Chronicles III =\n"),
        (" = = Plot = = \n", " == Plot ==\n"),
        (" = = = Cast = = = \n", " === Cast ===\n"),
        (" = = = = Home = = = = \n", " ==== Home ====\n"),
        ("at 20 ° C", "at 20°C"),
        ("one \n two", "one\ntwo"),
        ("an <unk> word", "an <unk> word"),
        (" \n = Robert = \n \n Robert <unk> is", "\n= Robert =\n\nRobert <unk> is"),
    ],
)
def test_what_stands_apart_is_put_together(apart: str, together: str) -> None:
    assert detokenised(apart) == together


@pytest.mark.parametrize(
    "prose",
    [
        "",
        "Call me Ishmael.",
        "well-known, 10,000 men; 3.5 metres (in 1999) [sic]: why?",
        "x @ y, a = b, a - b, 1 , 2.".replace(" ,", ","),
        "a_b\tc  d",  # other white space is left alone
        "Käse, 鯨! \u2013 \u201cso\u201d",
    ],
)
def test_prose_stays_as_it_is(prose: str) -> None:
    assert detokenised(prose) == prose


def test_a_passage_of_the_data_set_becomes_prose_once_and_for_all() -> None:
    apart = (
        " = Valkyria Chronicles III = \n \n Senjō no Valkyria 3 : <unk> Chronicles ( Japanese : "
        "戦場 , lit . Valkyria ) , is a tactical role @-@ playing game 's sequel , sold 1 @,@ 500 "
        "copies . \n"
    )
    prose = detokenised(apart)
    assert prose == (
        " = Valkyria Chronicles III =\n\nSenjō no Valkyria 3: <unk> Chronicles (Japanese: 戦場, "
        "lit. Valkyria), is a tactical role-playing game's sequel, sold 1,500 copies.\n"
    )
    assert detokenised(prose) == prose


def test_prose_of_the_package_keeps_its_words_and_comes_out_the_same_twice() -> None:
    text = packaged_text("passage.txt")
    once = detokenised(text)
    assert detokenised(once) == once
    assert "".join(once.split()) == "".join(text.split())


@pytest.mark.parametrize("seed", range(5))
def test_nothing_but_spaces_and_the_signs_of_joining_ever_goes(seed: int) -> None:
    draw = random.Random(seed)
    signs = ["@-@", "@,@", "@.@", *"()[]{}\"':;.!?,=°", "'s", "\n", "whale", "ships", "7"]
    text = " ".join(draw.choice(signs) for _ in range(400))

    def ink(written: str) -> str:
        return "".join(written.replace("@", "").split())

    assert ink(detokenised(text)) == ink(text)


@pytest.mark.parametrize("opened", ['"', "'", "(", "[", "{"])
def test_a_bracket_without_its_partner_is_left_alone(opened: str) -> None:
    text = f"so {opened} it goes"
    assert detokenised(text) == text


@pytest.mark.parametrize("opened", ['"', "'", "(", "[", "{"])
@pytest.mark.parametrize("filling", [" ", "\n", "{} ", " {}", "x ", "@ ", "= "])
def test_a_long_line_is_read_once(opened: str, filling: str) -> None:
    # For each mark that stays open, and each division of the white space behind it, a regular
    # expression would go through all of this again; it would not end in a lifetime.
    text = opened + filling.replace("{}", opened) * 200_000
    assert len(detokenised(text)) <= len(text)


def test_no_pattern_repeats_without_end() -> None:
    patterns = [pattern for pattern, _ in data._BEFORE + data._AFTER]
    assert not [pattern for pattern in patterns if set("*+{") & set(pattern)]
