from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reports import OutputError, prepare_directory
from reports.kit.files import slugs, write_atomically, write_text


def test_a_directory_is_made_with_its_parents_and_left_empty(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "one"
    assert prepare_directory(path) == path
    assert list(path.iterdir()) == []


def test_a_directory_that_exists_keeps_its_files(tmp_path: Path) -> None:
    (tmp_path / "older.csv").write_text("older", encoding="utf-8")
    prepare_directory(tmp_path)
    assert [(p.name, p.read_text(encoding="utf-8")) for p in tmp_path.iterdir()] == [
        ("older.csv", "older")
    ]


@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_file_in_the_way_of_a_directory_is_named(tmp_path: Path, below: str) -> None:
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    path = tmp_path / "taken" / below
    with pytest.raises(OutputError, match=r"cannot be written: .+; choose another --out") as caught:
        prepare_directory(path)
    assert f"output directory '{path}'" in str(caught.value)
    assert (tmp_path / "taken").read_text(encoding="utf-8") == "a file"


def test_a_directory_whose_name_is_too_long_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="File name too long; choose another --out"):
        prepare_directory(tmp_path / ("n" * 300))


def test_text_is_written_as_utf8_with_unix_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    assert write_text(path, "layer\nµ\n") == path
    assert path.read_bytes() == b"layer\n\xc2\xb5\n"


def test_the_writer_gets_a_new_name_in_the_same_directory_with_the_suffix_kept(
    tmp_path: Path,
) -> None:
    given: list[Path] = []

    def write(path: Path) -> None:
        given.append(path)
        path.write_text("new", encoding="utf-8")

    target = tmp_path / "layers_45nm.v2.svg"
    write_atomically(target, write)
    assert given[0].parent == tmp_path
    assert given[0].suffix == ".svg"
    assert given[0] != target
    assert [p.name for p in tmp_path.iterdir()] == ["layers_45nm.v2.svg"]


def test_an_older_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("older and longer", encoding="utf-8")
    write_text(path, "new")
    assert path.read_text(encoding="utf-8") == "new"


def half_then(error: BaseException) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_text("hal", encoding="utf-8")
        raise error

    return write


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()], ids=["bug", "interrupt"])
def test_an_error_half_way_passes_through_and_leaves_the_older_file(
    tmp_path: Path, error: BaseException
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("older", encoding="utf-8")
    with pytest.raises(type(error)):
        write_atomically(path, half_then(error))
    assert [(p.name, p.read_text(encoding="utf-8")) for p in tmp_path.iterdir()] == [
        ("a.txt", "older")
    ]


def test_an_operating_system_error_half_way_names_the_file_and_leaves_the_older_one(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("older", encoding="utf-8")

    def write(temporary: Path) -> None:
        temporary.write_text("hal", encoding="utf-8")
        with Path("/dev/full").open("w", encoding="utf-8") as full:
            full.write("f")

    with pytest.raises(OutputError) as caught:
        write_atomically(path, write)
    assert str(caught.value) == f"'{path}' cannot be written: No space left on device"
    assert [(p.name, p.read_text(encoding="utf-8")) for p in tmp_path.iterdir()] == [
        ("a.txt", "older")
    ]


def test_a_writer_that_writes_nothing_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"a\.txt' cannot be written: No such file or directory"):
        write_atomically(tmp_path / "a.txt", lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_of_the_same_name_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(OutputError, match=r"a\.txt' cannot be written: Is a directory"):
        write_text(tmp_path / "a.txt", "text")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_missing_directory_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No such file or directory"):
        write_text(tmp_path / "absent" / "a.txt", "text")


def test_slugs_are_fit_for_file_names_and_all_different() -> None:
    assert slugs(["45nm", "my chip/2", "my chip:2", "my-chip-2"]) == [
        "45nm",
        "my-chip-2",
        "my-chip-2-2",
        "my-chip-2-3",
    ]


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be written: Not a directory"):
        write_text(tmp_path / "file" / "table.csv", "new")
