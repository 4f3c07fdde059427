from __future__ import annotations

import csv
import io
from pathlib import Path

from matplotlib.image import imread

from hwmodels import load_profile
from reports.roofline import ROOFLINE_COLUMNS, Roofline, TokenCost, roofline_csv, write_rooflines


def made(hw: str = "45nm", **changes: object) -> Roofline:
    """One decade per factor 16 of the context; weights shared by the batch."""
    costs = tuple(
        TokenCost(variant, batch, context, 2e6, 8e8 / batch, 1e5 * context, 3e4 + batch, ("exp",))
        for variant in ("asa", "ssa")
        for batch in (1, 8, 64)
        for context in (1, 16, 256, 1000)
    )
    facts: dict[str, object] = {
        "profile": load_profile(hw),
        "dataflow": "layerwise",
        "costs": costs,
        "crossings": {("asa", 64): 126},
        "title": "tiny, weights random(seed=0), T = 4",
        "model": "tiny",
        "weights": "random(seed=0)",
        "timesteps": 4,
        "rates": "measured in prefill",
    }
    return Roofline(**{**facts, **changes})  # type: ignore[arg-type]


def test_the_columns_are_frozen() -> None:
    assert ",".join(ROOFLINE_COLUMNS) == (
        "hw,dataflow,variant,batch,context,arithmetic_pj_per_token,weights_pj_per_token,"
        "kv_cache_pj_per_token,other_traffic_pj_per_token,unpriced,timesteps,spike_rates,model,"
        "weights"
    )
    rows = list(csv.DictReader(io.StringIO(roofline_csv([made()]))))
    assert len(rows) == 24
    assert rows[5] == {
        "hw": "45nm",
        "dataflow": "layerwise",
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


def test_what_has_no_price_is_an_empty_cell_and_no_memory() -> None:
    cost = TokenCost("ssa", 1, 1, None, 3.0, None, 1.0, ("mac", "kv_read_bytes"))
    assert cost.memory == 4.0
    text = roofline_csv([made(costs=(cost,))])
    assert ",ssa,1,1,,3.0,,1.0,mac kv_read_bytes,4," in text


def test_files_are_written_for_each_hardware(tmp_path: Path) -> None:
    files = write_rooflines([made(), made("7nm")], tmp_path)
    names = ["roofline.csv"]
    names += [f"roofline_{hw}.{suffix}" for hw in ("45nm", "7nm") for suffix in ("png", "svg")]
    assert [path.name for path in files] == names
    assert imread(tmp_path / "roofline_45nm.png").shape[1] == 1400  # 7 inches at 200 dots


def test_the_same_roofline_gives_the_same_bytes(tmp_path: Path) -> None:
    first = [path.read_bytes() for path in write_rooflines([made()], tmp_path)]
    assert [path.read_bytes() for path in write_rooflines([made()], tmp_path)] == first


def test_without_rooflines_nothing_is_written(tmp_path: Path) -> None:
    assert write_rooflines([], tmp_path) == []
    assert list(tmp_path.iterdir()) == []
