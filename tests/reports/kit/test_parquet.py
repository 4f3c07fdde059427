from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from energy import LayerCount, Tally
from hwmodels import Op
from reports import OutputError, Run
from reports.kit import parquet
from reports.kit.parquet import ParquetError, check_parquet, write_parquet
from reports.write import write_run_parquet

pytest.importorskip("pyarrow", reason="Parquet needs the extra `parquet`")


def test_the_tables_are_those_of_the_csv(run: Run, tmp_path: Path) -> None:
    files = write_run_parquet(run, tmp_path)
    assert [path.name for path in files] == ["counts.parquet", "layers.parquet", "savings.parquet"]
    counts, layers, savings = (pd.read_parquet(path) for path in files)
    for name, frame in (("counts", counts), ("layers", layers), ("savings", savings)):
        assert list(frame.columns) == list(run.to_frame(name).columns)
    assert counts["mac"].sum() == run.asa.total(Op.MAC) + run.ssa.total(Op.MAC)
    assert savings["saving"].equals(run.to_frame("savings")["saving"])
    assert str(layers["depth"].dtype) == "Int64"
    assert layers["depth"].isna().sum() == 3 * 4  # embedding, norm and head of 2 sides x 2 chips


def test_columns_have_the_same_type_however_much_is_known(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    # On loihi no MAC has a price; a model without depths has none.
    found = []
    for hw in ("45nm", "loihi"):
        run = make_run(hw)
        run = run if hw == "45nm" else replace(run, asa=run.asa.only(block="head"))
        for path in write_run_parquet(run, tmp_path):
            found.append(pd.read_parquet(path).dtypes.to_dict())
    assert found[:3] == found[3:]


def test_the_same_table_gives_the_same_bytes(run: Run, tmp_path: Path) -> None:
    frame = run.to_frame()
    one, other = (write_parquet(frame, tmp_path / name) for name in ("a.parquet", "b.parquet"))
    assert one.read_bytes() == other.read_bytes()


def test_a_number_that_does_not_fit_is_named(make_run: Callable[..., Run], tmp_path: Path) -> None:
    run = make_run("45nm")
    huge = LayerCount("huge", "X", calls=1, tally=Tally({Op.MAC: 2**64}, 1))
    run = replace(run, asa=replace(run.asa, layers=(*run.asa.layers, huge)))
    with pytest.raises(ParquetError, match=r"'counts.parquet', column 'mac': 18446744073709551616"):
        write_run_parquet(run, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_the_package_one_line_says_so(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "find_spec", lambda _name: None)
    with pytest.raises(ParquetError, match=r"pip install 'neurt-energy\[parquet\]'"):
        check_parquet()
    with pytest.raises(ParquetError):
        write_run_parquet(run, tmp_path)


def test_a_file_that_cannot_be_written_is_named(run: Run, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"a.parquet' cannot be written"):
        write_parquet(run.to_frame(), tmp_path / "absent" / "a.parquet")
