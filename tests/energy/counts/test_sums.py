"""Rows that are sums of other rows."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import refused
from hypothesis import given, settings
from hypothesis import strategies as st

from energy import Counts, CountsError
from energy.counts import read_csv, to_csv
from hwmodels import Op


def read(directory: Path, rows: str, header: str = "layer,mac") -> tuple[dict[str, float], str]:
    path = directory / "counts.csv"
    path.write_text(f"{header}\n{rows}", encoding="utf-8")
    said: list[str] = []
    [counts] = read_csv(path, said.append)
    macs = {layer.name: layer.ops[Op.MAC] for layer in counts.layers}
    return macs, "\n".join(said).replace(f"counts '{path}': ", "")


def fault(directory: Path, rows: str) -> str:
    path = directory / "counts.csv"
    path.write_text(f"layer,mac\n{rows}", encoding="utf-8")
    return refused(CountsError, read_csv, path).removeprefix(f"counts '{path}', ")


@pytest.mark.parametrize("name", ["TOTAL", "total", " Total:", "Grand total", "sum", "all", ""])
def test_a_total_is_left_out_and_said(tmp_path: Path, name: str) -> None:
    rows, said = read(tmp_path, f"a,5\nb,7\n{name},12\n")
    assert rows == {"a": 5, "b": 7}
    assert said.startswith("rows that are sums of others, left out: ")
    assert said.endswith(f"{name or 'one without a name'} (1 row)")


def test_modules_are_left_out_where_they_are_sums(tmp_path: Path) -> None:
    # net 12 = net.a 5 + net.b 7; net.b 7 = net.b.x 3 + net.b.y 4; net.b2 is no part of net.b
    text = "net,13\nnet.a,5\nnet.b,7\nnet.b.x,3\nnet.b.y,4\nnet.b2,1\n"
    rows, said = read(tmp_path, text)
    assert rows == {"net.a": 5, "net.b.x": 3, "net.b.y": 4, "net.b2": 1}
    assert said == "rows that are sums of others, left out: net, net.b (2 rows)"


def test_what_a_sum_says_more_stays(tmp_path: Path) -> None:
    # the whole is 100, of which layer1 (10 = 4 + 6) and 90 in modules that have no row
    rows, said = read(tmp_path, ",100\nlayer1,10\nlayer1.0,4\nlayer1.1,6\n")
    assert rows == {"model (rest)": 90, "layer1.0": 4, "layer1.1": 6}
    assert "left out: layer1 (1 row)" in said
    assert "row without a name holds other rows; what no other row says stays: 90 mac" in said


def test_a_module_above_its_parts_is_a_sum_where_others_are(tmp_path: Path) -> None:
    # 'b' equals its parts, so the table has sums: of the 20 of 'a', 13 are in no other row
    rows, _ = read(tmp_path, "a,20\na.x,7\nb,3\nb.x,3\n")
    assert rows == {"a (rest)": 13, "a.x": 7, "b.x": 3}


def test_a_total_tells_sums_from_own_work(tmp_path: Path) -> None:
    # 20 + 7 = 27: the 7 are not in the 20; with a total of 20 they are
    rows, _ = read(tmp_path, "a,20\na.x,7\nTOTAL,27\n")
    assert rows == {"a": 20, "a.x": 7}
    rows, _ = read(tmp_path, "a,20\na.x,7\nTOTAL,20\n")
    assert rows == {"a (rest)": 13, "a.x": 7}
    # 7 and 7 alone would be a sum
    rows, _ = read(tmp_path, "a,7\na.x,7\nTOTAL,14\n")
    assert rows == {"a": 7, "a.x": 7}


def test_a_module_below_its_parts_is_work_of_its_own(tmp_path: Path) -> None:
    rows, said = read(tmp_path, "attn,2\nattn.q,5\nattn.k,5\nTOTAL,12\n")
    assert rows == {"attn": 2, "attn.q": 5, "attn.k": 5}
    assert said == "rows that are sums of others, left out: TOTAL (1 row)"


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (
            "attn,20\nattn.q,5\n",
            "line 2: 'attn' has more than the rows below it, so it may be a sum",
        ),
        ("a,5\n,8\n", "line 3: '' has more than the sum of the others"),
        ("a,5\nTOTAL,4\n", "line 3: 'TOTAL' has not the sum of the others"),
        ("a,5\nall,8\n", "line 3: 'all' has more than the sum"),
        ("a,5\nTotal params,9\n", "line 3: 'Total params' has more than the sum"),
        ("a,5\nTOTAL,6\nGrand total,7\n", "line 4: 'Grand total' has not the sum of the others"),
    ],
)
def test_what_may_be_a_sum_or_not_is_refused(tmp_path: Path, rows: str, says: str) -> None:
    said = fault(tmp_path, rows)
    assert said.startswith(says)
    assert "leave it out, or call it '" in said


def test_the_way_out_leads_out(tmp_path: Path) -> None:
    rows, said = read(tmp_path, "attn.own,20\nattn.q,5\n")
    assert (rows, said) == ({"attn.own": 20, "attn.q": 5}, "")


def test_two_totals_of_the_same_are_one(tmp_path: Path) -> None:
    assert read(tmp_path, ",12\na,5\nb,7\nTOTAL,12\n")[0] == {"a": 5, "b": 7}
    assert read(tmp_path, "TOTAL,14\nGrand total,14\na,5\n")[0] == {"TOTAL (rest)": 9, "a": 5}


def test_a_layer_that_is_called_all_is_a_layer(tmp_path: Path) -> None:
    assert read(tmp_path, "a,5\nsum,3\n") == ({"a": 5, "sum": 3}, "")


def test_one_row_is_the_whole_table(tmp_path: Path) -> None:
    assert read(tmp_path, "TOTAL,12\n") == ({"TOTAL": 12}, "")


def test_rounded_numbers_add_up_to_their_digits(tmp_path: Path) -> None:
    # 1.34M + 2.34M = 3.68M; a tool that rounds once more says 3.69M: 0.3 % off
    rows, said = read(tmp_path, "a,1.34M\nb,2.34M\nTOTAL,3.69M\n")
    assert rows == {"a": 1_340_000, "b": 2_340_000}
    assert "left out: TOTAL" in said


def test_columns_that_a_sum_does_not_state_are_not_compared(tmp_path: Path) -> None:
    rows, _ = read(tmp_path, "a,5,1\nb,7,1\nTOTAL,12,\n", "layer,mac,exp")
    assert rows == {"a": 5, "b": 7}


def test_a_table_of_our_own_has_work_of_its_own_in_every_row(tmp_path: Path) -> None:
    from builders import labelled

    own = labelled(
        "asa",
        **{
            "attn": ("attention", "scores", {Op.MAC: 20}),
            "attn.q": ("attention", "qkv", {Op.MAC: 20}),
        },
    )
    path = tmp_path / "counts.csv"
    path.write_text(to_csv([own]), encoding="utf-8")
    assert read_csv(path) == [own]
    # a total that somebody added is none of it
    last = to_csv([own]).splitlines()[-1].replace("attn.q", "TOTAL").replace(",20,", ",40,", 1)
    path.write_text(f"{to_csv([own])}{last}\n", encoding="utf-8")
    said: list[str] = []
    assert read_csv(path, said.append) == [own]
    assert "left out: TOTAL" in said[0]


TREES = st.recursive(
    st.integers(1, 10**6),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, min_size=2, max_size=3),
    max_leaves=12,
).filter(lambda tree: isinstance(tree, dict))


def rows_of(tree: object, name: str) -> tuple[list[tuple[str, int]], int]:
    if isinstance(tree, int):
        return [(name, tree)], tree
    assert isinstance(tree, dict)
    parts = [rows_of(part, f"{name}.{key}") for key, part in tree.items()]
    whole = sum(number for _, number in parts)
    return [(name, whole), *(row for rows, _ in parts for row in rows)], whole


@settings(deadline=None, max_examples=60)
@given(TREES, st.randoms(), st.booleans())
def test_any_tree_of_modules_costs_what_its_leaves_cost(
    tmp_path_factory: pytest.TempPathFactory, tree: object, order: object, total: bool
) -> None:
    rows, whole = rows_of(tree, "net")
    rows += [("TOTAL", whole)] if total else []
    order.shuffle(rows)  # type: ignore[attr-defined]
    path = tmp_path_factory.getbasetemp() / "tree.csv"
    path.write_text("layer,mac\n" + "".join(f"{n},{x}\n" for n, x in rows), encoding="utf-8")
    [counts] = read_csv(path, lambda _: None)
    assert isinstance(counts, Counts)
    assert counts.total(Op.MAC) == whole
