from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.font_manager import FontEntry, FontProperties, findfont, fontManager

from reports.kit import fonts
from reports.kit.fonts import FAMILY, advance, families_for
from reports.kit.style import save, sheet, styled, titled

#: U+1D49C, a calligraphic A, is in STIX, which matplotlib brings along, and not in DejaVu Sans.
SCRIPT = "\U0001d49c"


def bytes_of(name: str, path: Path) -> bytes:
    with styled():
        drawn = sheet(2, 2)
        drawn.body.subplots().set_yticks([0, 1], [name, "45nm"])
        titled(drawn, f"a {name}", "of a chip")
    save(drawn.figure, path)
    return path.read_bytes()


@pytest.mark.parametrize("name", ["模型", "芯片" * 60, "א", "\x1b[31m", "\U0010ffff", "🐋"])
@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_a_name_in_any_script_is_drawn_without_a_warning(
    tmp_path: Path, name: str, suffix: str
) -> None:
    # Warnings are errors here. There may be no font for it: boxes at worst.
    assert len(bytes_of(name, tmp_path / f"a.{suffix}")) > 1000


@pytest.mark.parametrize("name", ["$a_b$", r"\alpha", "a_b^c", "100 %", "a & b", "$", r"\$\frac"])
def test_a_name_is_never_taken_for_a_formula(tmp_path: Path, name: str) -> None:
    written = bytes_of(name, tmp_path / "a.svg").decode()
    assert name.replace("&", "&amp;") in written


def test_the_system_is_asked_for_what_the_usual_font_lacks_alone() -> None:
    assert families_for("Größe, λ and ∑") == [FAMILY]
    first, second = families_for(f"a {SCRIPT}")
    assert first == FAMILY
    assert fonts._has(findfont(FontProperties(family=[second])), SCRIPT)
    assert families_for("\U0010ffff") == [FAMILY]  # no character, so in no font


def test_a_font_that_is_gone_is_not_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gone = FontEntry(str(tmp_path / "gone.ttf"), "Gone", weight=400)
    monkeypatch.setattr(fontManager, "ttflist", [gone])
    fonts._fallback.cache_clear()
    try:
        assert families_for(SCRIPT) == [FAMILY]
    finally:
        fonts._fallback.cache_clear()


@given(st.characters())
@settings(max_examples=200)
def test_every_character_has_a_width(character: str) -> None:
    assert 0 <= advance(character, 8) <= 40


def test_the_settings_of_a_user_change_no_picture(tmp_path: Path) -> None:
    before = bytes_of("gpt2", tmp_path / "a.png")
    own = {"lines.linewidth": 9, "ytick.labelsize": 20, "savefig.bbox": "tight", "text.color": "r"}
    with mpl.rc_context(own):
        assert bytes_of("gpt2", tmp_path / "b.png") == before
        assert mpl.rcParams["lines.linewidth"] == 9


def test_the_font_comes_with_matplotlib() -> None:
    assert Path(findfont(FAMILY)).is_relative_to(mpl.get_data_path())


def test_control_characters_are_written_as_their_escapes(tmp_path: Path) -> None:
    evil = "a\x1b]0;b\u202ec"
    sheet_ = sheet(4, 3)
    axes = sheet_.body.subplots()
    axes.barh([0], [1], label=evil)
    axes.set_yticks([0], [evil])
    axes.set_title(evil)
    axes.legend()
    titled(sheet_, evil)
    save(sheet_.figure, tmp_path / "picture.svg")
    drawn = (tmp_path / "picture.svg").read_text(encoding="utf-8")
    assert not {"\x1b", "\u202e"} & set(drawn)
    # The tick, the titles of the axes and of the picture, the legend; and letters stay as they are.
    assert drawn.count(r"a\x1b]0;b\u202ec") == 4
