from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import parse_profile
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.counts import read_csv, to_csv
from energy.counts.counts import COUNT_COLUMNS
from hwmodels import HardwareProfile, load_profile, profile_names
from hwmodels.plain import one_line
from reports import Run
from reports.page.data import page_data
from reports.views.tables import ENERGY_COLUMNS

Evaluate = Callable[[str, Any], Any]

#: What the texts of a profile may hold: no character that cannot be seen.
SEEN = st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp"))

TOML = "(profile) => documents.toml(profile)"
ENERGY = """(data) => {
  data = settings.loaded(data);
  const { asa, ssa } = settings.bills(data, settings.standard(data));
  return documents.energy(data.world, data.columns.energy, [asa, ssa]);
}"""
COUNTS = """(data) => {
  data = settings.loaded(data);
  return documents.counts(data.world, data.columns.counts, data.run, settings.standard(data));
}"""


def written(evaluate: Evaluate, profile: HardwareProfile) -> HardwareProfile:
    dump = profile.model_dump(mode="json", exclude_none=True)
    return parse_profile(evaluate(TOML, dump), name="from the page")


#: A page is of prices of operations.
OF_OPERATIONS = [name for name in profile_names() if load_profile(name).whole_chip is None]


@pytest.mark.parametrize("name", OF_OPERATIONS)
def test_a_profile_written_by_the_page_is_the_profile(evaluate: Evaluate, name: str) -> None:
    assert written(evaluate, load_profile(name)) == load_profile(name)


@settings(max_examples=50, deadline=None, database=None)
# The browser is handed the profile as an object, in which `__proto__` is no key of its own.
@given(text=st.text(SEEN, max_size=64).map(one_line).filter(lambda x: x not in ("", "__proto__")))
def test_any_text_survives(evaluate: Evaluate, text: str) -> None:
    keys = load_profile("45nm").model_dump(mode="json", exclude_none=True)
    keys["title"] = keys["prices"]["mac"]["source"] = text
    keys["memory"][text] = keys["memory"]["dram"]
    profile = HardwareProfile.model_validate(keys)
    assert written(evaluate, profile) == profile


def test_energy_has_the_columns_and_gaps_of_price(
    evaluate: Evaluate, make_run: Callable[..., Run]
) -> None:
    run = make_run("loihi", model='a "quoted", model')
    text = evaluate(ENERGY, page_data(run))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == [column.name for column in ENERGY_COLUMNS]
    assert {row["model"] for row in rows} == {'a "quoted", model'}
    total = next(row for row in rows if (row["variant"], row["layer"]) == ("asa", "TOTAL"))
    # Loihi has no price for a MAC, so the analog model has no energy.
    assert (total["energy_pj"], total["compute_pj"]) == ("", "")
    assert total["unpriced"].startswith("mac ")


def test_counts_as_run_are_read_back_as_they_were(
    evaluate: Evaluate, run: Run, tmp_path: Path
) -> None:
    text = evaluate(COUNTS, page_data(run))
    assert text.partition("\n")[0] == ",".join(column.name for column in COUNT_COLUMNS)
    for name, content in (("page.csv", text), ("run.csv", to_csv((run.asa, run.ssa)))):
        (tmp_path / name).write_text(content, encoding="utf-8")
    assert read_csv(tmp_path / "page.csv") == read_csv(tmp_path / "run.csv")
