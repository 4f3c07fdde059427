from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from builders import refused
from hypothesis import given, settings
from hypothesis import strategies as st

from energy import Counts, CountsError, Label, LayerCount, Levels, Tally
from energy.counts import read_csv, to_csv
from hwmodels import Op

NUMBERS = st.integers(0, 2**70)
WORDS = st.text(st.sampled_from("az09 .,;:'\"()[]=äµ\n"), min_size=1, max_size=12)
COUNTED = [op for op in Op if op.is_counted]


@st.composite
def tallies(draw: st.DrawFn) -> Tally:
    ops = draw(st.dictionaries(st.sampled_from(COUNTED), st.integers(1, 2**70), max_size=6))
    zeros = draw(st.none() | st.integers(0, ops.get(Op.MAC, 0)))
    slots = draw(NUMBERS)
    levels, channels = draw(st.none() | st.sampled_from(Levels)), draw(st.integers(0, 2**70))
    spikes = draw(st.integers(0, slots))
    return Tally(ops, draw(NUMBERS), spikes, slots, zeros, levels, channels)


LAYERS = st.builds(
    LayerCount,
    WORDS,
    WORDS,
    st.builds(Label, WORDS, WORDS, st.none() | st.integers(0, 99)),
    st.integers(0, 99),
    tallies(),
    st.none() | st.floats(0.5, 64),
    st.none() | st.floats(0.5, 64),
)


def counts_of(variant: str) -> st.SearchStrategy[Counts]:
    return st.builds(
        Counts,
        st.just(variant),
        st.lists(LAYERS, min_size=1, max_size=3, unique_by=lambda x: x.name).map(tuple),
        model=WORDS,
        weights=WORDS,
        phase=st.sampled_from(["prefill", "decode", "decode@7", "decode@7-12", "request 4+3"]),
        batch=st.integers(1, 9),
        tokens=NUMBERS,
        timesteps=st.integers(1, 16),
        attention=st.sampled_from(["full", "causal"]),
        value_bits=st.none() | st.floats(0.5, 64),
    )


def layer(name: str, ops: dict[Op, int] | None = None, **fields: Any) -> LayerCount:
    about = {key: fields.pop(key) for key in ("kind", "label", "calls") if key in fields}
    return LayerCount(name, **({"kind": "Linear"} | about), tally=Tally(ops or {}, **fields))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "counts.csv"


def test_a_hop_is_no_count_but_may_be_read(table: Path) -> None:
    assert "spike_hop" not in to_csv([Counts("asa", (layer("fc"),))])
    table.write_text("layer,spike_hop\nfc,7\n", encoding="utf-8")
    assert read_csv(table)[0].total(Op.SPIKE_HOP) == 7


def test_zeros_that_nobody_counted_are_an_empty_cell(table: Path) -> None:
    layers = (
        layer("looked", {Op.MAC: 6}, zero_macs=0),
        layer("found", {Op.MAC: 6}, zero_macs=6),
        layer("unseen", {Op.MAC: 6}),
    )
    rows = csv.DictReader(io.StringIO(to_csv([Counts("asa", layers)])))
    assert [row["zero_macs"] for row in rows] == ["0", "6", ""]
    table.write_text("layer,mac,zero_macs\na,6,0\nb,6,6\nc,6, \n", encoding="utf-8")
    assert [x.tally.zero_macs for x in read_csv(table)[0].layers] == [0, 6, None]


def test_a_table_from_before_the_zeros_has_none(table: Path) -> None:
    table.write_text("layer,mac\nfc,12\n", encoding="utf-8")
    assert not read_csv(table)[0].zeros_measured


def test_more_zeros_than_products_are_a_mistake(table: Path) -> None:
    table.write_text("layer,mac,zero_macs\na,6,7\n", encoding="utf-8")
    says = r"line 2, column 'zero_macs' \(= 7\) must not exceed column 'mac' \(= 6\)"
    with pytest.raises(CountsError, match=says):
        read_csv(table)


@settings(deadline=None, max_examples=40)
@given(st.tuples(counts_of("asa"), counts_of("ssa")))
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, variants: tuple[Counts, Counts]
) -> None:
    path = tmp_path_factory.getbasetemp() / "round_trip.csv"
    path.write_text(to_csv(variants), encoding="utf-8")
    assert read_csv(path) == list(variants)


def test_a_layer_that_never_ran_survives_the_table(table: Path) -> None:
    counts = Counts("asa", (layer("used", {Op.MAC: 6}, calls=1), layer("unused")))
    table.write_text(to_csv([counts]), encoding="utf-8")
    assert read_csv(table) == [counts]
    assert read_csv(table)[0].layer("unused").calls == 0


def test_a_layer_and_one_operation_are_enough(table: Path) -> None:
    table.write_text("layer,ac\nfc,12\n", encoding="utf-8")
    layers = (LayerCount("fc", "", tally=Tally({Op.AC: 12})),)
    assert read_csv(table) == [Counts("", layers)]


def test_a_mean_rate_count_may_have_a_fraction(table: Path) -> None:
    table.write_text("layer,ac,mac\nfc,12.25,3.0\n", encoding="utf-8")
    assert read_csv(table)[0].layers[0].ops == {Op.AC: 12.25, Op.MAC: 3}


def test_a_large_integer_is_read_exactly(table: Path) -> None:
    table.write_text(f"layer,mac\nfc,{2**64 + 1}\n", encoding="utf-8")
    assert read_csv(table)[0].total(Op.MAC) == 2**64 + 1


@pytest.mark.parametrize(
    "text",
    [
        "\ufefflayer,mac\nfc,7\n",
        "layer,mac\r\nfc,7\r\n",
        "layer,mac\n\nfc,7\n\n",
        "layer,mac,ac,dense_macs\nfc, 7 ,,\n",
    ],
    ids=["byte order mark", "windows", "empty lines", "blanks"],
)
def test_tables_from_elsewhere_are_welcome(table: Path, text: str) -> None:
    table.write_bytes(text.encode())
    assert read_csv(table)[0].layers == (LayerCount("fc", "", tally=Tally({Op.MAC: 7})),)


def test_the_phases_of_a_request_stay_apart(table: Path) -> None:
    rows = "asa,prefill,a,4,7\nssa,prefill,a,4,1\nasa,decode@5,a,1,9\nasa,prefill,b,4,8\n"
    table.write_text(f"variant,phase,layer,tokens,mac\n{rows}", encoding="utf-8")
    found = read_csv(table)
    about = [(x.variant, x.phase, x.tokens, x.total(Op.MAC)) for x in found]
    assert about == [("asa", "prefill", 4, 15), ("ssa", "prefill", 4, 1), ("asa", "decode@5", 1, 9)]
    table.write_text(to_csv(found), encoding="utf-8")
    assert read_csv(table) == found


def test_variants_come_in_the_order_of_the_file(table: Path) -> None:
    table.write_text("variant,layer,mac\nssa,a,1\nasa,a,2\nssa,b,3\n", encoding="utf-8")
    ssa, asa = read_csv(table)
    assert (ssa.variant, [x.name for x in ssa.layers], ssa.total(Op.MAC)) == ("ssa", ["a", "b"], 4)
    assert (asa.variant, [x.name for x in asa.layers], asa.total(Op.MAC)) == ("asa", ["a"], 2)


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("-1", "must not be negative"),
        ("-0.5", "must not be negative"),
        ("nan", "must be a number"),
        ("inf", "must be a number"),
        ("1e999", "must be at most 1e30"),
        ("1" + "0" * 31, "must be at most 1e30"),
        ("1_000", "must be a number"),
        ("+5", "must be a number"),
        ("١٢٣", "must be a number"),
        ("5-", "must be a number"),
        ("1 2", "must be a number"),
        ("1.2.3", "must be a number"),
        ("many", "must be a number"),
        ("0x10", "must be a number"),
    ],
)
@pytest.mark.parametrize("column", ["ac", "dense_macs", "spikes", "slots", "calls"])
def test_a_value_that_is_no_count_is_located(
    table: Path, column: str, value: str, rule: str
) -> None:
    table.write_text(f"layer,mac,{column}\na,0,0\nb,0,{value}\n", encoding="utf-8")
    said = refused(CountsError, read_csv, table)
    assert f"'{table}', line 3, column '{column}'" in said
    assert value in said
    assert rule in said


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("batch", "many"),
        ("batch", "-1"),
        ("tokens", "nan"),
        ("timesteps", "many"),
        ("value_bytes", "many"),
        ("value_bytes", "0"),
    ],
)
def test_a_description_that_is_no_number_is_located(table: Path, column: str, value: str) -> None:
    table.write_text(f"layer,mac,{column}\na,1,{value}\n", encoding="utf-8")
    said = refused(CountsError, read_csv, table)
    assert f"column '{column}'" in said
    assert "line 2" in said


@pytest.mark.parametrize(("column", "other"), [("tokens", "9"), ("batch", "")])
def test_two_runs_under_one_variant_are_refused(table: Path, column: str, other: str) -> None:
    table.write_text(f"layer,mac,{column}\na,1,7\nb,1,7\na,1,{other}\n", encoding="utf-8")
    with pytest.raises(
        CountsError, match=r"line 4 describes another run .* phase; give each run a 'variant'"
    ):
        read_csv(table)


@pytest.mark.parametrize("value", ["-1", "first", "1.5"])
def test_a_depth_that_is_no_index_is_located(table: Path, value: str) -> None:
    table.write_text(f"layer,mac,depth\na,1,{value}\n", encoding="utf-8")
    with pytest.raises(CountsError, match="line 2, column 'depth'"):
        read_csv(table)


@pytest.mark.parametrize("row", ["a,1", "a,1,2,3"], ids=["short", "long"])
def test_a_ragged_row_is_located(table: Path, row: str) -> None:
    table.write_text(f"layer,mac,ac\nfc,1,1\n{row}\n", encoding="utf-8")
    with pytest.raises(CountsError, match=r"counts.csv', line 3 has not the 3 columns"):
        read_csv(table)


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("title,mac\na,1\n", "title, mac"),
        ("layer,flops\na,1\n", "layer, flops; a MAC is two FLOPs, and one in fvcore"),
        ("", "empty"),
    ],
)
def test_a_table_without_its_columns_says_what_it_needs(
    table: Path, text: str, header: str
) -> None:
    table.write_text(text, encoding="utf-8")
    said = refused(CountsError, read_csv, table)
    assert "need the column 'layer' and at least one of mac, ac, ..." in said
    assert said.endswith(f"the header is: {header}")


def test_a_header_alone_is_no_table(table: Path) -> None:
    table.write_text("layer,mac\n", encoding="utf-8")
    with pytest.raises(CountsError, match="a header but no rows"):
        read_csv(table)


def test_text_that_is_not_utf8_is_located(table: Path) -> None:
    table.write_bytes(b"layer,mac\n\xff,1\n")
    with pytest.raises(CountsError, match=r"counts.csv' are not UTF-8 text at line 2, byte 10"):
        read_csv(table)


def test_a_file_that_is_not_there_or_no_file(tmp_path: Path) -> None:
    with pytest.raises(CountsError, match=r"absent.csv' does not exist"):
        read_csv(tmp_path / "absent.csv")
    with pytest.raises(CountsError, match=r"is a directory, and must be a regular file"):
        read_csv(tmp_path)


def test_a_cell_too_long_for_the_reader_is_a_counts_error(table: Path) -> None:
    table.write_text(f"layer,mac\n{'a' * 200_000},1\n", encoding="utf-8")
    with pytest.raises(CountsError, match=r"counts.csv'"):
        read_csv(table)


def test_a_column_given_twice_is_refused(table: Path) -> None:
    table.write_text("layer,mac,mac\na,1,2\n", encoding="utf-8")
    with pytest.raises(CountsError, match="column 'mac' more than once"):
        read_csv(table)


def test_a_number_too_long_for_an_index_is_located(table: Path) -> None:
    table.write_text(f"layer,mac,tokens\na,1,{'9' * 5000}\n", encoding="utf-8")
    with pytest.raises(CountsError, match="line 2, column 'tokens'"):
        read_csv(table)
