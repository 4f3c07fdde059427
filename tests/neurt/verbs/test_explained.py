from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pkgutil import walk_packages

import pytest

from energy.countsfile import CountsError
from hwmodels import ProfileError
from neurt.verbs.explained import _LAZY, explained
from reports.files import OutputError

NAMED = [(module, name) for module, names in _LAZY.items() for name in names]


@pytest.mark.parametrize(("module", "name"), NAMED, ids=lambda value: value)
def test_each_error_is_where_the_table_says_and_is_explained(module: str, name: str) -> None:
    kind = getattr(import_module(module), name)
    assert kind.__module__ == module
    assert issubclass(kind, Exception)
    assert explained(kind("a sentence"))


@pytest.mark.parametrize("kind", [CountsError, ProfileError, OutputError])
def test_errors_of_what_is_always_loaded_are_explained(kind: type[Exception]) -> None:
    assert explained(kind("a sentence"))


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), RuntimeError("x"), OSError("x")])
def test_an_error_of_nobody_is_a_bug(error: Exception) -> None:
    assert not explained(error)


def test_nothing_is_imported_to_tell() -> None:
    script = (
        "import sys\n"
        "from neurt.verbs.explained import explained\n"
        "print(explained(ValueError()), 'torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]


def test_no_error_of_ours_is_forgotten() -> None:
    unexplained = [
        name
        for room in ("hwmodels", "energy", "reports", "neurt")
        for module in walk_packages(import_module(room).__path__, f"{room}.")
        for name, kind in vars(import_module(module.name)).items()
        if isinstance(kind, type)
        and kind.__module__ == module.name
        and issubclass(kind, Exception)
        and not explained(kind("a sentence"))
    ]
    # convert() catches it and says the same as a ConversionError.
    assert unexplained == ["NeuronError"]
