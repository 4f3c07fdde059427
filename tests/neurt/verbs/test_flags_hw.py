from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from neurt.verbs.flags_hw import add_hw_commands

NAMES = ("list", "show", "diff", "new", "validate", "schema")


def parsed(*words: str) -> dict[str, Any]:
    top = argparse.ArgumentParser()
    handlers = {name: (lambda _request, name=name: None) for name in NAMES}
    add_hw_commands(top.add_subparsers(required=True), handlers)
    request = vars(top.parse_args(["hw", *words]))
    assert request.pop("run") is handlers[words[0]]
    return request


@pytest.mark.parametrize(
    ("words", "request_"),
    [
        (["list"], {}),
        (["schema"], {}),
        (["show", "45nm"], {"name": "45nm"}),
        (["diff", "45nm", "mine.toml:int8"], {"a": "45nm", "b": "mine.toml:int8"}),
        (["validate", "mine.toml"], {"file": Path("mine.toml")}),
        (["new", "mine"], {"name": "mine", "extends": None, "out": None, "force": False}),
        (
            ["new", "mine", "--extends", "45nm", "--out", "a/mine.toml", "--force"],
            {"name": "mine", "extends": "45nm", "out": Path("a/mine.toml"), "force": True},
        ),
    ],
)
def test_words_become_a_request(words: list[str], request_: dict[str, Any]) -> None:
    assert parsed(*words) == request_


@pytest.mark.parametrize("words", [["diff", "45nm"], ["new"], ["show"], ["validate"], []])
def test_a_word_that_is_missing(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed(*words)
    assert "required" in capsys.readouterr().err
