"""Tables as Parquet files, beside their CSV."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pandas as pd
from pandas.api.types import is_object_dtype

from hwmodels.errors import UserError
from reports.kit.files import write_atomically

#: Numbers beyond this are not those of a Parquet file.
_LARGEST = 2**63 - 1


class ParquetError(UserError, RuntimeError):
    """A table that cannot be written as Parquet."""


def check_parquet() -> None:
    """Make sure that Parquet can be written, before any work is done.

    Raises:
        ParquetError: If the package that does it is not installed.
    """
    if find_spec("pyarrow") is None:
        raise ParquetError(
            "--parquet needs the package pyarrow, which is not installed; pip install "
            "'neurt-energy[parquet]'"
        )


def write_parquet(frame: pd.DataFrame, path: Path) -> Path:
    """Write one table; the same table gives the same bytes.

    Whole numbers with gaps stay whole numbers, and a gap is a null.

    Raises:
        ParquetError: If pyarrow is not installed, or a number is too large for it.
        OutputError: If the file cannot be written.
    """
    check_parquet()
    typed = frame.copy()
    for column in (name for name in typed if is_object_dtype(typed[name])):
        typed[column] = _typed(typed[column], path)
    return write_atomically(
        path, lambda file: typed.to_parquet(file, engine="pyarrow", index=False)
    )


def _typed(column: pd.Series, path: Path) -> pd.Series:
    """Whole numbers with gaps, or gaps alone, with a type of their own; others as they are."""
    known = [value for value in column if value not in ("", None)]
    if not known:
        return column.astype("float64")
    if not all(isinstance(value, int) for value in known):
        return column
    if (largest := max(map(abs, known))) > _LARGEST:
        raise ParquetError(
            f"'{path.name}', column '{column.name}': {largest} is too large for a number of "
            "Parquet; use the CSV"
        )
    return column.replace("", None).astype("Int64")
