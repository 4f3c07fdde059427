from __future__ import annotations

import contextlib
import errno
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import OutputError, prepare_directory
from reports.kit.files import (
    check_output,
    output_directory,
    remove,
    write_atomically,
    write_json,
    write_text,
)
from reports.kit.slugs import slugs


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


def test_the_writer_gets_the_same_name_in_a_directory_beside(tmp_path: Path) -> None:
    given: list[Path] = []

    def write(path: Path) -> None:
        given.append(path)
        path.write_text("new", encoding="utf-8")

    target = tmp_path / "layers_45nm.v2.svg"
    write_atomically(target, write)
    assert given[0].parent.parent == tmp_path
    assert given[0].name == target.name
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
    with pytest.raises(OutputError, match=r"a\.txt' is a directory, and must be a reg"):
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
    with pytest.raises(OutputError, match=r"is a file$"):
        write_text(tmp_path / "file" / "table.csv", "new")


@pytest.fixture
def devices(tmp_path: Path) -> dict[str, Path]:
    """What is there and is no regular file, with a link to one."""
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server, contextlib.chdir(tmp_path):
        server.bind("socket")  # a longer path is none for a socket
    (tmp_path / "link").symlink_to("/dev/full")
    kinds = {"a named pipe": "pipe", "a socket": "socket"}
    return {kind: tmp_path / name for kind, name in kinds.items()} | {"a device": tmp_path / "link"}


@pytest.mark.parametrize("kind", ["a named pipe", "a socket", "a device"])
@pytest.mark.parametrize("write", [check_output, remove, partial(write_text, text="new")])
def test_nothing_but_a_regular_file_is_replaced(
    devices: dict[str, Path], kind: str, write: Callable[[Path], object]
) -> None:
    path = devices[kind]
    before = path.stat()
    with pytest.raises(OutputError) as caught:
        write(path)
    assert str(caught.value) == f"output '{path}' is {kind}, and must be a regular file"
    assert path.stat() == before


def test_a_symbolic_link_stays_and_what_it_points_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    for name in ("older.txt", "absent.txt"):
        (tmp_path / name).symlink_to(f"real/{name}")
    (tmp_path / "real/older.txt").write_text("older", encoding="utf-8")
    for name in ("older.txt", "absent.txt"):
        write_text(check_output(tmp_path / name), "new")
        assert (tmp_path / name).readlink() == Path(f"real/{name}")
        assert (tmp_path / "real" / name).read_text(encoding="utf-8") == "new"
    remove(tmp_path / "older.txt")
    assert [path.name for path in (tmp_path / "real").iterdir()] == ["absent.txt"]
    assert (tmp_path / "older.txt").is_symlink()


def test_a_link_in_a_circle_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OutputError, match="Too many levels of symbolic links"):
        write_text(tmp_path / "a", "new")


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_a_file_has_the_mode_of_the_umask_whatever_a_library_gives_it(
    tmp_path: Path, umask: int
) -> None:
    def private(path: Path) -> None:
        path.touch(mode=0o600)

    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "a", private)
        write_text(tmp_path / "b", "text")
    finally:
        os.umask(before)
    modes = {(tmp_path / name).stat().st_mode & 0o777 for name in "ab"}
    assert modes == {0o666 & ~umask}


@contextlib.contextmanager
def working(code: str) -> Iterator[subprocess.Popen[str]]:
    """Another process, at its work as it has said; it is killed in the end."""
    with subprocess.Popen(
        [sys.executable, "-c", AT_WORK + code], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        try:
            yield process
        finally:
            process.kill()


AT_WORK = """
import sys, time
from pathlib import Path
from reports.kit.files import output_directory, write_atomically

def write(path):
    path.write_text("hal")
    path.with_name(".of-a-library").write_text("h")
    print("at work", flush=True)
    time.sleep(600)
"""


def test_remains_of_the_killed_go_and_what_the_living_write_stays(tmp_path: Path) -> None:
    code = f"write_atomically(Path({str(tmp_path)!r}) / 'a.txt', write)"
    with working(code), working(code) as killed:
        killed.kill()
        killed.wait()
        assert len(list(tmp_path.iterdir())) == 2
        write_text(tmp_path / "b.txt", "text")
        (kept,) = {*tmp_path.iterdir()} - {tmp_path / "b.txt"}
        assert (kept / "a.txt").read_text(encoding="utf-8") == "hal"
    with output_directory(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == ["b.txt"]


def test_what_others_have_called_alike_stays(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".neurt-energy-link").symlink_to("elsewhere")
    (tmp_path / ".neurt-energy-file").write_text("own", encoding="utf-8")
    prepare_directory(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_two_processes_do_not_write_into_one_directory(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with working(f"with output_directory(Path({str(out)!r})) as out: write(out / 'a.txt')"):
        with pytest.raises(OutputError) as caught, output_directory(out):
            pass
        assert str(caught.value) == (
            f"output directory '{out}' is in use by another process; wait for its end, or choose "
            "another --out"
        )
    with output_directory(out):  # the lock went with its process
        pass


def test_an_output_directory_of_failed_work_goes_and_one_that_was_there_stays(
    tmp_path: Path,
) -> None:
    for path in (tmp_path / "runs" / "new", tmp_path):
        with contextlib.suppress(ZeroDivisionError), output_directory(path):
            assert path.is_dir()
            _ = 1 / 0
        assert path.exists() == (path == tmp_path)
    assert list(tmp_path.iterdir()) == []
    with output_directory(tmp_path / "runs") as out:
        write_text(out / "a", "text")
    assert (out / "a").is_file()


@pytest.mark.parametrize("below", ["n" * 300, "/".join(["n" * 200] * 20)], ids=["name", "path"])
@pytest.mark.parametrize("check", [check_output, prepare_directory])
def test_what_is_too_long_is_told_in_one_line_before_anything_is_made(
    tmp_path: Path, below: str, check: Callable[[Path], object]
) -> None:
    with pytest.raises(OutputError, match="File name too long") as caught:
        check(tmp_path / "made" / below)
    assert len(str(caught.value)) <= 300
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_takes_no_longer_paths_is_told_before_work(tmp_path: Path) -> None:
    # PATH_MAX is 4,096 with the final null: a directory may be made there, files in it not.
    path = tmp_path
    while len(str(path)) < 3_900:
        path /= "n" * min(200, 3_900 - len(str(path)))
    path.mkdir(parents=True)
    with pytest.raises(OutputError, match="File name too long"):
        check_output(path / "a.csv")


def test_a_null_character_is_an_output_error(tmp_path: Path) -> None:
    for check in (check_output, prepare_directory, remove):
        with pytest.raises(OutputError, match="null"):
            check(tmp_path / "a\0b")


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_fills_at_the_end_is_an_output_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = write_text(tmp_path / "a.txt", "older")
    monkeypatch.setattr(os, call, full)
    with pytest.raises(OutputError, match=r"a\.txt' cannot be written: No space left on device"):
        write_text(path, "new")
    assert [(p.name, p.read_text(encoding="utf-8")) for p in tmp_path.iterdir()] == [
        ("a.txt", "older")
    ]


def test_a_directory_that_vanishes_is_an_output_error(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with output_directory(out):
        out.rmdir()
        with pytest.raises(OutputError, match="No such file"):
            write_text(out / "a.txt", "text")


@given(st.lists(st.text(max_size=400), max_size=5))
def test_slugs_are_short_ascii_and_all_different(names: list[str]) -> None:
    made = slugs(names)
    assert len({*made}) == len(names)
    for slug in made:
        assert 1 <= len(slug) <= 64 + 2  # and `-2`, `-3`, ... behind equal ones
        assert slug.isascii()
        assert slug.strip("-._")
        assert "/" not in slug


def test_a_name_in_another_script_has_a_slug_of_its_own() -> None:
    first, second = slugs(["模型", "芯片"])
    assert first != second
    assert slugs(["芯片"]) == [second]  # whatever stands before it


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_no_number_that_json_has_no_word_for_reaches_a_file(tmp_path: Path, value: float) -> None:
    write_json(tmp_path / "run.json", {"pj": 1.5})
    with pytest.raises(OutputError, match=r"'run\.json' would hold an infinity or NaN"):
        write_json(tmp_path / "run.json", {"pj": [value]})
    assert (tmp_path / "run.json").read_bytes() == b'{\n  "pj": 1.5\n}\n'
