from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from hwmodels import load_profile
from hwmodels.catalog import check_profile
from hwmodels.doubts import ProfileWarning

LEVEL = """
[memory.{}]
read_pj_per_byte = 1.0
write_pj_per_byte = 3.0
source = "a bench"
evidence = "measured"
"""
HOP = '\n[prices.spike_hop]\npj = 3.5\nsource = "a bench"\nevidence = "measured"\n'
CORE = '\n[core]\nsynapses = 65536\nneurons = 256\nsource = "a bench"\nevidence = "measured"\n'
AC = '\n[prices.ac]\npj = 0.9\nsource = "a bench"\nevidence = "measured"\n'
MAC_OF_INT4 = 'prices.mac = { pj = 0.1, source = "a bench", evidence = "measured" }\n'


def doubts_of(path: Path) -> list[str]:
    return [doubt for checked in check_profile(path) for doubt in checked.doubts]


def test_a_level_that_no_buffer_may_use_is_named(good: str, written: Callable[[str], Path]) -> None:
    unused = "memory.flash is used by nothing: name it in `placement`, or take it out"
    assert doubts_of(written(good + LEVEL.format("flash"))) == [unused]
    # without a placement no buffer may use any, so all traffic is unpriced
    bare = good.replace('[placement]\nweights = "ram"\n', "")
    assert doubts_of(written(bare + LEVEL.format("flash"))) == [
        "memory.ram is used by nothing: name it in `placement`, or take it out",
        unused,
    ]
    assert (
        doubts_of(written(good.replace('"ram"', '["ram", "flash"]') + LEVEL.format("flash"))) == []
    )


def test_levels_that_are_inherited_are_no_slip_of_the_heir(written: Callable[[str], Path]) -> None:
    # hbm2 of 7nm is for those who extend it
    assert doubts_of(written('extends = "7nm"\n')) == []
    assert doubts_of(written('extends = "7nm"' + LEVEL.format("flash"))) == [
        "memory.flash is used by nothing: name it in `placement`, or take it out"
    ]


def test_hops_are_priced_where_cores_say_how_far_spikes_go(
    good: str, written: Callable[[str], Path]
) -> None:
    [doubt] = doubts_of(written(good + HOP))
    assert doubt == (
        "prices.spike_hop is never charged: without [core], which says what a core holds, no "
        "spike is routed"
    )
    assert doubts_of(written(good + HOP + CORE)) == []


def test_an_addition_of_another_precision_is_named(
    good: str, written: Callable[[str], Path]
) -> None:
    int4 = f"\n[precisions.int4]\nvalue_bytes = 0.5\n{MAC_OF_INT4}"
    assert doubts_of(written(good + AC + int4)) == [
        "ac: priced as in 'fp32', though its precision is 'int4'; price them, or name them in "
        "`unpriced`"
    ]
    assert doubts_of(written(good + AC + int4 + 'unpriced = ["ac"]\n')) == []


def test_a_doubt_is_one_line_wherever_the_profile_is_used(
    good: str, written: Callable[[str], Path]
) -> None:
    path = written(good + LEVEL.format("flash") + HOP)
    with pytest.warns(ProfileWarning) as said:
        load_profile(path)
    sentences = [str(one.message) for one in said]
    assert [sentence.partition(": ")[0] for sentence in sentences] == [
        f"hardware profile '{path}'"
    ] * 2
    assert all("\n" not in sentence and len(sentence) <= 300 for sentence in sentences)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_profile(written(good))


def test_a_near_level_that_is_dearer_than_the_one_behind_it_is_named(
    good: str, written: Callable[[str], Path]
) -> None:
    for levels, found in (('["ram", "flash"]', []), ('["flash", "ram"]', ["flash"])):
        dear = LEVEL.format("flash").replace("1.0", "500")
        doubts = doubts_of(written(good.replace('"ram"', levels) + dear))
        assert [doubt.split()[0] for doubt in doubts] == [f"memory.{name}" for name in found]


def test_a_range_that_leaves_out_the_reuse_is_named(written: Callable[[str], Path]) -> None:
    fetch = "pj_per_byte = 1.25\nmac_reuse = 64\nevent_reuse = 100\nreuse_range = [100, 4096]\n"
    cited = 'source = "a bench"\nevidence = "measured"\n'
    assert doubts_of(written(f'extends = "45nm"\n[delivery]\n{fetch}{cited}')) == [
        "delivery.reuse_range is 100 to 4096, which leaves out mac_reuse 64; give a range that "
        "holds it"
    ]
