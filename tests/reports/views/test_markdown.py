from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from energy import LayerCount, Tally
from hwmodels import Op
from reports import Run
from reports.kit.table import escaped
from reports.views.markdown import summary_markdown

EVIL = "<img src=x onerror=alert(1)>|a*b_c`d`[e](f)\n# g $h$ ~i~"


def test_the_summary_is_the_golden_file(run: Run, golden: Callable[[str, str], None]) -> None:
    golden("summary.md", summary_markdown(run))


def test_markdown_and_html_are_taken_literally() -> None:
    assert escaped(EVIL) == (
        r"&lt;img src=x onerror=alert(1)&gt;\|a\*b\_c\`d\`\[e\](f) \# g \$h\$ \~i\~"
    )
    assert escaped("a & b \\ c") == r"a &amp; b \\ c"


def test_names_in_the_summary_are_escaped(make_run: Callable[..., Run]) -> None:
    run = make_run("45nm")
    # The dearest layer of all, so that it is listed.
    layer = LayerCount(EVIL, "X", calls=1, tally=Tally({Op.MAC: 10**12}, 10**12))
    asa = replace(run.asa, model=EVIL, weights=EVIL, layers=(*run.asa.layers, layer))
    profile = run.profiles[0].model_copy(update={"title": EVIL})
    text = summary_markdown(replace(run, asa=asa, profiles=(profile,)))
    assert "<img" not in text
    assert text.count(escaped(EVIL)) >= 4  # title, weights, hardware, layer
    rows = [line for line in text.splitlines() if line.startswith("| ASA")]
    assert escaped(EVIL) in rows[0]
    assert {line.replace("\\|", "").count("|") for line in rows} == {6}


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({}, "> Weights are random(seed=0): dense counts are"),
        ({"weights": "shipped(tiny)"}, "> Weights: **shipped(tiny)**.\n"),
        ({"weights": ""}, "> Weights: **unknown**.\n"),
        ({"command": "plan"}, "**random(seed=0)**. Closed form: the spike rate is assumed"),
    ],
)
def test_where_the_weights_came_from_comes_first(
    make_run: Callable[..., Run], how: dict[str, str], says: str
) -> None:
    text = summary_markdown(make_run("45nm", **how))
    assert says in text
    assert text.index(says) < text.index("| part |")


def test_what_is_missing_is_said(run: Run) -> None:
    text = summary_markdown(run)
    # LayerNorms: 5 x 4 rows, one root each. Softmax: 2 x 2 heads x 4 x 4; GELU: 2 x 4 x 32.
    assert "ASA without a price on 45nm: exp x 320, sqrt x 20 (" in text
    assert "| attention block | MACs and ACs | unpriced |" in text
    assert "Not modelled: " in text
    assert "64.71-85.28 %" in text


def test_a_model_without_a_price_at_all_lists_no_layers(make_run: Callable[..., Run]) -> None:
    assert "No layer has a price." in summary_markdown(make_run("northpole"))


def test_a_part_that_does_not_occur_is_left_out(make_run: Callable[..., Run]) -> None:
    run = make_run("45nm")
    run = replace(run, asa=run.asa.only(block="ffn"), ssa=run.ssa.only(block="ffn"))
    assert "| attention block |" not in summary_markdown(run)
