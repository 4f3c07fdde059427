"""What pyproject.toml declares is what is installed and tested."""

from __future__ import annotations

import ast
import sys
import tomllib
from pathlib import Path
from typing import Any

import lowest
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
GROUPS: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
PACKAGES = ("hwmodels", "energy", "reports", "neurt")


def declared() -> list[Requirement]:
    """All requirements, those of extras too, that Python 3.11 is given."""
    extras = PROJECT["optional-dependencies"].values()
    words = [*PROJECT["dependencies"], *(word for extra in extras for word in extra)]
    found = [Requirement(word) for word in words]
    return [one for one in found if one.marker is None or one.marker.evaluate()]


def floors() -> dict[str, Version]:
    found: dict[str, Version] = {}
    for one in declared():
        for bound in one.specifier:
            assert bound.operator in (">=", "=="), f"{one}: a floor or a pin"
            floor = Version(bound.version)
            assert found.setdefault(canonicalize_name(one.name), floor) == floor, str(one)
    return found


def pins(name: str) -> dict[str, Version]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    words = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(package): Version(version) for package, version in words}


def test_the_lowest_versions_are_the_floors() -> None:
    # hwcomponents needs a later Python than CI has
    assert pins("constraints-lowest.txt") == {
        name: floor for name, floor in floors().items() if not name.startswith("hwcomponents")
    }


def test_the_newest_versions_are_no_lower() -> None:
    newest = pins("constraints.txt")
    for name, floor in floors().items():
        # What it does not pin has one version only, or follows from what it pins.
        assert newest.get(name, floor) >= floor, name


def test_a_lowest_version_has_its_tests() -> None:
    assert {*lowest.TESTS} == {*pins("constraints-lowest.txt")}
    for test in (*lowest.again(), *(x for tests in lowest.TESTS.values() for x in tests)):
        assert (ROOT / test).exists(), test


def test_what_is_as_new_as_above_is_not_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"constraints.txt": {"numpy": "2", "torch": "2"}}
    versions["constraints-lowest.txt"] = {"numpy": "1", "torch": "2"}
    monkeypatch.setattr(lowest, "pins", versions.__getitem__)
    again = lowest.again()
    assert "tests/energy/bill" in again  # which use numpy
    assert "tests/neurt/spiking" not in again  # which use torch
    versions["constraints-lowest.txt"]["torch"] = "1"
    assert "tests/neurt/spiking" in lowest.again()


def test_whatever_is_imported_is_declared() -> None:
    known = {canonicalize_name(one.name) for one in declared()}
    known |= {"pydantic-core", "yaml"}  # pydantic pins it; pyyaml has it
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [x.name for x in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for top in {name.partition(".")[0] for name in names} - {*PACKAGES}:
                if top not in sys.stdlib_module_names:
                    assert canonicalize_name(top) in known, f"{path.relative_to(ROOT)}: {top}"


def test_the_citation_is_that_of_this_version() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    # What the format (1.2.0) requires, and what it says twice.
    assert {"cff-version", "message", "title", "authors"} <= set(cited)
    assert cited["cff-version"] == "1.2.0"
    for key in ("version", "license"):
        assert str(cited[key]) == PROJECT[key]
    assert [x["name"] for x in cited["authors"]] == [x["name"] for x in PROJECT["authors"]]


def expanded(group: str) -> set[str]:
    found: set[str] = set()
    for one in GROUPS[group]:
        found |= {one} if isinstance(one, str) else expanded(one["include-group"])
    return found


@pytest.mark.parametrize("name", ["test", "docs"])
def test_a_group_is_the_extra_of_its_name(name: str) -> None:
    extras = PROJECT["optional-dependencies"]
    own = {f"neurt-energy[{extra}]": set(extras[extra]) for extra in extras}
    wanted = set[str]().union(*(own.get(one, {one}) for one in extras[name]))
    assert expanded(name) == wanted


def test_developers_have_what_tests_and_benchmarks_need() -> None:
    assert expanded("dev") > expanded("test") | {*PROJECT["optional-dependencies"]["bench"]}
