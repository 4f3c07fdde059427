"""Whether files of the user's own hide packages that belong to this one, which have plain names.

Nothing but the standard library is imported here: what is needed may be what is hidden.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

#: The packages that are installed beside `neurt`.
_BESIDE = ("hwmodels", "energy", "reports")


class HiddenPackageError(ImportError):
    """A package of this distribution that Python finds elsewhere."""


def check_beside(package: str) -> None:
    """Make sure that the packages beside a package are those that were installed with it.

    Args:
        package: The `__file__` of it.

    Raises:
        HiddenPackageError: If another file of the same name comes first in `sys.path`.
        SystemExit: In place of it where this is the command line, which says it in one line.
    """
    home = os.path.dirname(os.path.dirname(os.path.realpath(package)))  # noqa: PTH120
    for name in _BESIDE:
        expected = os.path.join(home, name)  # noqa: PTH118
        found = _found(name)
        if found is None or os.path.realpath(found) in (expected, f"{expected}/__init__.py"):
            continue
        said = (
            f"the package '{name}' of neurt-energy is in {expected}, but Python finds {found} "
            "first, which hides it; rename that, take its directory out of PYTHONPATH, or start "
            "Python in another directory"
        )
        if _is_command_line():
            sys.exit(f"neurt-energy: {said}")
        raise HiddenPackageError(said, name=name, path=found)


def _found(name: str) -> str | None:
    """The file that an import of this name gives; None where there is none to be seen."""
    if name in sys.modules:
        return getattr(sys.modules[name], "__file__", None)
    spec = find_spec(name)
    return None if spec is None else spec.origin


def _is_command_line() -> bool:
    """Whether Python was started for the command, as `neurt-energy` or as a module."""
    started = os.path.basename(sys.argv[0] if sys.argv else "")  # noqa: PTH119
    return started.removesuffix(".exe") == "neurt-energy" or "neurt.cli" in sys.orig_argv[1:3]
