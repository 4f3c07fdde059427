"""What is published: the source distribution is whole, and what it builds runs as README says."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
#: What is in a checkout and not of it.
_BESIDE = (
    ".git",
    ".venv*",
    "runs",
    "build",
    "*.egg-info",
    "__pycache__",
    ".*_cache",
    ".hypothesis",
)
#: Commands that answer within seconds, where what they read is at hand.
_QUICK = {"profile", "plan", "count", "price", "report", "breakeven", "sensitivity", "hw"}

pytestmark = pytest.mark.slow


class Built(NamedTuple):
    """What was built."""

    source: Path  #: the source distribution
    wheel: Path
    said: str  #: what the builds said


def build(what: str, place: Path, out: Path) -> tuple[Path, str]:
    script = f"from setuptools import build_meta; print(build_meta.build_{what}({str(out)!r}))"
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=place, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return out / run.stdout.split()[-1], run.stdout + run.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    place = tmp_path_factory.mktemp("built")
    shutil.copytree(ROOT, place / "tree", ignore=shutil.ignore_patterns(*_BESIDE))
    source, said = build("sdist", place / "tree", place)
    with tarfile.open(source) as archive:
        archive.extractall(place, filter="data")
    # From what the source distribution holds, and from nothing else.
    wheel, more = build("wheel", place / source.name.removesuffix(".tar.gz"), place)
    return Built(source, wheel, said + more)


@pytest.fixture(scope="module")
def installed(built: Built) -> Path:
    """The wheel as it lies in an environment, beside whose packages are those of this one."""
    place = built.wheel.parent / "installed"
    with zipfile.ZipFile(built.wheel) as archive:
        archive.extractall(place)
    return place


def test_building_says_nothing_that_wants_a_change(built: Built) -> None:
    # That byte code is not written is a choice of whoever builds.
    lines = [line for line in built.said.splitlines() if "byte-compiling is disabled" not in line]
    faults = re.compile(r"warning|deprecat|ignored", re.IGNORECASE)
    assert [line for line in lines if faults.search(line)] == []


def test_the_source_distribution_has_every_file(built: Built) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout, so nothing says which files there are")
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    with tarfile.open(built.source) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    there = {name for name in listed.stdout.splitlines() if (ROOT / name).exists()}
    assert there - held == set()


def test_the_wheel_has_the_packages_and_no_tests(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
    [record] = [top for top in tops if top.endswith(".dist-info")]
    assert tops - {record} == {"hwmodels", "energy", "reports", "neurt"}


def runnable(words: list[str], place: Path) -> bool:
    """Whether the files that a command reads are at hand, and it asks for no model of the hub."""
    return all(
        before == "--out" or (place / path).exists()
        for before, path in zip(["", *words], (x.partition(":")[0] for x in words), strict=False)
        if "/" in path or path.endswith((".toml", ".csv", ".txt", ".nir"))
    )


def test_the_commands_of_the_readme_run_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    lines = re.findall(r"^(?:.*&& )?(?:\.venv/bin/)?neurt-energy (.*)$", README, flags=re.MULTILINE)
    commands = [shlex.split(line.partition(" #")[0]) for line in lines if "|" not in line]
    env = os.environ | {
        "PYTHONPATH": str(installed),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "passive",
    }
    where = [sys.executable, "-c", "import neurt; print(neurt.__file__)"]
    said = subprocess.run(where, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == str(installed / "neurt" / "__init__.py")
    ran = []
    for words in commands:
        if words[0] in _QUICK and runnable(words, tmp_path):
            ran.append(["-m", "neurt.cli", *words])
            check(ran[-1], tmp_path, env)
    assert any("profile" in words for words in ran)
    for example in re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL):
        check(["-c", example], tmp_path, env)


def check(words: list[str], place: Path, env: dict[str, str]) -> None:
    run = subprocess.run(
        [sys.executable, *words], cwd=place, env=env, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, f"{' '.join(words)}: {run.stderr[-1000:]}"
