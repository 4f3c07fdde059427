"""What the page of configurations does not do: it says so, with a command that does."""

from __future__ import annotations

import shlex
from pathlib import Path

from browsers import browser as browser
from config_pages import Opened
from config_pages import opened as opened
from config_pages import text as text

from hwmodels import load_profiles, profile_names
from neurt.verbs.commands import parse

SAID = "section[aria-labelledby=elsewhere-heading]"


def test_every_command_is_one(opened: Opened) -> None:
    tab = opened()
    commands = [shlex.split(one) for one in tab.locator(f"{SAID} dd code").all_inner_texts()]
    asked = [parse(words) for name, *words in commands if name == "neurt-energy"]
    assert len(asked) == len(commands)
    offered = {x.name for x in load_profiles(profile_names()) if x.whole_chip is None}
    elsewhere = {words[words.index("--hw") + 1] for words in commands if "--hw" in words}
    assert offered | elsewhere == {*profile_names()}
    assert any("FILE.gguf" in words for words in commands)


def test_a_gguf_file_is_told_what_reads_it(opened: Opened, tmp_path: Path) -> None:
    tab = opened()
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF\x03\x00\x00\x00" + b"\xff" * 1000)
    tab.locator("#file").set_input_files(path)
    tab.wait_for_function("document.getElementById('fault').innerText.includes('GGUF')")
    said = tab.locator("#fault").inner_text()
    assert "neurt-energy plan --model FILE.gguf --hw 45nm does" in said
    assert not tab.locator("#results").is_visible()
    assert tab.locator(SAID).is_visible()  # stays where nothing else is
    assert tab.locator("#config").input_value() == "GGUF"  # and not the whole file
