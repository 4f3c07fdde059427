"""Sources as entries of BibTeX: what a text cites, where that is a work that is known."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import NamedTuple

from reports.kit.latex import latex_escape


class Work(NamedTuple):
    """A work that can be cited."""

    key: str  #: by which LaTeX cites it
    kind: str  #: `article`, `inproceedings`, `misc`
    marks: tuple[str, ...]  #: what a text holds that cites it
    fields: Mapping[str, str]  #: of BibTeX, as plain text


@cache
def known() -> tuple[Work, ...]:
    """The works in `known.toml`."""
    found = tomllib.loads(files(__package__).joinpath("known.toml").read_text(encoding="utf-8"))
    return tuple(Work(key, it.pop("type"), tuple(it.pop("marks")), it) for key, it in found.items())


def cited(text: str) -> list[Work]:
    """The works that a text cites; none where it cites others than those that are known."""
    return [work for work in known() if any(mark in text for mark in work.marks)]


def bibliography(texts: Iterable[str]) -> str:
    """An entry for each work that texts cite, and one for each text that cites none.

    A text stands, as it is, in the `annote` of the works that it cites; one that cites no known
    work is the title of an entry of its own, so that no source is left out.
    """
    cites: dict[str, list[str]] = {}
    unknown: list[Work] = []
    for text in dict.fromkeys(texts):
        works = cited(text)
        for work in works:
            cites.setdefault(work.key, []).append(text)
        if not works:
            key = f"source-{sha256(text.encode()).hexdigest()[:8]}"
            unknown.append(Work(key, "misc", (), {"title": text}))
    entries = [
        _entry(work, {"annote": "; ".join(cites[work.key])})
        for work in known()
        if work.key in cites
    ]
    return "\n".join([*entries, *(_entry(work) for work in unknown)])


def _entry(work: Work, more: Mapping[str, str] | None = None) -> str:
    fields = dict(work.fields) | dict(more or {})
    if "author" not in fields:
        fields |= {"key": work.key}  # by which BibTeX sorts it
    if "eprint" in fields:
        fields |= {"archiveprefix": "arXiv"}
        if work.kind == "misc":  # for styles that know no `eprint`
            fields |= {"howpublished": f"arXiv:{fields['eprint']}"}
    lines = [f"  {name} = {{{_value(name, text)}}}," for name, text in fields.items()]
    return "\n".join([f"@{work.kind}{{{work.key},", *lines, "}", ""])


def _value(name: str, text: str) -> str:
    """A value: escaped, and with the capitals of a title kept."""
    if name in ("doi", "eprint", "key", "pages"):
        return text  # read by programs
    if name == "author" and text.startswith("{"):  # braces keep an organisation together
        return f"{{{_escaped(text[1:-1])}}}"
    return f"{{{_escaped(text)}}}" if name == "title" else _escaped(text)


def _escaped(text: str) -> str:
    """Text as LaTeX prints it; BibTeX counts braces, also those behind a backslash."""
    escaped = latex_escape(text)
    return escaped.replace(r"\{", r"\textbraceleft{}").replace(r"\}", r"\textbraceright{}")
