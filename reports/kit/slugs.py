"""Names of profiles and models as parts of the names of files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256

#: Characters of a slug at most, so that a file name made of it is short enough everywhere.
MAX_SLUG = 64


def slugs(names: Iterable[str]) -> list[str]:
    """A part of a file name for each name, all different, of `MAX_SLUG` characters or so."""
    made: list[str] = []
    for name in names:
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", name)
        digest = sha256(name.encode(errors="backslashreplace")).hexdigest()[:8]
        if len(stem) > MAX_SLUG:
            stem = f"{stem[: MAX_SLUG - 9]}-{digest}"
        stem = slug = stem if stem.strip("-._") else digest  # a name in another script
        number = 2
        while slug in made:
            slug, number = f"{stem}-{number}", number + 1
        made.append(slug)
    return made
