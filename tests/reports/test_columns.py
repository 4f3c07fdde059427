"""Every table of the product, by its columns: one golden file instead of a tuple per test."""

from __future__ import annotations

import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from importlib import import_module

import energy
import hwmodels
import neurt
import reports
from energy.table import Column


def tables() -> Iterator[str]:
    """Module and name of each tuple of columns, and below it each column: name and heading."""
    for package in (hwmodels, energy, reports, neurt):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if "vendor" in module.name:
                continue
            home = import_module(module.name)
            source = inspect.getsource(home)
            for name, columns in vars(home).items():
                if not isinstance(columns, tuple) or not columns:
                    continue
                # Where it is written, not where it is imported to.
                here = re.search(rf"^{name}\b", source, re.MULTILINE)
                if here and all(isinstance(column, Column) for column in columns):
                    yield "\n".join([f"{module.name}.{name}", *map(described, columns)])


def described(column: Column[object]) -> str:
    heading = f" | {column.heading}" if column.heading else ""
    return f"  {column.name}{heading}"


def test_the_columns_of_every_table_are_the_golden_file(
    golden: Callable[[str, str], None],
) -> None:
    text = "\n\n".join(sorted(set(tables())))
    assert "reports.views.tables.SAVING_COLUMNS" in text
    golden("columns.txt", f"{text}\n")
