from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from energy import Attention, Counts, Label, LayerCount, Levels, Tally, formulas
from energy.bill.layer import ACCOUNTINGS
from energy.compare.breakeven import BreakEven, Part
from energy.formulas import nonlinear
from energy.formulas.arithmetic import ARITHMETIC
from energy.formulas.attention import Product, analog_attention, spikformer
from hwmodels import load_profile, load_profiles
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.grid.reproduce import described
from neurt.loading.source import resolve
from neurt.requests.reproduce import ReproduceRequest
from reports import Run
from reports.breakeven.case import Case, Origin
from reports.kit import style
from reports.reproduce.rows import Reproduction
from reports.roofline.roofline import Roofline, TokenCost
from reports.views.plot_components import per_component
from reports.views.plot_layers import per_layer

GOLDEN = Path(__file__).parents[1] / "golden"

Rows = list[tuple[str, str, Label, Tally]]


def analog(layers: int, width: int, heads: int, vocabulary: int, tokens: int) -> Rows:
    product = Product(heads, tokens, tokens, width // heads, heads, Attention.FULL)
    softmax = nonlinear.softmax(heads, tokens, tokens, attention=Attention.FULL)
    norm = nonlinear.layer_norm(tokens, width)

    def linear(fan_in: int, fan_out: int) -> Tally:
        return formulas.linear(tokens, fan_in, fan_out, bias=True)

    inside = [
        ("ln_1", "LayerNorm", "attention", "norm", norm),
        ("attn.c_attn", "Conv1D", "attention", "qkv", linear(width, 3 * width)),
        ("attn.scores", "MatMul", "attention", "scores", analog_attention("scores", product)),
        ("attn.softmax", "Softmax", "attention", "softmax", softmax),
        ("attn.mix", "MatMul", "attention", "mix", analog_attention("mix", product)),
        ("attn.c_proj", "Conv1D", "attention", "proj", linear(width, width)),
        ("ln_2", "LayerNorm", "ffn", "norm", norm),
        ("mlp.c_fc", "Conv1D", "ffn", "ffn_up", linear(width, 4 * width)),
        ("mlp.act", "GELU", "ffn", "activation", nonlinear.gelu_tanh(tokens * 4 * width)),
        ("mlp.c_proj", "Conv1D", "ffn", "ffn_down", linear(4 * width, width)),
    ]
    return around(inside, layers, width, vocabulary, tokens)


def spiking(
    layers: int, width: int, heads: int, vocabulary: int, tokens: int, timesteps: int
) -> Rows:
    rows, head_width = timesteps * tokens, width // heads
    # Every fourth slot of the Q, K, V projection spikes, every eighth elsewhere.
    head_slots = timesteps * heads * tokens * head_width
    all_heads, events = timesteps * heads, (head_slots // 8, head_slots // 8 * tokens)
    product = Product(all_heads, tokens, tokens, head_width, all_heads, Attention.FULL)

    def neuron(kind: str, channels: int) -> Tally:
        slots = rows * channels
        return formulas.neurons(
            *(slots, slots // 8, channels),
            inputs=slots,
            levels=Levels.BINARY,
            vector=channels,
            arithmetic=ARITHMETIC[kind].ops(slots // timesteps, slots),
        )

    def linear(fan_in: int, fan_out: int, share: int = 8) -> Tally:
        events = rows * fan_in // share
        return formulas.event_linear(
            rows, fan_in, fan_out, events, bias=True, levels=Levels.TERNARY
        )

    norm = nonlinear.layer_norm(tokens, width)
    inside = [
        ("ln_1", "LayerNorm", "attention", "norm", norm),
        ("attn.neuron", "LIF", "attention", "neuron", neuron("LIF", 3 * width)),
        ("attn.c_attn", "EventConv1D", "attention", "qkv", linear(width, 3 * width, 4)),
        ("attn.scores", "MatMul", "attention", "scores", spikformer("scores", product, *events)),
        ("attn.mix", "MatMul", "attention", "mix", spikformer("mix", product, *events)),
        ("attn.c_proj", "EventConv1D", "attention", "proj", linear(width, width)),
        ("ln_2", "LayerNorm", "ffn", "norm", norm),
        ("mlp.neuron", "SignedIF", "ffn", "neuron", neuron("SignedIF", width)),
        ("mlp.c_fc", "EventConv1D", "ffn", "ffn_up", linear(width, 4 * width)),
        ("mlp.c_proj", "EventConv1D", "ffn", "ffn_down", linear(4 * width, width)),
    ]
    return around(inside, layers, width, vocabulary, tokens)


def around(
    inside: list[tuple[str, str, str, str, Tally]],
    layers: int,
    width: int,
    vocabulary: int,
    tokens: int,
) -> Rows:
    return [
        ("wte", "Embedding", Label("embedding", "embedding"), formulas.embedding(tokens, width)),
        *(
            (f"h.{depth}.{name}", kind, Label(block, component, depth), tally)
            for depth in range(layers)
            for name, kind, block, component, tally in inside
        ),
        ("ln_f", "LayerNorm", Label("head", "norm"), nonlinear.layer_norm(tokens, width)),
        (
            "lm_head",
            "Linear",
            Label("head", "lm_head"),
            formulas.linear(tokens, width, vocabulary, bias=False),
        ),
    ]


def counts(variant: str, rows: Rows, **about: Any) -> Counts:
    layers = tuple(LayerCount(name, kind, label, 1, tally) for name, kind, label, tally in rows)
    return Counts(variant, layers, **about)


def make(
    *hw: str,
    command: str = "profile",
    layers: int = 2,
    width: int = 8,
    heads: int = 2,
    vocabulary: int = 50,
    tokens: int = 4,
    model: str = "tiny",
    weights: str = "random(seed=0)",
) -> Run:
    about: dict[str, Any] = {"model": model, "weights": weights, "tokens": tokens}
    settings: dict[str, object] = {"phase": "prefill", "seq_len": tokens}
    return Run(
        command,
        counts(
            "asa",
            analog(layers, width, heads, vocabulary, tokens),
            uncounted={"add": 5, "cumsum": 1},
            **about,
        ),
        counts(
            "ssa",
            spiking(layers, width, heads, vocabulary, tokens, 4),
            timesteps=4,
            uncounted={"add": 5, "mean": 2},
            **about,
        ),
        tuple(load_profile(name) for name in hw or ("45nm",)),
        settings if command == "profile" else settings | {"spike_rate": 0.125},
        {"python": "3.11.9", "neurt-energy": "0.1.0"},
        "2026-01-02T03:04:05+00:00",
    )


@pytest.fixture(scope="session")
def make_run() -> Callable[..., Run]:
    return make


def drawn(kind: str, run: Run) -> Figure:
    [(asa, ssa)] = run.estimates.values()
    by = {"layers": per_layer, "components": per_component}[kind]
    figure = by(asa, ssa, run.title, run.subtitle)
    with mpl.rc_context(style.STYLE):
        FigureCanvasAgg(figure).figure.draw_without_rendering()
    return figure


@pytest.fixture(scope="session")
def draw() -> Callable[[str, Run], Figure]:
    return drawn


@pytest.fixture
def run() -> Run:
    return make("45nm", "loihi")


#: Line of each part: 2 pJ without an event and 16 pJ for one in each slot, against 10 pJ.
PARTS = (
    ("low", "layer", "ffn_up", 0.1),
    ("high", "layer", "ffn_down", 0.8),
    ("ffn block", "block", "", 0.25),
)


@pytest.fixture
def make_case() -> Callable[..., Case]:
    asa, ssa = make("45nm").estimates["45nm"]

    def case(*, measured: bool = False, origin: Origin | None = None) -> Case:
        origin = origin or (Origin.RUN if measured else Origin.CLOSED_FORM)
        found = tuple(
            BreakEven(
                Part(name, kind, component, "a layer", None, None),
                *(accounting, 4, 10.0, 2.0, 2.0 + 16 * rate, rate, 4 * rate),
            )
            for name, kind, component, rate in PARTS
            for accounting in ACCOUNTINGS
        )
        return Case("tiny, measured" if measured else "tiny", origin, asa, ssa, found)

    return case


def roofline(hw: str = "45nm", **changes: object) -> Roofline:
    """One decade per factor 16 of the context; weights shared by the batch."""
    costs = tuple(
        TokenCost(variant, batch, context, 2e6, 8e8 / batch, 1e5 * context, 3e4 + batch, ("exp",))
        for variant in ("asa", "ssa")
        for batch in (1, 8, 64)
        for context in (1, 16, 256, 1000)
    )
    facts: dict[str, object] = {
        "profile": load_profile(hw),
        "dataflow": "layerwise",
        "costs": costs,
        "beyond": tuple(cost._replace(other_traffic=9e4 + cost.batch) for cost in costs),
        "crossings": {("asa", 64): 126},
        "title": "tiny, weights random(seed=0), T = 4",
        "model": "tiny",
        "weights": "random(seed=0)",
        "timesteps": 4,
        "rates": "measured in prefill",
    }
    return Roofline(**{**facts, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def make_roofline() -> Callable[..., Roofline]:
    return roofline


def reproduction(
    rate: float = 0.25, weights: str = "", model: str = "", **changes: Any
) -> Reproduction:
    """Closed forms at an assumed rate; `model` is a name instead of their own."""
    literal = {"forms": ("spikformer",), "tokens": 32, "out": Path("x")}
    asked = ReproduceRequest(**literal | changes)
    profiles, found = load_profiles(asked.hw), []
    for point in asked.points():
        shape, [what] = resolve(point.model).shape, point.stages[0].passes
        assert shape is not None
        how = {"model": model or point.model, "weights": weights or f"assumed(rate={rate})"}
        found.append(
            described(
                point,
                plan_asa(shape, what, point.conventions, **how),
                plan_ssa(shape, what, point.spiking, rate, point.conventions, **how),
                profiles,
            )
        )
    return Reproduction(tuple(found))


@pytest.fixture(scope="session")
def make_reproduction() -> Callable[..., Reproduction]:
    return reproduction


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--rewrite-golden"):
            path.write_text(text, encoding="utf-8", newline="\n")
        assert text == path.read_bytes().decode("utf-8"), (
            f"{name} changed; if it should have, rewrite it with --rewrite-golden"
        )

    return check
