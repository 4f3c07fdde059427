"""Tables as Parquet files, beside their CSV."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
from pandas.api.types import is_object_dtype

from energy.frames import WHOLE, counts_frame
from hwmodels.errors import UserError
from reports.kit.files import write_atomically
from reports.run.run import Run
from reports.views.tables import layers_frame, savings_frame

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
        known = [value for value in typed[column] if value not in ("", None)]
        if column in WHOLE or (known and all(isinstance(value, int) for value in known)):
            if (largest := max(map(abs, known), default=0)) > _LARGEST:
                raise ParquetError(
                    f"'{path.name}', column '{column}': {largest} is too large for a number "
                    "of Parquet; use the CSV"
                )
            typed[column] = typed[column].replace("", None).astype("Int64")
        elif not known:
            typed[column] = typed[column].astype("float64")
    return write_atomically(
        path, lambda file: typed.to_parquet(file, engine="pyarrow", index=False)
    )


def write_run_parquet(run: Run, out: Path) -> list[Path]:
    """Write `counts.parquet`, `layers.parquet` and `savings.parquet` of a run.

    Raises:
        ParquetError: If pyarrow is not installed, or a number is too large for it.
        OutputError: If a file cannot be written.
    """
    sides = [side for phase in run.phases for side in (phase.asa, phase.ssa)]
    frames: Mapping[str, pd.DataFrame] = {
        "counts.parquet": pd.concat(map(counts_frame, sides), ignore_index=True),
        "layers.parquet": layers_frame(run),
        "savings.parquet": savings_frame(run),
    }
    return [write_parquet(frame, out / name) for name, frame in frames.items()]
