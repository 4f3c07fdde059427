"""Python that becomes JavaScript: what it gives there, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from neurt.browser.closed_form import script
from neurt.browser.names import UntranslatedError
from neurt.browser.program import Translation

Evaluate = Callable[[str, Any], Any]

SIZES = {"small": (1, 2), "large": (3, 4)}


class Pair(NamedTuple):
    left: int
    right: int = 5

    @property
    def both(self) -> int:
        return self.left + self.right

    def times(self, factor: int, *, more: int = 0) -> int:
        return factor * self.both + more


def everything(name: str) -> list[Any]:
    first, *rest = SIZES.get(name, ())
    pair = Pair(first)._replace(right=7)
    total = 0
    for number in (*rest, pair.both):
        total += number if number > 2 else 0
    named = {key: value for key, (value, _) in SIZES.items() if value != 1}
    words = [f"{total:,} {name!r}", "a.b.c".rpartition(".")[2], ", ".join(named)]
    whole = [round(2.5), round(3.5), -7 // 2, -7 % 3, int(2.9), [1] * 2, 1 <= total < 99]
    return [*words, *whole, pair.times(2, more=1), total or "none", "x" in SIZES, sum(pair)]


def tries() -> int:
    while True:
        return 1


def test_what_python_gives_is_what_the_browser_gives(evaluate: Evaluate) -> None:
    program = Translation(())
    name = program.of(everything)
    code = f"(name) => {{ {program.text()} return {name}(name); }}"
    for given in SIZES:
        assert evaluate(code, given) == everything(given)


def test_what_is_not_known_is_refused_with_its_place() -> None:
    line = tries.__code__.co_firstlineno + 1
    with pytest.raises(UntranslatedError, match=rf"test_program, line {line}: .* made of While"):
        Translation(()).of(tries)


def test_the_same_closed_form_is_the_same_script() -> None:
    script.cache_clear()
    first = script()
    script.cache_clear()
    assert script() == first
    assert "</script" not in first
