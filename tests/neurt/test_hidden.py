"""Files of the user's own that have the plain names of our packages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import neurt

HOME = Path(str(neurt.__file__)).parents[1]
FILES = ("energy.py", "reports/__init__.py", "hwmodels.py")


def python(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    # The directory comes first, as that of a script of the user's does.
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(directory), str(HOME)])}
    command = [sys.executable, *words]
    return subprocess.run(
        command, cwd=directory, env=env, capture_output=True, text=True, check=False
    )


def written(directory: Path, name: str) -> Path:
    path = directory / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("WATTS = 5\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("name", FILES)
def test_an_import_says_which_file_hides_which_package(tmp_path: Path, name: str) -> None:
    path, package = written(tmp_path, name), name.partition("/")[0].removesuffix(".py")
    ran = python(tmp_path, "-c", "import neurt")
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1] == (
        f"neurt.hidden.HiddenPackageError: the package '{package}' of neurt-energy is in "
        f"{HOME / package}, but Python finds {path} first, which hides it; rename that, take its "
        "directory out of PYTHONPATH, or start Python in another directory"
    )


def test_the_command_says_it_in_one_line(tmp_path: Path) -> None:
    path = written(tmp_path, "energy.py")
    ran = python(tmp_path, "-m", "neurt.cli", "hw", "list")
    assert ran.returncode == 1
    [line] = ran.stderr.splitlines()
    assert line.startswith("neurt-energy: the package 'energy' of neurt-energy is in")
    assert str(path) in line


def test_a_module_that_was_imported_before_is_said_too(tmp_path: Path) -> None:
    path = written(tmp_path, "energy.py")
    script = "import energy, sys; sys.path.pop(0); sys.path.pop(0); import neurt"
    ran = python(tmp_path, "-c", script)
    assert f"but Python finds {path} first" in ran.stderr


def test_a_directory_that_is_no_package_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    ran = python(tmp_path, "-c", "import neurt, energy, reports; print(reports.__file__)")
    assert ran.stdout.strip() == str(HOME / "reports" / "__init__.py")
