from __future__ import annotations

from pathlib import Path

import pytest
from maps import MIB, Costs, energy_map
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from reports.kit.pictures import Pictures
from reports.map.picture import CONTENDER_COLOURS, map_picture
from reports.map.write import write_maps


def fused(batch: int, context: int, bits: float, sram: int) -> Costs:
    """Dense at batch 4, zones at long contexts, spiking else."""
    if batch == 4:
        return 10.0, 11.0, 12.0
    return (10.0, 9.0, 9.5) if context > 128 else (10.0, 9.0, 7.26)


def colours(axes: Axes) -> list[str]:
    mesh, _ = axes.collections
    mesh.update_scalarmappable()
    return [to_hex(face).upper() for face in mesh.get_facecolor()]


def hatched(axes: Axes) -> list[tuple[float, float]]:
    found = [x for x in axes.patches if isinstance(x, Rectangle) and x.get_hatch()]
    return [(x.get_x(), x.get_y()) for x in found]


def test_a_panel_for_each_width_and_sram_a_colour_for_each_model() -> None:
    figure = map_picture(energy_map(fused))
    assert len(figure.axes) == 4
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "SRAM 1 MiB",
        "SRAM 24 MiB",
        "",
        "",
    ]
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert labels == ["weights 4.5 bits\nbatch", "", "weights 32 bits\nbatch", ""]
    dense, zones, spiking = CONTENDER_COLOURS.values()
    for axes in figure.axes:
        # From batch 1, at the bottom, upwards; contexts from left to right.
        assert colours(axes) == [spiking, zones, spiking, zones, dense, dense]
        assert [text.get_text() for text in axes.texts] == ["27", "10", "27", "10"]
        assert hatched(axes) == []
    ticks = [[x.get_text() for x in axes.get_xticklabels()] for axes in figure.axes]
    assert ticks == [[], [], ["128", "1,024"], ["128", "1,024"]]
    assert [x.get_text() for x in figure.axes[0].get_yticklabels()] == ["1", "2", "4"]
    [legend] = figure.subfigs[0].legends
    assert figure.get_suptitle().startswith("Spiking costs least in 8 of 24 cells fused, 8 unfused")
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["dense analog", "analog with zones", "spiking"]


def test_cells_of_which_the_other_bound_says_another_model_are_hatched() -> None:
    def unfused(batch: int, context: int, bits: float, sram: int) -> Costs:
        return (1.0, 2.0, 3.0) if batch == 2 and sram > MIB else fused(batch, context, bits, sram)

    figure = map_picture(energy_map(fused, unfused))
    assert [hatched(axes) for axes in figure.axes] == [[], [(0, 1), (1, 1)]] * 2
    assert figure.subfigs[0].legends[0].get_texts()[-1].get_text() == "another one, unfused"


def test_a_runner_up_that_costs_hardly_more_has_a_bar_in_its_colour() -> None:
    def close(batch: int, context: int, bits: float, sram: int) -> Costs:
        return (10.0, 9.0, 8.95) if batch == 2 else (10.0, 9.0, 8.9)  # 0.6 and 1.1 % less

    figure = map_picture(energy_map(close))
    for axes in figure.axes:
        _, bars = axes.collections
        places = [path.get_extents().min for path in bars.get_paths()]
        assert [(int(x), int(y)) for x, y in places] == [(0, 1), (1, 1)]
        assert {to_hex(x).upper() for x in bars.get_facecolor()} == {CONTENDER_COLOURS["zones"]}
    assert "bars: another model costs less than 1 % more" in figure.subfigs[0].get_suptitle()
    assert "bars" not in map_picture(energy_map(fused)).subfigs[0].get_suptitle()


def test_grey_tells_the_colours_apart() -> None:
    weights = (0.2126, 0.7152, 0.0722)
    greys = [
        sum(w * int(colour[i : i + 2], 16) / 255 for w, i in zip(weights, (1, 3, 5), strict=True))
        for colour in CONTENDER_COLOURS.values()
    ]
    dense, zones, spiking = greys
    assert zones > dense + 0.2 > spiking + 0.4


def test_what_has_no_price_is_said() -> None:
    title = map_picture(energy_map(fused, unpriced=("exp", "sqrt"))).subfigs[0].get_suptitle()
    assert "without a price, so not in the picture: exp, sqrt" in " ".join(title.split("\n"))


@pytest.mark.parametrize("pictures", Pictures)
def test_files(pictures: Pictures, tmp_path: Path) -> None:
    found = energy_map(fused, batches=[1], sram=[MIB])
    files = write_maps([found, found], tmp_path, pictures=pictures)
    ends = [f"map_{name}.{suffix}" for name in ("45nm", "45nm-2") for suffix in pictures.suffixes]
    assert [path.name for path in files] == ["map.csv", *ends]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in files)
