from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.literature.lemaire import (
    MEMORIES,
    PARTS,
    PRINTED,
    VARIANTS,
    Costs,
    LemaireError,
    Terms,
    piecewise_pj,
    qualia_pj,
)
from hwmodels import load_profile

COUNT = st.integers(0, 10**9)
TERMS = st.builds(
    Terms,
    *[COUNT] * 9,
    in_words=st.just(1000),
    weight_words=COUNT,
    potential_words=COUNT,
    out_words=COUNT,
)


@pytest.mark.parametrize(
    ("size_bytes", "pj"),
    [
        (0, 0.0),
        (4000, 4.8828125),  # the FIFO of 1000 words: 10 * 4000 / 8192
        (8 * 1024, 10.0),
        (20 * 1024, 15.0),  # half way from 8 to 32 KiB
        (32 * 1024, 20.0),
        (528 * 1024, 60.0),  # half way from 32 KiB to 1 MiB
        (1024 * 1024, 100.0),
        (64 * 1024 * 1024, 100.0),  # banks of 1 MiB
    ],
)
def test_an_access_costs_more_in_a_larger_memory(size_bytes: int, pj: float) -> None:
    assert piecewise_pj(size_bytes // 4) == pytest.approx(pj, rel=1e-15)


def test_qualia_fits_a_line_with_a_floor() -> None:
    assert qualia_pj(0) == 13.2
    assert qualia_pj(1000) == pytest.approx(1.09e-5 * 1000 * 32 + 13.2)
    assert {"piecewise": piecewise_pj, "qualia": qualia_pj} == MEMORIES


def test_each_part_is_counts_times_prices() -> None:
    # Memories of 2048 and 8192 words are 8 and 32 KiB: 10 and 20 pJ per access.
    terms = Terms(
        mac=1,
        acc=2,
        read_in=3,
        read_weights=4,
        potentials=5,
        write_out=6,
        address_mac=7,
        address_acc=8,
        append=9,
        in_words=2048,
        weight_words=8192,
        potential_words=2048,
        out_words=8192,
    )
    assert terms.parts_pj(Costs()) == pytest.approx(
        {
            "operations": 2 * 0.1 + 1 * 3.2,
            "addressing": 8 * 0.1 + 7 * 3.2,
            "in_out": 3 * 10 + 6 * 20,
            "weights": (4 + 9) * 20,
            "potentials": 2 * 5 * 10,  # each is read and written
        }
    )
    assert terms.pj(Costs()) == pytest.approx(0.2 + 3.2 + 0.8 + 22.4 + 150 + 260 + 100)


@given(TERMS, st.floats(0, 10), st.floats(0, 10), st.floats(0, 100))
def test_energy_is_linear_in_the_prices(
    terms: Terms, add: float, mul: float, factor: float
) -> None:
    scaled = Costs(factor * add, factor * mul, lambda words: factor * piecewise_pj(words))
    once = terms.pj(Costs(add, mul))
    assert terms.pj(scaled) == pytest.approx(factor * once, rel=1e-9, abs=1e-9)
    # One price at a time: E(add, mul) = E(add, 0) + E(0, mul) - E(0, 0).
    apart = terms.pj(Costs(add, 0)) + terms.pj(Costs(0, mul)) - terms.pj(Costs(0, 0))
    assert once == pytest.approx(apart, rel=1e-9, abs=1e-6)


@given(TERMS)
def test_the_parts_are_the_whole(terms: Terms) -> None:
    parts = terms.parts_pj(Costs())
    assert tuple(parts) == PARTS
    assert sum(parts.values()) == terms.pj(Costs())


def test_nothing_costs_nothing() -> None:
    assert Terms().pj(Costs()) == 0


def test_the_arithmetic_may_be_that_of_a_profile() -> None:
    costs = Costs.of(load_profile("45nm"), "qualia")
    assert (costs.add_pj, costs.mul_pj, costs.word_pj) == (0.9, 3.7, qualia_pj)


def test_the_costs_of_the_paper_are_those_of_45_nm_int32() -> None:
    assert Costs.of(load_profile("45nm-int32")) == Costs()


def test_a_profile_without_additions_is_named() -> None:
    with pytest.raises(LemaireError, match=r"profile 'loihi' has no price for 'add'.*45nm-int32"):
        Costs.of(load_profile("loihi"))


def test_an_unknown_memory_is_named() -> None:
    with pytest.raises(LemaireError, match=r"memory 'dram' is not known; known are piecewise, qu"):
        Costs.of(load_profile("45nm"), "dram")


def test_the_variants_by_name() -> None:
    assert set(VARIANTS) == {"lemaire", "lemaire-printed"}
    assert VARIANTS["lemaire-printed"] is PRINTED
