"""`page`: what the page of configurations says is what `plan` says, and anyone can use it."""

from __future__ import annotations

import csv
import json
import math
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browsers import PHONE, WIDE, link_of, violations
from browsers import browser as browser
from config_pages import CONFIGS, HARDWARE, PASSES, Opened, agree
from config_pages import opened as opened
from config_pages import text as text

from hwmodels import load_profile, profile_names
from hwmodels.profile import HardwareProfile
from neurt.browser.models import models
from neurt.cli import main
from reports.config_page.data import config_data

if TYPE_CHECKING:
    from playwright.sync_api import Page

OPTIONS = """() => ['hw', 'model'].map((id) =>
  [...document.getElementById(id).options].map((x) => x.value))"""


def cases() -> Iterator[dict[str, Any]]:
    for number, hw in enumerate(HARDWARE):
        for at, passes in enumerate(PASSES):
            name = [*CONFIGS][(number + at) % len(CONFIGS)]
            yield {"model": "", "config": json.dumps(CONFIGS[name]), "hw": hw, **passes}
    narrow = {"weights": 4.5, "kv": 8, "activations": 12}
    for config in CONFIGS.values():
        yield {"model": "", "config": json.dumps(config), "hw": "45nm", **PASSES[2], **narrow}
    yield {"model": "", "config": json.dumps(CONFIGS["llama"]), "hw": "45nm", "spiking": "off"}


def test_bills_are_those_of_plan(opened: Opened, tmp_path: Path) -> None:
    agree(opened(), [*cases()], tmp_path / "config.json")


def test_all_hardware_but_whole_chips_and_all_models_are_offered(opened: Opened) -> None:
    assert opened().evaluate(OPTIONS) == [HARDWARE, ["", *models()]]
    assert {x["name"] for x in config_data({})["profiles"]} == {*profile_names()} - {"h100", "b200"}


def answer(tab: Page) -> str:
    return tab.locator("#cards").inner_text()


def test_a_configuration_is_pasted_and_a_link_keeps_it(opened: Opened) -> None:
    tab = opened()
    first = answer(tab)
    tab.get_by_label("config.json").first.fill(json.dumps(CONFIGS["mixtral"]))
    tab.get_by_label("Phase").select_option("request")
    tab.get_by_label("Prompt").fill("20")
    tab.get_by_label("Weights, bits").fill("4.5")
    tab.get_by_label("Hardware").select_option("7nm")
    assert tab.locator("#fault").inner_text() == ""
    changed = answer(tab)
    assert changed != first
    assert "request 20+128, batch 1" in tab.locator("#facts").inner_text()
    again = opened(link_of(tab))
    assert answer(again) == changed
    assert again.get_by_label("Prompt").input_value() == "20"
    tab.get_by_role("button", name="Reset").click()
    assert answer(tab) == first


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ("{", "This is no JSON"),
        ("[]", "a configuration is an object"),
        ('{"model_type": "t5"}', "is no decoder of a known family"),
        (json.dumps(CONFIGS["llama"] | {"hidden_size": 0}), "'hidden_size' (= 0) must be an"),
        ('{"hidden_size": 8}', "does not say its 'model_type'"),
        ("", "Paste a config.json"),
    ],
)
def test_what_cannot_be_planned_is_refused_in_a_sentence(
    opened: Opened, config: str, sentence: str
) -> None:
    tab = opened()
    tab.get_by_label("config.json").first.fill(config)
    assert sentence in tab.locator("#fault").inner_text()
    assert not tab.locator("#results").is_visible()  # nothing old stands there
    assert tab.get_by_role("button", name="Download CSV").is_disabled()
    tab.get_by_label("Model", exact=True).select_option("gpt2-small")
    assert tab.locator("#results").is_visible()


def test_a_quantisation_without_known_bits_asks_for_them(opened: Opened) -> None:
    tab = opened()
    config = CONFIGS["llama"] | {"quantization_config": {"quant_method": "aqlm"}}
    tab.get_by_label("config.json").first.fill(json.dumps(config))
    assert "whose bits per weight are not known" in tab.locator("#fault").inner_text()
    tab.get_by_label("Weights, bits").fill("4.5")
    assert tab.locator("#fault").inner_text() == ""
    assert tab.locator("#results").is_visible()


def test_a_saving_is_a_verb_at_each_bound(opened: Opened) -> None:
    """Never as a negative number: 16 events of 0.93 pJ are more than a product of 4.6 pJ."""
    for link, verb in (("rate=0.05", "saves {}"), ("rate=1&timesteps=16", "costs {} more")):
        said = answer(opened(f"#{link}")).partition("With spikes")[2]
        verb = verb.format(r"[\d.]+\s%")
        assert re.search(rf"{verb}\s+of the whole bill, fused\s+{verb}\s+of .* unfused", said), said
        assert not re.search(r"[-\u2212]\d", said)


def test_on_a_phone_the_answer_stands_before_the_questions(opened: Opened) -> None:
    tab = opened(viewport=PHONE)
    cards, form, bars = (top(tab, one) for one in ("#cards", "#form", "#bars"))
    assert cards < form < bars
    tab.get_by_label("Batch").fill("0")
    tab.get_by_label("KV cache, bits").scroll_into_view_if_needed()
    assert 0 <= top(tab, "#fault") < PHONE["height"]  # what is wrong stays in sight


def top(tab: Page, place: str) -> float:
    return float(tab.locator(place).evaluate("(one) => one.getBoundingClientRect().top"))


def test_the_theme_goes_round(opened: Opened) -> None:
    tab = opened()
    button = tab.get_by_role("button", name="Theme")
    for theme in ("light", "dark", "auto"):
        button.click()
        assert button.inner_text() == f"Theme: {theme}"
        assert tab.evaluate("document.documentElement.dataset.theme") == theme


def test_numbers_out_of_bounds_are_refused_and_nothing_old_is_shown(opened: Opened) -> None:
    tab = opened()
    tab.get_by_label("Batch").fill("0")
    assert "from 1 to" in tab.locator("#fault").inner_text()
    assert tab.get_by_label("Batch").get_attribute("aria-invalid") == "true"
    assert not tab.locator("#results").is_visible()
    tab.get_by_label("Batch").fill("2")
    tab.get_by_label("Weights, bits").fill("33")  # the arithmetic of 45nm has 32
    assert "the width of the arithmetic of 45nm" in tab.locator("#fault").inner_text()
    tab = opened("#batch=1.5&hw=abacus&rate=0.1")
    assert "names batch, hw" in tab.locator("#said").inner_text()
    assert tab.get_by_label("Spikes per slot").input_value() == "0.1"


def test_downloads_are_read_by_price_with_the_same_energies(opened: Opened, tmp_path: Path) -> None:
    tab = opened("#weights=8&model=gpt2-small")
    files = {}
    for button, name in (("counts", "counts.csv"), ("CSV", "energy.csv"), ("TOML", "chip.toml")):
        with tab.expect_download() as download:
            tab.get_by_role("button", name=f"Download {button}").click()
        files[name] = tmp_path / name
        download.value.save_as(files[name])
    profile = HardwareProfile.model_validate(tomllib.loads(files["chip.toml"].read_text()))
    assert profile.widths.weights == 8
    assert "on a page of neurt-energy" in profile.assumptions[-1]  # and of no report
    assert profile.prices == load_profile("45nm").prices
    out = tmp_path / "priced"
    words = [str(files["counts.csv"]), "--hw", str(files["chip.toml"]), "--out", str(out)]
    assert main(["price", *words, "--quiet"]) == 0
    # Of 85 MB of weights 24 MiB are in the SRAM, in the order of the layers: each row differs.
    mine, expected = (
        [(row["variant"], row["layer"], float(row["energy_pj"])) for row in rows_of(path)]
        for path in (files["energy.csv"], out / "energy.csv")
    )
    assert [row[:2] for row in mine] == [row[:2] for row in expected]
    assert len(mine) == 149 + 233 + 2
    assert all(math.isclose(a[2], b[2]) for a, b in zip(mine, expected, strict=True))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return [*csv.DictReader(file)]


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_kept_out(opened: Opened, scheme: str, viewport: dict[str, int]) -> None:
    tab = opened(color_scheme=scheme, viewport=viewport)
    tab.evaluate("() => document.querySelectorAll('details').forEach((x) => { x.open = true; })")
    assert violations(tab) == []
    assert tab.evaluate("document.documentElement.scrollWidth") == viewport["width"]


def test_every_control_is_reached_by_keyboard(opened: Opened) -> None:
    tab = opened()
    order = []
    for _ in range(40):
        tab.keyboard.press("Tab")
        order.append(tab.evaluate("document.activeElement.id || document.activeElement.className"))
    wanted = ["model", "config", "file", "phase", "batch", "seq_len", "attention", "hw", "weights"]
    wanted += ["activations", "kv", "spiking", "timesteps", "rate", "copy", "save-csv"]
    assert [name for name in order if name in wanted][: len(wanted)] == wanted
    tab.get_by_label("Phase").focus()
    tab.keyboard.press("ArrowDown")
    assert "decode" in tab.locator("#facts").inner_text()


def test_a_page_that_is_there_is_not_replaced_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "index.html").write_text("mine")
    assert main(["page", "--out", str(tmp_path)]) == 1
    assert "--force" in capsys.readouterr().err
    assert (tmp_path / "index.html").read_text() == "mine"
