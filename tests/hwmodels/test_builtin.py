# The numbers of the shipped profiles, against arithmetic on what their sources print.
from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files

import pytest

from hwmodels import Dataflow, Evidence, HardwareProfile, Op, load_profile, profile_names
from hwmodels.prices import Bandwidth, Cited, Throughput
from hwmodels.wholechip import Kind, Work

FILES = sorted(
    entry.name.removesuffix(".toml")
    for entry in files("hwmodels.builtin").iterdir()
    if entry.name.endswith(".toml")
)
PRECISIONS = ["45nm-fp16", "45nm-int8", "45nm-int32", "7nm-bf16", "7nm-int8"]
PRECISIONS += ["7nm-hbm2-bf16", "7nm-hbm2-int8"]
NAMES = [*FILES, *PRECISIONS]
PARTS = (Op.NEURON_ADD, Op.NEURON_MUL, Op.NEURON_CMP)


def cited(profile: HardwareProfile) -> Iterator[tuple[str, Cited]]:
    yield from ((str(op), price) for op, price in profile.prices.items())
    yield from profile.memory.items()
    yield from ((str(op), rate) for op, rate in profile.throughput.items())
    yield from ((figure.what, figure) for figure in profile.system)
    yield from ((f"bandwidth of {level}", fast) for level, fast in profile.bandwidth.items())
    if profile.whole_chip:
        yield from profile.whole_chip.costs
    if profile.delivery:
        yield "delivery", profile.delivery
    if profile.static_power:
        yield "static_power", profile.static_power
    if profile.core:
        yield "core", profile.core


def prices(name: str) -> dict[Op, float]:
    return {op: price.pj for op, price in load_profile(name).prices.items()}


def test_the_catalogue_is_complete() -> None:
    assert set(NAMES) <= set(profile_names())


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_is_called_as_it_is_found(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert profile.assumptions
    assert any(True for _ in cited(profile))


@pytest.mark.parametrize("name", NAMES)
def test_a_number_that_nobody_read_says_so_in_its_note(name: str) -> None:
    for what, number in cited(load_profile(name)):
        quoted = "secondary" in number.source
        if number.evidence is Evidence.UNVERIFIED and not quoted and "kerasspiking" not in name:
            assert number.note, what


@pytest.mark.parametrize("name", NAMES)
def test_no_two_precisions_share_a_title(name: str) -> None:
    titles = [load_profile(other).title for other in NAMES]
    assert titles.count(load_profile(name).title) == 1


@pytest.mark.parametrize(
    ("name", "mul", "add", "total"),
    [  # Horowitz 2014: multiply, add, and the addition of 32 bits that sums products and potentials
        ("45nm", 3.7, 0.9, 0.9),
        ("45nm-fp16", 1.1, 0.4, 0.9),
        ("45nm-int8", 0.2, 0.03, 0.1),
        ("45nm-int32", 3.1, 0.1, 0.1),
        # Jouppi 2021: products of BF16 add in FP32 (0.38), those of INT8 in INT32 (0.03)
        ("7nm", 1.31, 0.38, 0.38),
        ("7nm-bf16", 0.21, 0.11, 0.38),
        ("7nm-int8", 0.07, 0.007, 0.03),
    ],
)
def test_digital_prices_are_sums_of_the_tables(
    name: str, mul: float, add: float, total: float
) -> None:
    found = prices(name)
    assert found[Op.MUL] == mul
    assert found[Op.ADD] == found[Op.CMP] == add
    assert found[Op.AC] == total
    assert found[Op.MAC] == pytest.approx(mul + total)
    profile = load_profile(name)
    assert not profile.prices_updates  # a neuron is charged by what it does
    assert [profile.energy_pj(op) for op in PARTS] == [total, mul, total]


@pytest.mark.parametrize(
    ("name", "pj"),
    # 0.9 + 0.03 (sums of 32 bits, of FP16 too), 0.1 + 0.03, and the same at 7 nm with 0.007
    [
        ("45nm", 0.93),
        ("45nm-fp16", 0.93),
        ("45nm-int8", 0.13),
        ("45nm-int32", 0.13),
        ("7nm", 0.387),
        ("7nm-bf16", 0.387),
        ("7nm-int8", 0.037),
    ],
)
def test_a_shift_costs_an_addition_more(name: str, pj: float) -> None:
    assert prices(name)[Op.SHIFT_AC] == pytest.approx(pj)


def test_only_fp32_at_45_nm_divides() -> None:
    # 7.1 x 3.7 = 26.27
    assert prices("45nm")[Op.DIV] == pytest.approx(7.1 * 3.7)
    assert not [name for name in NAMES if name != "45nm" and Op.DIV in prices(name)]


@pytest.mark.parametrize(
    ("name", "accesses"),
    [("45nm", (10, 20, 100)), ("7nm", (7.5, 8.5, 14))],  # pJ per 64 bit
)
def test_memory_is_the_table_over_eight_bytes(name: str, accesses: tuple[float, ...]) -> None:
    for precision in (n for n in NAMES if n.split("-")[0] == name and "hbm2" not in n):
        profile = load_profile(precision)
        sram = profile.memory["sram"]
        sizes = (8 * 1024, 32 * 1024, 1024 * 1024)
        assert sram.curve == tuple(zip(sizes, (pj / 8 for pj in accesses), strict=True))
        assert sram.capacity_bytes == 24 * 1024 * 1024
        assert profile.memory["dram"].read_pj_per_byte == 1300 / 8
        assert set(profile.placement.values()) == {("sram", "dram")}
        assert profile.dataflow is Dataflow.LAYERWISE


def test_dram_may_cost_twice_as_much() -> None:
    # 1.3 to 2.6 nJ
    assert load_profile("45nm-int8").memory["dram"].spread == (1.0, 2.0)


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith("7nm")])
def test_nothing_of_the_7_nm_table_counts_as_read(name: str) -> None:
    numbers = [number for _, number in cited(load_profile(name))]
    energies = [x for x in numbers if not isinstance(x, Throughput | Bandwidth)]
    assert {number.evidence for number in energies} == {Evidence.UNVERIFIED}


def test_loihi_has_the_terms_of_its_paper() -> None:
    # hop: (3.0 + 4.0) / 2
    chip = load_profile("loihi")
    assert prices("loihi") == {
        Op.AC: 23.6,
        Op.NEURON_UPDATE: 81,
        Op.SPIKE: 1.7,
        Op.SPIKE_HOP: 3.5,
    }
    assert "3.5 ns" in chip.prices[Op.AC].note
    assert chip.core is not None
    assert chip.core.neurons * 128 == 131_072


def test_loihi_as_calibrated_adds_the_terms_of_each_operation() -> None:
    # 51.2 + 21.6, 69.3 + 111.0, (3.0 + 4.2) / 2
    assert prices("loihi-sanafe") == {
        Op.AC: 35.5,
        Op.NEURON_UPDATE: pytest.approx(51.2 + 21.6),
        Op.SPIKE: pytest.approx(69.3 + 111.0),
        Op.SPIKE_HOP: pytest.approx((3.0 + 4.2) / 2),
    }


@pytest.mark.parametrize(
    ("name", "printed", "elsewhere"),
    [
        ("truenorth", 26, [2.5]),
        ("odin", 12.7, [8.43, 54]),
        ("darwin3", 5.47, [4.9]),
        ("spinnaker2-hoppner2019", 450, [10]),
        ("spinnaker2-hoppner2021", 10, [450]),
    ],
)
def test_a_conflict_names_both_values(name: str, printed: float, elsewhere: list[float]) -> None:
    price = load_profile(name).prices[Op.AC]
    assert price.pj == printed
    assert [other.pj for other in price.others] == elsewhere


def test_the_two_spinnakers_name_each_other() -> None:
    for year, other in (("2019", "2021"), ("2021", "2019")):
        profile = load_profile(f"spinnaker2-hoppner{year}")
        assert f"spinnaker2-hoppner{other}" in profile.prices[Op.AC].others[0].source


def test_an_operation_on_seneca_is_the_sum_of_its_instructions() -> None:
    # load 3.7, store 3.9, ADD and MUL 1.4, GTH 1.2, shift 1.2; event 0.5 + 1.1 + 2.0
    chip, found = load_profile("seneca"), prices("seneca")
    update = 2 * 3.7 + 1.4 + 3.9
    assert update == pytest.approx(12.7)
    assert (3.7 + 3.7 + 3.9) / update == pytest.approx(0.89, abs=0.001)
    assert found[Op.AC] == pytest.approx(update)
    assert found[Op.MAC] == pytest.approx(update + 1.4)
    assert found[Op.SHIFT_AC] == pytest.approx(update + 1.2)
    assert found[Op.NEURON_UPDATE] == pytest.approx(3.7 + 1.4 + 3 * 1.4 + 1.2 + 3.9)
    assert found[Op.SPIKE] == pytest.approx(0.5 + 1.1 + 2.0)
    data = chip.memory["data_memory"]
    assert (data.read_pj_per_byte, data.write_pj_per_byte) == (3.7 / 2, 3.9 / 2)


def test_the_generic_core_moves_bits() -> None:
    # 0.25 pJ/bit dense, 3.0 pJ/bit sparse, 1300 pJ / 64 bit, and two of 0.05448
    chip = load_profile("generic-22nm")
    assert chip.memory["dense_move"].read_pj_per_byte == 8 * 0.25
    assert chip.memory["dram"].read_pj_per_byte == 1300 / 8
    assert chip.prices[Op.SPIKE].pj == 3.0
    assert chip.prices[Op.NEURON_UPDATE].pj == pytest.approx(2 * 0.05448)
    assert not chip.is_priced(Op.MAC)


def test_northpole_is_a_reference_without_a_price() -> None:
    # 672 W / 28,356 tokens/s = 23.7 mJ; 30 kW x 2.8 ms / 84 = 1.0 J
    chip = load_profile("northpole")
    assert not [op for op in Op if chip.is_priced(op)]
    small, large = chip.system
    assert small.value == pytest.approx(672 / 28_356 * 1e3, rel=1e-3)
    assert large.value == pytest.approx(30e3 * 2.8e-3 / 84 * 1e3)


@pytest.mark.parametrize(
    ("name", "op", "low", "high"),
    [
        ("loihi", Op.NEURON_UPDATE, 52, 81),
        ("loihi", Op.SPIKE_HOP, 3.0, 4.0),
        ("loihi-sanafe", Op.AC, 24.0, 35.5),
        ("loihi-sanafe", Op.NEURON_UPDATE, 51.2, 72.8),
        ("loihi-sanafe", Op.SPIKE_HOP, 3.0, 4.2),
        ("generic-22nm", Op.NEURON_UPDATE, 0.05448, 0.10896),
    ],
)
def test_a_range_ends_where_the_source_says(name: str, op: Op, low: float, high: float) -> None:
    price = load_profile(name).prices[op]
    assert price.spread is not None
    assert [price.pj * end for end in price.spread] == pytest.approx([low, high])


def test_nothing_known_to_be_wrong_is_a_price() -> None:
    # Loihi 27.1 (a time added), Loihi 0.9, "NEURO" 0.08, SpiNNaker 5.8 uJ, Innatera 0.2 pJ a spike
    wrong = {"loihi": (27.1, 0.9), "spinnaker": (5.8e6,), "": (0.08, 27.1)}
    for name in NAMES:
        for start, values in wrong.items():
            if name.startswith(start):
                assert not {prices(name).get(op) for op in (Op.AC, Op.MAC)} & set(values)


@pytest.mark.parametrize(("name", "points"), [("h100", 138), ("b200", 105)])
def test_a_fitted_chip_is_as_good_as_was_asked_for(name: str, points: int) -> None:
    chip = load_profile(name).whole_chip
    assert chip is not None
    assert (chip.fitted.points, chip.fitted.models) == (points, 10)
    assert sum(found.points for found in chip.left_out) == points

    def error(figure: str, *kinds: Kind) -> float:
        found = [x for x in chip.left_out if x.kind in (kinds or tuple(Kind))]
        return sum(x.points * getattr(x, figure) for x in found) / sum(x.points for x in found)

    limits = {"h100": (0.07, 0.10), "b200": (0.11, 0.15)}[name]
    assert error("energy", Kind.DENSE) <= limits[0]
    assert error("energy", Kind.EXPERTS) <= 0.20
    assert error("latency") <= limits[1]


@pytest.mark.parametrize(("name", "peak"), [("h100", 3.35e12), ("b200", 8e12)])
def test_a_fitted_time_of_a_byte_is_not_below_what_the_memory_can(name: str, peak: float) -> None:
    # Data sheets: 3.35 TB/s of an H100 SXM, 8 TB/s of a B200.
    chip = load_profile(name).whole_chip
    assert chip is not None
    assert 0.4 * peak < 1e12 / chip.latency[Work.WEIGHT_BYTE].ps < peak
