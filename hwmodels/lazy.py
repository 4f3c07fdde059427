"""Exports of a package that are imported when they are first used."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


def lazy_exports(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package with this `__name__`.

    Its exports are what it imports under `if TYPE_CHECKING:`, so each is written once, where type
    checkers and readers look for it.
    """
    module = sys.modules[package]
    source = ast.parse(Path(str(module.__file__)).read_text("utf-8"))
    imports = [
        statement
        for block in source.body
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for statement in block.body
    ]
    homes = {
        alias.name: statement.module
        for statement in imports
        if isinstance(statement, ast.ImportFrom) and statement.module
        for alias in statement.names
    }

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        value = getattr(import_module(homes[name]), name)
        setattr(module, name, value)
        return value

    own = [name for name in vars(module) if name.startswith("__")]
    return get, lambda: sorted({*own, *homes}), list(homes)
