"""Fetch the libraries that the page and its tests carry, and check them against `vendor.json`.

python reports/page/assets/vendor.py [--check]

Needs npm, which packs each library from the registry that it is set up with. With `--check` only
the files that are here are compared with their hashes, and nothing is fetched.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
LIST = HERE / "vendor.json"


def integrity(data: bytes) -> str:
    """The hash of a package as npm writes it: algorithm, dash, base64."""
    return "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


def files(library: dict[str, Any]) -> Iterator[tuple[Path, str, str]]:
    """Where each file of a library goes, its name in the package, and its hash."""
    for name, about in library["files"].items():
        yield ROOT / about["to"], name, about["integrity"]


def fetch(library: dict[str, Any]) -> None:
    """Pack one library and put its files in place.

    Raises:
        ValueError: If the package, or a file in it, is not the one of the list.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", f"{library['name']}@{library['version']}"]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        [package] = Path(folder).iterdir()
        data = package.read_bytes()
    if (found := integrity(data)) != library["integrity"]:
        raise ValueError(
            f"package '{library['name']}' {library['version']} has the hash {found}, but the list "
            f"says {library['integrity']}; nothing was replaced"
        )
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for path, name, expected in files(library):
            member = tar.extractfile(f"package/{name}")
            assert member is not None
            content = member.read()
            if integrity(content) != expected:
                raise ValueError(f"file '{name}' of '{library['name']}' is not the one of the list")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def main() -> None:
    """Fetch all libraries, or check the files that are here."""
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--check", action="store_true", help="fetch nothing")
    check = flags.parse_args().check
    for library in json.loads(LIST.read_text(encoding="utf-8")):
        if not check:
            fetch(library)
        for path, _, expected in files(library):
            if integrity(path.read_bytes()) != expected:
                raise SystemExit(f"'{path.relative_to(ROOT)}' is not the file of the list")
        print(f"{library['name']} {library['version']}: as listed")


if __name__ == "__main__":
    main()
