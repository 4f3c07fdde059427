from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Container, Iterator
from graphlib import TopologicalSorter
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest

import energy
import hwmodels
import neurt

ROOT = Path(__file__).parents[1]

FORBIDDEN = {
    "hwmodels": {"energy", "reports", "neurt", "torch", "transformers", "pandas", "matplotlib"},
    "energy": {"reports", "neurt", "matplotlib"},  # pandas only late, see below
    "reports": {"neurt", "torch", "transformers"},
}

#: Rooms of each package from the lowest floor to the highest; those of one floor know nothing of
#: each other. The package itself (`__init__.py`) is above all of them, and no room imports it.
FLOORS: dict[str, tuple[set[str], ...]] = {
    "hwmodels": (
        {
            "builtin",
            "defined",
            "errors",
            "lazy",
            "measured",
            "ops",
            "plain",
            "template_text",
            "units",
        },
        {"each", "given"},
        {"dataflow", "inputs", "prices"},
        {"machine", "systems", "wholechip"},
        {"components", "profile"},
        {"compose", "diff", "doubts", "keys", "schema", "template", "usage"},
        {"document"},
        {"constants", "plugins"},
        {"catalog"},
        {"pair", "shelf"},
    ),
    "energy": (
        {"cells", "numerals", "words"},
        {"sheet", "table"},
        {"counts"},
        {"bill", "formulas", "frames", "layers", "literature", "serving"},
        {"compare", "meter"},
        {"network"},
    ),
    "reports": (
        {"kit"},
        {"run"},
        {"sources"},
        {"breakeven", "hardware", "literature", "map", "quality", "roofline"}
        | {"sensitivity", "serving", "sizes", "training"},
        {"reproduce", "views"},
        {"card"},
        {"count", "measured", "page", "shown"},
        {"compare", "config_page", "read", "write"},
    ),
    "neurt": (
        {"assets", "families", "hidden", "progress", "text", "version"},
        {"spiking"},
        {"baselines", "closed_form", "loading"},
        {"browser", "nir"},
        {"requests", "streaming"},
        {"measure"},
        {"evaluation", "learning"},
        {"grid"},
        {"verbs"},
        {"cli"},
    ),
}

HEAVY = {"torch", "transformers", "pandas", "matplotlib"}


def imported_packages(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("package", FORBIDDEN)
def test_a_package_imports_only_from_the_layers_below(package: str) -> None:
    offences = [
        f"{path.relative_to(ROOT)} imports {imported}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for imported in imported_packages(path.read_text(encoding="utf-8"))
        if imported in FORBIDDEN[package]
    ]
    assert offences == []


def imported_rooms(source: str, package: str) -> Iterator[str]:
    # Of the same package, wherever the import stands; the package itself is `__init__`.
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            whole = node.module == package
            names = [f"{package}.{x.name}" for x in node.names] if whole else [node.module]
        else:
            continue
        for name in names:
            if name == package or name.startswith(f"{package}."):
                yield [*name.split("."), "__init__"][1]


def imported_files(path: Path, known: Container[str]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            yield from (name for name in names if name in known)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)


def test_an_installed_package_has_every_folder() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    folders = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for package in FLOORS
        for path in (ROOT / package).rglob("__init__.py")
    }
    assert set(settings["tool"]["setuptools"]["packages"]) == folders


def room_of(path: Path, package: str) -> str:
    return path.relative_to(ROOT / package).parts[0].removesuffix(".py")


@pytest.mark.parametrize("package", FLOORS)
def test_every_import_points_to_a_lower_floor(package: str) -> None:
    floor = {room: number for number, rooms in enumerate(FLOORS[package]) for room in rooms}
    paths = sorted((ROOT / package).rglob("*.py"))
    assert {room_of(path, package) for path in paths} - {"__init__"} <= set(floor)
    upwards = {
        (str(path.relative_to(ROOT)), room)
        for path in paths
        if (own := room_of(path, package)) != "__init__"
        for room in imported_rooms(path.read_text(encoding="utf-8"), package)
        if room != own and floor.get(room, len(floor)) >= floor[own]
    }
    assert upwards == set()


@pytest.mark.parametrize("package", FLOORS)
def test_no_files_import_each_other(package: str) -> None:
    paths = sorted((ROOT / package).rglob("*.py"))
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in paths}
    graph = {name: set(imported_files(path, names)) for name, path in names.items()}
    TopologicalSorter(graph).prepare()  # raises, and names the circle


@pytest.mark.parametrize("package", ["hwmodels", "energy"])
def test_the_walk_finds_the_files_and_their_imports(package: str) -> None:
    sources = [p.read_text(encoding="utf-8") for p in (ROOT / package).rglob("*.py")]
    assert "hwmodels" in {name for source in sources for name in imported_packages(source)}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import torch.nn as nn", ["torch"]),
        ("from torch.nn import functional", ["torch"]),
        ("def late():\n    import torch", ["torch"]),
        ("if TYPE_CHECKING:\n    from neurt import config", ["neurt"]),
        ("from . import counts", []),
        ("'import torch'", []),
    ],
)
def test_the_walk_sees_every_form_of_import(source: str, found: list[str]) -> None:
    assert list(imported_packages(source)) == found


@pytest.mark.parametrize(
    "statement",
    ["import hwmodels", "import energy", "from energy import estimate, saving, Counts"],
)
def test_pricing_loads_none_of_the_heavy_libraries(statement: str) -> None:
    script = f"{statement}\nimport sys\nprint(*sorted({HEAVY!r} & sys.modules.keys()))"
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert run.stdout.split() == []


def test_pricing_from_a_file_loads_none_of_the_heavy_libraries(tmp_path: Path) -> None:
    counts = tmp_path / "counts.csv"
    counts.write_text("layer,mac\nfc,10\n", encoding="utf-8")
    script = (
        "import sys, pathlib, hwmodels, energy\n"
        "from energy.counts.file import read_csv\n"
        f"[counts] = read_csv(pathlib.Path({str(counts)!r}))\n"
        "print(energy.estimate(counts, hwmodels.load_profile('45nm')).energy_pj())\n"
        f"print(*sorted({HEAVY!r} & sys.modules.keys()))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert run.stdout.split() == ["46.0244140625"]
    # 10 MACs x 4.6 pJ, and 10 weights x 4 bytes x 1.25 pJ / 2,048 uses of a fetch


@pytest.mark.parametrize("package", [hwmodels, energy], ids=lambda package: package.__name__)
def test_every_exported_name_resolves(package: object) -> None:
    names = package.__all__  # type: ignore[attr-defined]
    assert [name for name in names if getattr(package, name, None) is None] == []
    assert len(set(names)) == len(names)


def test_an_unknown_name_of_energy_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'energy' has no attribute 'measure'"):
        energy.measure  # noqa: B018


@pytest.mark.parametrize("package", [energy, neurt], ids=lambda package: package.__name__)
def test_names_that_are_imported_when_first_used_are_listed(package: ModuleType) -> None:
    assert set(package.__all__) <= set(dir(package))
    assert {name for name in package.__all__ if not hasattr(package, name)} == set()


def test_the_version_is_that_of_the_installed_package() -> None:
    assert neurt.__version__ == version("neurt-energy")


@pytest.mark.parametrize("statement", ["import energy", "import neurt, neurt.cli"])
def test_what_is_only_asked_about_costs_no_numpy(statement: str) -> None:
    script = f"{statement}\nimport sys\nprint(*sorted({HEAVY | {'numpy'}!r} & sys.modules.keys()))"
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert run.stdout.split() == []
