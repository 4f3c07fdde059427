from __future__ import annotations

import io
import re
from pathlib import Path

from rich.console import Console

from energy import Counts, Label, LayerCount, Tally
from hwmodels import Op, load_profiles
from reports.count.parts import amounts
from reports.count.run import CountRun
from reports.count.terminal import print_count

ROWS = (
    LayerCount(
        "h.0.fc", "Linear", Label("other", "fc", 0), 1, Tally({Op.MAC: 10**9}, 10**9, 0, 0, 10**8)
    ),
    LayerCount("h.1.fc", "Linear", Label("other", "fc", 1), 1, Tally({Op.MAC: 10**9}, 10**9)),
    LayerCount("norm", "LayerNorm", Label("head", "norm"), 1, Tally({Op.ADD: 8, Op.EXP: 7})),
    LayerCount("lm_head", "Linear", Label("head", "lm_head"), 1, Tally({Op.MAC: 2 * 10**9})),
)


def said(hw: str, rows: tuple[LayerCount, ...] = ROWS, details: bool = True) -> str:
    counts = Counts("asa", rows, "m[b]", "random(seed=0)", tokens=4, uncounted={"mul": 2, "add": 3})
    console = Console(file=io.StringIO(), width=132, soft_wrap=True)
    run = CountRun(counts, load_profiles([hw]), {}, {}, "now")
    print_count(run, console, details=details, written=[Path("out/count.json")])
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def row(text: str, name: str) -> list[str]:
    [line] = [line for line in text.splitlines() if line.startswith(f"{name}  ")]
    return re.split(r"\s{2,}", line.strip())[1:]


def test_each_part_has_its_counts_its_energy_and_its_share() -> None:
    text = said("45nm")
    assert "m[b], weights random(seed=0)" in text
    # 1e9 MACs x 4.6 pJ = 4.6 mJ; each 2,048 share a fetch of 4 bytes at 1.25 pJ: 2.4 uJ more
    half = ["9.2 mJ", "9.205 mJ", "9.205 mJ", "50.00 %", "50.00 %"]
    assert row(text, "  fc") == ["2,000,000,000", "0", "0", "0", *half]
    assert row(text, "  norm")[:2] == ["0", "15"]
    whole = ["18.4 mJ", "18.41 mJ", "18.41 mJ", "100.00 %", "100.00 %"]
    assert row(text, "model") == ["4,000,000,000", "15", "0", "0", *whole]
    assert "Per token on 45nm: 4.602 mJ fused, 4.602 mJ unfused (1,000,000,000 MACs).\n" in text
    assert "ASA without a price on 45nm: exp x 7 (" in text


def test_what_nobody_named_or_counted_is_said() -> None:
    text = said("45nm")
    assert (
        "Counted, but of no known part of the model: 2 of 4 layers, with 50.00 % of the MACs, "
        "under 'other': h.*.fc x 2.\n"
    ) in text
    assert "Uncounted element-wise operations (calls): add x 3, mul x 2.\n" in text
    assert "MACs with a zero activation in dense layers: 100,000,000 (5.00 % of all).\n" in text


def test_where_all_is_named_nothing_is_said_of_it() -> None:
    text = said("45nm", ROWS[2:])
    assert "no known part" not in text
    assert "zero activation" not in text


def test_without_a_price_nothing_is_zero() -> None:
    text = said("loihi")
    assert row(text, "  fc")[4:] == ["unpriced", "unpriced", "unpriced", "-", "-"]
    assert row(text, "  norm")[5:] == ["unpriced", "unpriced", "-", "-"]
    assert "Per token on loihi: unpriced, since its MACs have no price.\n" in text
    assert "mac x 4,000,000,000" in text


def test_without_details_the_answer_stands_below_the_blocks() -> None:
    text = said("45nm", details=False)
    assert row(text, "head")[0] == "2,000,000,000"
    assert "lm_head" not in text
    assert text.endswith(
        "Per token on 45nm: 4.602 mJ fused, 4.602 mJ unfused (1,000,000,000 MACs).\n"
        "If constants are off as far as sources differ (5 to 95 %): 3.73 mJ to 9.19 mJ per token "
        "fused, 3.73 mJ to 9.19 mJ per token unfused.\n"
        "Written to out: 1 file\n--details prints all parts\n"
    )


def test_amounts_are_macs_and_other_operations_and_no_traffic() -> None:
    tally = Tally({Op.MAC: 1, Op.ADD: 2, Op.EXP: 3, Op.WEIGHT_READ: 4, Op.KV_READ: 5})
    assert amounts(Counts("asa", (LayerCount("x", "X", tally=tally),))) == (1, 5)


def test_bytes_are_those_that_move_at_each_bound() -> None:
    moved = {Op.ADD: 8, Op.ACTIVATION_READ: 8, Op.ACTIVATION_WRITE: 8}
    norm = LayerCount("n", "LayerNorm", Label("head", "norm"), 1, Tally(moved))
    # fused, its values are on their way; unfused, 8 are read and 8 written, 4 bytes each
    assert row(said("45nm", (norm,)), "  norm")[2:4] == ["0", "64"]
