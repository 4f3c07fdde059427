from __future__ import annotations

import math
import os
import socket
from pathlib import Path

import pytest

from hwmodels.errors import UserError
from hwmodels.inputs import check_file, parse_json, parse_toml, read_bytes, read_utf8


class FaultError(UserError):
    pass


def test_a_regular_file_is_read_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfabc")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert check_file(tmp_path / "link", "it", FaultError, 6) == 6
    assert read_utf8(tmp_path / "link", "it", FaultError, 6) == "abc"


def test_what_has_no_end_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        for name, kind in (("pipe", "a named pipe"), ("socket", "a socket")):
            with pytest.raises(FaultError, match=f"it is {kind}, and must be a regular file"):
                read_bytes(tmp_path / name, "it", FaultError, 10)
    with pytest.raises(FaultError, match="is a device"):
        read_bytes(Path("/dev/zero"), "it", FaultError, 10)
    with pytest.raises(FaultError, match="is a directory"):
        read_bytes(tmp_path, "it", FaultError, 10)


def test_a_size_is_looked_at_before_anything_is_read(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(64 << 30)  # 64 GiB of holes
    with pytest.raises(FaultError, match="68,719,476,736 bytes, and at most 1,000"):
        read_bytes(tmp_path / "sparse", "it", FaultError, 1000)


@pytest.mark.parametrize("name", ["missing", "x" * 300, "nul\0"])
def test_a_name_that_cannot_be_opened_is_one_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(FaultError, match=r"it (does not exist|cannot be read)"):
        read_bytes(tmp_path / name, "it", FaultError, 10)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[" * 101 + "]" * 101, "nested deeper than 100"),
        ("[" * 200_000, "nested deeper than 100"),
        ('{"a": NaN}', "holds NaN"),
        ('{"a": -Infinity}', "holds -Infinity"),
        ("[1e400]", "holds 1e400, which is no finite number"),
        ("[1, 2", "cut short"),
        ("9" * 5000, "no valid JSON"),
    ],
)
def test_json_that_cannot_be_true_is_one_sentence(text: str, fault: str) -> None:
    with pytest.raises(FaultError, match=fault):
        parse_json(text, "it", FaultError)


def test_json_of_a_hundred_levels_is_read() -> None:
    assert parse_json("[" * 100 + "]" * 100, "it", FaultError) is not None
    with pytest.raises(FaultError, match="no valid JSON"):
        parse_json(b"\xff\xfe{", "it", FaultError)


def test_a_key_that_is_said_twice_has_one_value() -> None:
    assert parse_json('{"a": [1], "b": 2, "a": [1]}', "it", FaultError) == {"a": [1], "b": 2}
    with pytest.raises(FaultError, match=r"^it says two things of 'layers'; keep one of them$"):
        parse_json('[{"layers": 1, "layers": 2}]', "it", FaultError)


def test_toml_is_read() -> None:
    deep = ".".join("a" * 16)
    text = f'note = "www.{"a." * 5}com is no key"\n[b]\n{deep} = 1  # 15 tables in 2'
    with pytest.raises(FaultError, match="it is nested deeper than 16 levels"):
        parse_toml(text, "it", FaultError)
    assert parse_toml(text.replace("a.a = 1", "a = 1"), "it", FaultError)["note"].startswith("www")


@pytest.mark.parametrize(
    "text",
    [
        "a." * 100_000 + "a = 1",
        "[" + "a . " * 100_000 + "a]",
        "[[" + "'a'." * 60_000 + "a]]",
        '"\\"".' * 40_000 + "a = 1",
        "a = {" + "a." * 100_000 + "a = 1}",
        "a = " + "[" * 200_000,
        "a = " + "[" * 40 + "]" * 40,
        "a = " + "{a=" * 60_000,
        "a = " + "{a=" * 40 + "1" + "}" * 40,
    ],
    ids=lambda text: text[:12],
)
def test_toml_that_is_deep_is_refused_at_once(text: str) -> None:
    # A parser takes a minute for the first; the suite would not end.
    with pytest.raises(FaultError, match="it is nested deeper than 16 levels"):
        parse_toml(text, "it", FaultError)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = ", "Invalid value"),
        ("a = 1\na = 2", "Cannot overwrite a value"),
        ("a = " + "1" * 5_000, "Exceeds the limit"),
        ("a = 1e-400", "the number 1e-400 is smaller than any"),
        ("a\\x1b[31m", r"Expected '='"),
    ],
)
def test_what_is_no_toml_is_said(text: str, says: str) -> None:
    with pytest.raises(FaultError, match=f"it is not valid TOML: .*{says}"):
        parse_toml(text, "it", FaultError)


def test_toml_of_many_values_is_refused() -> None:
    assert len(parse_toml(f"a = [{'1,' * 9_999}]", "it", FaultError)["a"]) == 9_999
    with pytest.raises(FaultError, match="it has 10,001 values, and at most 10,000 are read"):
        parse_toml(f"a = [{'1,' * 10_000}]", "it", FaultError)


def test_what_is_no_finite_number_is_read_where_nobody_computes_with_it() -> None:
    read = parse_json('{"a": [0.0, Infinity, -Infinity, 1e400]}', "it", FaultError, finite=False)
    assert read == {"a": [0.0, math.inf, -math.inf, math.inf]}
    with pytest.raises(FaultError, match=r"^it holds Infinity, which is no finite number$"):
        parse_json('{"a": Infinity}', "it", FaultError)
