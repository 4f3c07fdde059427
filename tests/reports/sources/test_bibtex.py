from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pybtex.database import BibliographyData, parse_string

from energy.literature.lemaire import SOURCE as LEMAIRE_SOURCE
from hwmodels import load_profile, profile_names
from hwmodels.shelf import measured
from reports import Run
from reports.kit.caveats import PUBLISHED_SOURCE
from reports.sources.bibtex import bibliography, cited, known
from reports.sources.run import profile_sources, sources_bib

#: What each type of entry must say.
REQUIRED = {
    "article": {"author", "title", "journal", "year"},
    "inproceedings": {"author", "title", "booktitle", "year"},
    "misc": {"title"},
}


def parsed(text: str) -> BibliographyData:
    return parse_string(text, "bibtex")  # raises at a fault


def shipped() -> list[str]:
    profiles = [x for name in profile_names() for x in profile_sources(load_profile(name))]
    return [*profiles, *(one.figure.source for one in measured())]


def test_every_source_that_is_shipped_is_a_known_work() -> None:
    assert [text for text in shipped() if not cited(text)] == []


def test_every_known_work_is_cited() -> None:
    method = [PUBLISHED_SOURCE, LEMAIRE_SOURCE, "arXiv 2209.15425"]
    found = {work.key for text in (*shipped(), *method) for work in cited(text)}
    assert {work.key for work in known()} == found


def test_each_entry_has_what_its_type_wants() -> None:
    entries = parsed(bibliography([*shipped(), PUBLISHED_SOURCE])).entries
    assert len(entries) == len(known()) - 2  # none cites Spikformer, or the model of Lemaire et al.
    for entry in entries.values():
        has = {*entry.fields, *(["author"] if entry.persons else [])}
        assert REQUIRED[entry.type] <= has
        assert re.fullmatch(r"\d{4}", entry.fields.get("year", "2000"))
        assert re.fullmatch(r"10\.\d{4,}/\S+", entry.fields.get("doi", "10.1000/x"))
        assert re.fullmatch(r"\d{4}\.\d{5}", entry.fields.get("eprint", "2000.00000"))
        if "eprint" in entry.fields:
            assert entry.fields["archiveprefix"] == "arXiv"


def test_a_work_says_what_is_cited_of_it() -> None:
    text = "fp32 add, fig. 1.1.9, doi 10.1109/ISSCC.2014.6757323"
    [(key, entry)] = parsed(bibliography([text, text])).entries.items()
    assert key == "horowitz2014"
    assert entry.fields["annote"] == text


def test_a_text_may_cite_two_works() -> None:
    text = "as in PMC8934428; add, doi 10.1109/ISSCC.2014.6757323"
    assert set(parsed(bibliography([text])).entries) == {"horowitz2014", "pmc8934428"}


@given(st.text(min_size=1))
def test_a_source_that_is_not_known_is_an_entry_of_its_own(text: str) -> None:
    entries = parsed(bibliography([text, "datasheet, table 4"])).entries
    assert len(entries) == 2
    assert [x.fields["title"] for x in entries.values()][1] == "{datasheet, table 4}"
    assert {x.type for x in entries.values()} == {"misc"}


def test_a_run_cites_its_prices_and_the_figures_beside_it(make_run: Callable[..., Run]) -> None:
    found = parsed(sources_bib([make_run("loihi")])).entries
    assert {"davies2018", "balaji2025"} <= set(found)
    assert not {"horowitz2014", "zhou2022", "chung2025"} & set(found)
    both = parsed(sources_bib([make_run("loihi"), make_run("45nm")], ["arXiv 2511.15950"])).entries
    assert {"davies2018", "balaji2025", "horowitz2014", "debole2025"} <= set(both)


@pytest.mark.parametrize(("form", "cites"), [("spikformer", True), ("softmax", False)])
def test_the_form_of_attention_has_a_source(
    make_run: Callable[..., Run], form: str, cites: bool
) -> None:
    run = make_run("45nm")
    run.settings["spiking"] = {"form": form}  # type: ignore[index]
    assert ("zhou2022" in parsed(sources_bib([run])).entries) is cites


def test_authors_stand_in_full_where_they_were_read() -> None:
    # Two works whose lists of authors no public record gave in full; all others name each of them.
    short = {work.key for work in known() if "others" in work.fields.get("author", "").split()}
    assert short == {"xu2025", "appuswamy2024"}
    # Jouppi et al. 2017 lists 76 authors, Davies et al. 2018 23, Merolla et al. 2014 20.
    entries = parsed(bibliography([*shipped(), PUBLISHED_SOURCE])).entries
    authors = {key: len(entry.persons.get("author", ())) for key, entry in entries.items()}
    assert (authors["jouppi2017"], authors["davies2018"], authors["merolla2014"]) == (76, 23, 20)
