from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from reports.kit import palette

REPORTS = Path(palette.__file__).parents[1]

#: What people see who lack one kind of cone: Machado, Oliveira, Fernandes 2009, table 1,
#: severity 1, on linear RGB.
SIGHT = {
    "all cones": np.eye(3),
    "no red cones": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "no green cones": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "no blue cones": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


def lab(colour: str, sight: np.ndarray) -> np.ndarray:
    """A colour in CIE L*a*b* under D65, as somebody sees it."""
    values = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    seen = np.clip(sight @ linear, 0, 1)
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    x, y, z = to_xyz @ seen / np.array([0.95047, 1.0, 1.08883])
    fx, fy, fz = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z))
    return np.array([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)])


@pytest.mark.parametrize("sight", SIGHT)
def test_models_and_parts_of_a_bill_differ_to_everybody(sight: str) -> None:
    seen = SIGHT[sight]
    for together in (
        (palette.ANALOG, palette.SPIKING, palette.ZONES),
        (palette.ANALOG, palette.SPIKING, *palette.GROUP_COLOURS.values()),
        (*palette.STORED_COLOURS.values(), palette.GROUP_COLOURS["compute"]),
    ):
        for one, other in combinations(together, 2):
            apart = float(np.linalg.norm(lab(one, seen) - lab(other, seen)))
            assert apart > 12, (one, other)  # 2.3 is just noticeable


def test_grey_tells_both_models_apart() -> None:
    slate, blue = (lab(x, SIGHT["all cones"])[0] for x in (palette.ANALOG, palette.SPIKING))
    assert slate > blue + 15


def test_a_colour_has_one_meaning() -> None:
    meanings = [palette.ANALOG, palette.SPIKING, palette.ZONES, palette.LOW, palette.HIGH]
    meanings += palette.GROUP_COLOURS.values()
    meanings += {*palette.COMPONENT_COLOURS.values()}
    assert len(meanings) == len({x.upper() for x in meanings})


def test_no_picture_has_a_colour_of_its_own() -> None:
    named = "white|black|gr[ae]y|red|blue|green"
    own = re.compile(rf'"(#[0-9A-Fa-f]{{3,8}}|{named}|tab:\w+|C\d|0\.\d+)"')
    found = {
        str(path): own.findall(path.read_text(encoding="utf-8"))
        for path in REPORTS.rglob("*.py")
        if path.name != "palette.py" and "matplotlib" in path.read_text(encoding="utf-8")
    }
    assert len(found) > 15
    assert {name: colours for name, colours in found.items() if colours} == {}


def test_the_page_draws_both_models_in_the_colours_of_its_theme() -> None:
    style = (REPORTS / "page" / "assets" / "style.css").read_text(encoding="utf-8")
    assert ".bar.asa { background: var(--analog); }" in style
    assert ".bar.ssa { background: var(--accent); }" in style
