from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import refused

from neurt.loading.models import gpt2_tokenizer
from neurt.text.data import (
    TextError,
    calibration,
    check_ids,
    copy_texts,
    packaged_text,
    read_text,
    windows,
)

TEXTS = ["passage.txt", "calibration.txt"]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return gpt2_tokenizer()


@pytest.mark.parametrize(("name", "least"), [("passage.txt", 10_000), ("calibration.txt", 1_900)])
def test_the_packaged_texts_are_long_enough(tokenizer: Any, name: str, least: int) -> None:
    assert len(tokenizer.encode(packaged_text(name))) >= least


def test_the_packaged_texts_share_no_paragraph() -> None:
    passage, calibration = (
        {part.strip() for part in packaged_text(name).split("\n\n") if part.strip()}
        for name in TEXTS
    )
    assert len(passage) > 20
    assert calibration
    assert passage & calibration == set()


@pytest.mark.parametrize("name", TEXTS)
def test_the_packaged_texts_are_prose(name: str) -> None:
    text = packaged_text(name)
    assert "\r" not in text
    assert "Gutenberg" not in text
    assert sum(c.isalpha() or c.isspace() for c in text) > 0.9 * len(text)


def test_without_a_file_the_passage_is_read() -> None:
    assert read_text(None) == (
        packaged_text("passage.txt"),
        "Moby-Dick, chapters 1 and 3 (packaged)",
    )


@pytest.fixture
def model(tmp_path: Path) -> Path:
    directory = tmp_path / "my-gpt2"
    directory.mkdir()
    (directory / "heldout.txt").write_text("unseen", encoding="utf-8")
    (directory / "calibration.txt").write_text("one two three " * 300, encoding="utf-8")
    return directory


def test_a_models_own_text_is_its_default(model: Path) -> None:
    assert read_text(None, model) == ("unseen", "heldout.txt of my-gpt2")


def test_a_text_that_is_given_goes_before_the_models_own(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "given.txt"
    path.write_text("given", encoding="utf-8")
    assert read_text(path, model) == ("given", "given.txt")


def test_a_model_without_texts_gets_the_packaged_ones(tokenizer: Any, tmp_path: Path) -> None:
    assert read_text(None, tmp_path) == read_text(None)
    ours, packaged = (calibration(tokenizer, tokens=128, model=model) for model in (tmp_path, None))
    assert torch.equal(torch.cat([*ours.windows]), torch.cat([*packaged.windows]))
    assert ours[1:] == packaged[1:]
    assert ours[1:] == (packaged_text("calibration.txt"), "Moby-Dick, chapter 2 (packaged)")


def test_a_model_is_calibrated_on_its_own_text(tokenizer: Any, model: Path) -> None:
    windows, text, name = calibration(tokenizer, tokens=128, model=model)
    assert name == "calibration.txt of my-gpt2"
    assert torch.cat([*windows]).flatten().tolist() == tokenizer.encode(text)[:512]


def test_a_calibration_text_that_is_too_short_is_named(tokenizer: Any, model: Path) -> None:
    (model / "calibration.txt").write_text("one two three", encoding="utf-8")
    assert (
        refused(TextError, calibration, tokenizer, tokens=128, model=model)
        == "calibration.txt of my-gpt2 has fewer than 512 tokens; lengthen it"
    )


def test_a_file_is_read_as_utf8_and_called_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "größe.txt"
    path.write_bytes("Käse µ 鯨\n".encode())
    assert read_text(path) == ("Käse µ 鯨\n", "größe.txt")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "absent.txt"
    assert refused(TextError, read_text, path) == f"text '{path}' does not exist"


def test_a_directory_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(TextError, match="is a directory, and must be a regular file"):
        read_text(tmp_path)


@pytest.mark.parametrize("content", ["", " \n\t\n"], ids=["nothing", "white space"])
def test_an_empty_text_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "empty.txt"
    path.write_text(content, encoding="utf-8")
    assert (
        refused(TextError, read_text, path)
        == f"text '{path}' is empty; give a text of at least one window"
    )


def test_a_text_in_another_encoding_is_refused_at_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "latin1.txt"
    path.write_bytes("Käse".encode("latin-1"))
    assert refused(TextError, read_text, path) == f"text '{path}' is not UTF-8 text at byte 1"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("words".encode("utf-16"), "is not UTF-8 text at byte 0"),
        ("words".encode("utf-16-le"), "has a null character at 1: it is no text, or one in UTF-16"),
        (b"so\xed\xa0\x80", "is not UTF-8 text at byte 2"),  # half of a surrogate pair
    ],
    ids=["UTF-16", "UTF-16 without a mark", "surrogate"],
)
def test_what_is_no_utf8_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(content)
    with pytest.raises(TextError, match=says):
        read_text(path)


def test_lines_end_alike_and_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\rthree\n")
    assert read_text(path)[0] == "one\ntwo\nthree\n"


def test_a_text_is_a_regular_file_of_a_size(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TextError, match="is a named pipe, and must be a regular file"):
        read_text(tmp_path / "pipe")
    with pytest.raises(TextError, match="text '/dev/zero' is a device, and must be a regular"):
        read_text(Path("/dev/zero"))
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(2**36)
    with pytest.raises(TextError, match="has 68,719,476,736 bytes, and at most 600,000,000 are re"):
        read_text(tmp_path / "sparse")


def test_windows_are_the_start_of_the_text_in_order(tokenizer: Any) -> None:
    text = packaged_text("passage.txt")
    cut = windows(tokenizer, text, tokens=7, batch=3, count=2)
    assert [ids.shape for ids in cut] == [(3, 7), (3, 7)]
    assert {ids.dtype for ids in cut} == {torch.int64}
    assert torch.cat(cut).flatten().tolist() == tokenizer.encode(text)[: 7 * 3 * 2]


def test_a_text_of_exactly_the_tokens_needed_is_enough(tokenizer: Any) -> None:
    # "Hello world" is two tokens.
    assert [
        ids.tolist() for ids in windows(tokenizer, "Hello world", tokens=1, batch=2, count=1)
    ] == [[[15496], [995]]]


def test_a_text_that_is_too_short_says_what_it_has_and_what_is_needed(tokenizer: Any) -> None:
    said = refused(TextError, windows, tokenizer, "Hello world", tokens=128, batch=4, count=3)
    # 3 x 4 x 128 = 1,536
    assert said.startswith(
        "the text has 2 tokens, but 3 windows x batch 4 x 128 tokens need 1,536; "
    )
    assert all(flag in said for flag in ("--text", "--seq-len", "--batch"))


@pytest.mark.parametrize(
    ("tokens", "shapes"),
    [
        (128, [(1, 128)] * 4),
        (64, [(1, 64)] * 8),
        (512, [(1, 512)]),
        (1024, [(1, 512)]),
    ],
)
def test_calibration_takes_512_tokens_in_all(
    tokenizer: Any, tokens: int, shapes: list[tuple[int, int]]
) -> None:
    cut = calibration(tokenizer, tokens=tokens).windows
    assert [ids.shape for ids in cut] == shapes
    start = tokenizer.encode(packaged_text("calibration.txt"))[:512]
    assert torch.cat(cut, dim=1).flatten().tolist() == start


def test_calibration_with_windows_that_do_not_divide_512_stays_below(tokenizer: Any) -> None:
    # 512 = 5 x 100 + 12
    assert [ids.shape for ids in calibration(tokenizer, tokens=100).windows] == [(1, 100)] * 5


def test_a_tokenizer_that_is_not_the_models_is_refused() -> None:
    check_ids([torch.tensor([[0, 99]])], 100)
    with pytest.raises(TextError, match="the id 100, but the model's vocabulary has 100 entries"):
        check_ids([torch.tensor([[0, 1]]), torch.tensor([[100, 2]])], 100)


# WikiText, and a calibration text of the user's own


@pytest.fixture
def wiki(tmp_path: Path) -> Path:
    path = tmp_path / "wiki.txt"
    path.write_text("a well @-@ known , good man 's word . \n" * 60, encoding="utf-8")
    return path


def test_a_text_is_detokenised_where_asked_for_and_says_so(wiki: Path) -> None:
    prose = "a well-known, good man's word.\n"
    assert read_text(wiki, detokenise=True) == (prose * 60, "wiki.txt, detokenised")
    assert read_text(wiki)[1] == "wiki.txt"
    assert "@-@" in read_text(wiki)[0]


def test_only_texts_of_the_user_are_detokenised(tokenizer: Any, model: Path) -> None:
    (model / "heldout.txt").write_text("so @-@ so", encoding="utf-8")
    (model / "calibration.txt").write_text("so @-@ so", encoding="utf-8")
    assert read_text(None, model, detokenise=True) == ("so @-@ so", "heldout.txt of my-gpt2")
    expected = ("so @-@ so", "calibration.txt of my-gpt2")
    how: Any = {"tokens": 2, "total": 2, "detokenise": True}
    assert calibration(tokenizer, model=model, **how)[1:] == expected
    assert read_text(None, detokenise=True) == read_text(None)


@pytest.mark.parametrize("detokenise", [False, True])
def test_a_calibration_text_that_is_given_goes_before_the_models_own(
    tokenizer: Any, model: Path, wiki: Path, detokenise: bool
) -> None:
    how = {"own": wiki, "detokenise": detokenise, "total": 100}
    windows, text, name = calibration(tokenizer, tokens=32, model=model, **how)
    assert (text, name) == read_text(wiki, detokenise=detokenise)
    assert [ids.shape for ids in windows] == [(1, 32)] * 3
    assert torch.cat([*windows]).flatten().tolist() == tokenizer.encode(text)[:96]


@pytest.mark.parametrize(
    ("tokens", "total", "shapes"),
    [
        (128, 2, [(1, 2)]),
        (128, 127, [(1, 127)]),
        (128, 128, [(1, 128)]),
        (128, 255, [(1, 128)]),
        (128, 256, [(1, 128)] * 2),
        (2, 5, [(1, 2)] * 2),
    ],
)
def test_calibration_takes_no_more_tokens_than_asked_for(
    tokenizer: Any, wiki: Path, tokens: int, total: int, shapes: list[tuple[int, int]]
) -> None:
    found = calibration(tokenizer, tokens=tokens, own=wiki, total=total).windows
    assert [ids.shape for ids in found] == shapes


def test_a_calibration_text_of_the_user_that_cannot_be_used_is_named(
    tokenizer: Any, tmp_path: Path, wiki: Path
) -> None:
    with pytest.raises(TextError, match=r"^wiki.txt has fewer than 100000 tokens; lengthen it$"):
        calibration(tokenizer, tokens=32, own=wiki, total=100_000)
    with pytest.raises(TextError, match=r"'.*absent.txt' does not exist"):
        calibration(tokenizer, tokens=32, own=tmp_path / "absent.txt")


def test_texts_of_a_model_are_copied_as_they_are(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (model / "config.json").write_text("{}", encoding="utf-8")
    copy_texts(model, out)
    assert {path.name for path in out.iterdir()} == {"heldout.txt", "calibration.txt"}
    for name in ("heldout.txt", "calibration.txt"):
        assert (out / name).read_bytes() == (model / name).read_bytes()
    (model / "heldout.txt").unlink()
    other = tmp_path / "other"
    other.mkdir()
    copy_texts(model, other)
    copy_texts(None, other)
    assert {path.name for path in other.iterdir()} == {"calibration.txt"}
