from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

from matplotlib.image import imread

from reports.roofline.roofline import Roofline, TokenCost
from reports.roofline.write import roofline_table, write_rooflines

Make = Callable[..., Roofline]


def test_a_row_is_a_token_at_a_context(make_roofline: Make) -> None:
    rows = list(csv.DictReader(io.StringIO(roofline_table([make_roofline()]).to_csv())))
    assert len(rows) == 2 * 24  # both bounds
    assert [row["fusion"] for row in rows] == ["fused"] * 24 + ["unfused"] * 24
    assert rows[24 + 5]["other_traffic_pj_per_token"] == "90008.0"
    assert rows[5] == {
        "hw": "45nm",
        "dataflow": "layerwise",
        "fusion": "fused",
        "variant": "asa",
        "batch": "8",
        "context": "16",
        "arithmetic_pj_per_token": "2000000.0",
        "weights_pj_per_token": "100000000.0",
        "kv_cache_pj_per_token": "1600000.0",
        "other_traffic_pj_per_token": "30008.0",
        "unpriced": "exp",
        "timesteps": "4",
        "spike_rates": "measured in prefill",
        "model": "tiny",
        "weights": "random(seed=0)",
    }


def test_what_has_no_price_is_an_empty_cell_and_no_memory(make_roofline: Make) -> None:
    cost = TokenCost("ssa", 1, 1, None, 3.0, None, 1.0, ("mac", "kv_read_values"))
    assert cost.memory == 4.0
    text = roofline_table([make_roofline(costs=(cost,))]).to_csv()
    assert ",ssa,1,1,,3.0,,1.0,mac kv_read_values,4," in text


def test_files_are_written_for_each_hardware(make_roofline: Make, tmp_path: Path) -> None:
    files = write_rooflines([make_roofline(), make_roofline("7nm")], tmp_path)
    names = ["roofline.csv"]
    names += [f"roofline_{hw}.{suffix}" for hw in ("45nm", "7nm") for suffix in ("png", "svg")]
    assert [path.name for path in files] == names
    assert imread(tmp_path / "roofline_45nm.png").shape[1] == 1400  # 7 inches at 200 dots


def test_the_same_roofline_gives_the_same_bytes(make_roofline: Make, tmp_path: Path) -> None:
    first = [path.read_bytes() for path in write_rooflines([make_roofline()], tmp_path)]
    assert [path.read_bytes() for path in write_rooflines([make_roofline()], tmp_path)] == first


def test_without_rooflines_nothing_is_written(tmp_path: Path) -> None:
    assert write_rooflines([], tmp_path) == []
    assert list(tmp_path.iterdir()) == []
