"""Tables of other tools: what is understood, and said, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import chip, refused

from energy import CountsError, estimate
from energy.counts import Counts, read_csv
from hwmodels import Op


def read(directory: Path, text: str) -> tuple[list[Counts], str]:
    path = directory / "counts.csv"
    path.write_text(text, encoding="utf-8")
    said: list[str] = []
    return read_csv(path, said.append), "\n".join(said).replace(f"counts '{path}': ", "")


def fault(directory: Path, text: str) -> str:
    path = directory / "counts.csv"
    path.write_text(text, encoding="utf-8")
    return refused(CountsError, read_csv, path).removeprefix(f"counts '{path}'").lstrip(", ")


@pytest.mark.parametrize(
    "text",
    [
        "Layer;MACs;ACs\nfc;1 000 000;2,75G\n",
        "module\tMult-Adds\tac\nfc\t1,000,000\t2.75G\n",
        '"Layer (type:depth-idx)",mac,AC\nfc,"1,000,000",2750000000\n',
        "NAME,mac,Ac\nfc,1e6,2.75 G\n\n,,\n",
    ],
)
def test_forms_of_other_tools_are_understood_and_said(tmp_path: Path, text: str) -> None:
    [counts], said = read(tmp_path, text)
    assert (counts.total(Op.MAC), counts.total(Op.AC)) == (1_000_000, 2_750_000_000)
    assert counts.layers[0].name == "fc"
    assert "columns read under another name: " in said
    header = text.partition("\n")[0]
    assert (
        f"'{header.split(',')[0].split(';')[0].split(chr(9))[0].strip(chr(34))}' is layer" in said
    )


def test_columns_that_are_not_used_are_named(tmp_path: Path) -> None:
    columns = [f"x{i}" for i in range(8)]
    _, said = read(tmp_path, f"layer,mac,{','.join(columns)}\na,1{',1' * 8}\n")
    assert said == "columns that are not used: x0, x1, x2, x3, x4, x5 and 2 more"


def test_a_reader_without_a_command_line_is_warned(tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    path.write_text("layer,mac,remark\na,1,mine\n", encoding="utf-8")
    with pytest.warns(UserWarning, match="columns that are not used: remark"):
        read_csv(path)


def test_a_column_and_the_same_in_other_words_are_refused(tmp_path: Path) -> None:
    assert "have the column 'mac' more than once" in fault(tmp_path, "layer,mac,MACs\na,1,1\n")


def test_another_name_for_a_column_that_is_there_is_not_used(tmp_path: Path) -> None:
    [counts], said = read(tmp_path, "layer,name,mac\nfc,x,1\n")
    assert (counts.layers[0].name, said) == ("fc", "columns that are not used: name")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("layer,mac\na,1\nb,\n", "line 3 has no number of any operation"),
        (
            "layer,mac,spikes,slots\na,1,5,4\n",
            "'spikes' (= 5) must not exceed column 'slots' (= 4)",
        ),
        ("layer,mac,spikes\na,1,5\n", "'spikes' (= 5) needs a column slots"),
        ("layer,mac,phase\na,1,prefil\n", "'phase' (= 'prefil') must be prefill, decode"),
        ("layer,mac,attention\na,1,half\n", "'attention' (= 'half') must be full, causal"),
        ("layer,mac,timesteps\na,1,1000000000\n", "must be an integer from 1 to 100,000"),
        ("layer,mac,timesteps\na,1,４\n", "column 'timesteps' (= '４') must be an integer"),
        ("layer,mac,value_bytes\na,1,1000000\n", "must be an integer from 1 to 16"),
        ("layer,mac\na,1e308\n", "line 2, column 'mac' (= '1e308') must be at most 1e30"),
        (f"layer,mac\na,{'9' * 400}\n", "must be a number"),
        ("layer,mac\na,1\nb,2\na,1\n", "line 4 is the same as line 2 (layer 'a'); leave one"),
        ("layer;mac\na;1,234\n", "(= '1,234') may be 1234 or 1.234; write it without marks"),
        ("layer,weight_read_bytes\na,12k\n", "(= '12k') must be a number"),
        ("variant,layer,mac\nasa,a,1\n,TOTAL,1\n", "the total 'TOTAL' does not say of which"),
        (f"layer,mac\n{'a' * 2**20},1\n", "have a line of more than 1,048,576 characters"),
    ],
)
def test_what_cannot_be_true_is_located(tmp_path: Path, text: str, says: str) -> None:
    said = fault(tmp_path, text)
    assert says in said
    assert len(said) < 240


def test_a_name_with_two_rows_is_said(tmp_path: Path) -> None:
    [counts], said = read(tmp_path, "layer,mac\nconv,1\nconv,2\nconv,4\n")
    assert counts.total(Op.MAC) == 7
    assert said == "names of several rows, all of which are added: conv"


def test_the_same_row_of_another_variant_or_phase_is_no_repetition(tmp_path: Path) -> None:
    rows = "asa,prefill,a,1\nssa,prefill,a,1\nasa,decode@4,a,1\n"
    found, said = read(tmp_path, f"variant,phase,layer,mac\n{rows}")
    assert (len(found), said) == (3, "")


def test_bytes_without_a_width_are_bytes(tmp_path: Path) -> None:
    # 1,000 MACs at 2 pJ; 400 bytes read at 3 pJ and 8 written at 5, on a chip of 2-byte values
    table = "layer,mac,weight_read_bytes,activation_write_bytes{}\nfc,1000,400,8{}\n"
    int16 = chip({"mac": 2.0}, value_bytes=2)
    [plain], said = read(tmp_path, table.format("", ""))
    assert said == "bytes are taken as those that the hardware moves, without 'value_bytes'"
    assert estimate(plain, int16).energy_pj() == 2000 + 1200 + 40
    [wide], said = read(tmp_path, table.format(",value_bytes", ",4"))
    assert (estimate(wide, int16).energy_pj(), said) == (2000 + 600 + 20, "")


def test_a_table_without_a_width_is_written_and_read_back(tmp_path: Path) -> None:
    from energy.counts import to_csv

    found, _ = read(tmp_path, "layer,mac,weight_read_bytes\nfc,1,4\n")
    again, said = read(tmp_path, to_csv(found))
    assert (again, said) == (found, "")


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_table_has_one_mark_before_fractions(tmp_path: Path, delimiter: str) -> None:
    # 1.234 beside 1,5 may be 1,234: a factor of a thousand
    text = "layer;mac\na;1.234\nb;1,5\n".replace(";", delimiter)
    said = fault(tmp_path, text)
    assert said == (
        "line 3, column 'mac' (= '1,5') has ',' before a fraction, and other rows have '.'"
    )


def test_a_bill_is_no_table_of_counts(tmp_path: Path) -> None:
    # as `layers.csv` has it: without bytes and scalar operations, whose energy would be lost
    text = "hw,layer,mac,compute_pj,memory_pj,energy_pj\n45nm,a,1,4.6,100,104.6\n"
    assert "are a bill of this program" in fault(tmp_path, text)


@pytest.mark.parametrize("rows", ["net,30\na,10\nb,20\n", "a,10\nb,20\nnet,30\n"])
def test_a_row_that_may_be_the_sum_of_all_others_is_named(tmp_path: Path, rows: str) -> None:
    [counts], said = read(tmp_path, f"layer,mac\n{rows}")
    assert counts.total(Op.MAC) == 60
    assert said.startswith("row net has as many operations as all others together; it is added")


@pytest.mark.parametrize("rows", ["a,10\nb,10\n", "a,30\nb,10\nc,10\n", "a,0\nb,0\nc,0\n"])
def test_a_row_that_is_no_sum_is_not_spoken_of(tmp_path: Path, rows: str) -> None:
    assert read(tmp_path, f"layer,mac\n{rows}")[1] == ""


def test_a_table_of_many_columns_takes_as_long_as_it_is(tmp_path: Path) -> None:
    # each of 100,000 headings looked for among all others would take 10^10 steps
    columns = [f"x{i}" for i in range(100_000)]
    _, said = read(tmp_path, f"layer,mac,{','.join(columns)}\na,1{',1' * 100_000}\n")
    assert said.endswith("x5 and 99,994 more")
