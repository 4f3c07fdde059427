from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from builders import refused

from hwmodels import Op
from neurt.measure.planning import run_plan
from neurt.requests.passes import PlanRequest
from reports import Run
from reports.kit.caveats import NOT_MODELLED
from reports.kit.files import OutputError
from reports.page.page import embedded, page


class Seen(HTMLParser):
    """Text outside scripts and styles, and every attribute that could fetch something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.inside: list[str] = []
        self.words: list[str] = []
        self.fetched: list[str] = []
        self.ids: list[str] = []
        self.data = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        about = dict(attrs)
        self.fetched += [value or "" for key, value in attrs if key in ("src", "href", "action")]
        self.ids += [about["id"] or ""] if "id" in about else []
        if tag in ("script", "style"):
            self.inside.append(about.get("id") or tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self.inside.pop()

    def handle_data(self, data: str) -> None:
        if not self.inside:
            self.words.append(data)
        elif self.inside == ["data"]:
            self.data += data

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def test_the_same_run_makes_the_same_page(make_run: Callable[..., Run]) -> None:
    assert page(make_run("45nm", "loihi")) == page(make_run("45nm", "loihi"))


def test_nothing_is_fetched(run: Run) -> None:
    text = page(run)
    seen = Seen(text)
    assert set(seen.fetched) == {"#main", "data:,"}
    assert "sourceMappingURL" not in text
    assert "default-src 'none'" in text
    assert len(seen.ids) == len(set(seen.ids))


def test_it_says_what_was_run_and_what_is_missing(make_run: Callable[..., Run]) -> None:
    run = make_run("45nm", weights="local(mine)")
    text = Seen(page(run)).text
    for words in (
        "Model tiny",
        "Weights local(mine)",
        "T = 4",
        "Published for the attention block: 64.71–85.28 % saved, for other weights",
        "arXiv 2510.00133",
        "ASA: cumsum × 1",
        "SSA: mean × 2",
        "seq_len 4",
        "python 3.11.9",
        "2026-01-02T03:04:05+00:00",
        *(line.replace("`", "") for line in NOT_MODELLED),
        *(op.definition for op in Op),
    ):
        assert words in text, words
    assert "Random weights." not in text
    assert "A plan" not in text


def test_an_inference_has_samples_and_layers_and_no_attention(network_run: Run) -> None:
    text = Seen(page(network_run)).text
    assert "Samples 3" in text  # a batch of three
    assert "Energy of each layer" in text
    assert "Energy per sample, by phase" in text
    assert "Energy per sample, 45nm" in text
    for words in ("Attention", "attention block", "transformer layer", "Published", "token,"):
        assert words not in text, words


def test_widths_are_a_line_for_each_hardware(run: Run) -> None:
    used = {"weights": {"bits": [4.156, 16.0], "from": "checkpoint"}}
    settings = {**run.settings, "widths_used": {"45nm": used}}
    text = Seen(page(replace(run, settings=settings))).text
    assert "widths on 45nm weights 4.156 to 16 bits (checkpoint)" in text


def test_random_weights_and_plans_are_announced(make_run: Callable[..., Run]) -> None:
    assert "Random weights. Weights are random(seed=0)" in Seen(page(make_run("45nm"))).text
    planned = make_run("45nm", command="plan", weights="none(closed form)")
    words = "A plan, not a measurement. Counts are in closed form, at an assumed 0.125 spikes"
    assert words in Seen(page(planned)).text


def test_markup_in_names_is_text(make_run: Callable[..., Run]) -> None:
    evil = "</script><b>&amp;<!--"
    run = make_run("45nm", model=evil)
    seen = Seen(page(replace(run, settings={evil: {evil: evil}})))
    assert json.loads(seen.data)["run"]["phases"][0]["asa"]["model"] == evil
    assert f"Model {evil}" in seen.text
    assert "<" not in embedded({"<": "<!--"})


def test_a_page_that_would_hold_no_number_is_one_line() -> None:
    said = refused(OutputError, embedded, {"threshold": math.nan})
    assert "the page would hold an infinity or NaN" in said


def test_a_page_of_gpt2_large_is_small() -> None:
    what = {"model": "gpt2-large", "hw": ("45nm", "loihi"), "prompt": 128, "generate": 4}
    text = page(run_plan(PlanRequest.model_validate(what | {"out": Path()})))
    assert len(text.encode()) <= 6_000_000
