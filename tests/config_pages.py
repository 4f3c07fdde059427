"""The page of configurations in a browser, and what Python makes of the same questions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browsers import WIDE

from energy import Estimate
from hwmodels import Fusion, Op, load_profiles, profile_names
from hwmodels.profile import HardwareProfile
from neurt.cli import main
from neurt.measure.planning import run_plan
from neurt.measure.planning_analog import is_analog_alone, run_analog_plan
from neurt.requests.passes import PlanRequest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Opened = Callable[..., "Page"]

TINY = {"hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 2}
TINY |= {"intermediate_size": 48, "vocab_size": 101, "max_position_embeddings": 64}
MANY = {"num_local_experts": 4, "num_experts_per_tok": 2}
CONFIGS: dict[str, dict[str, Any]] = {
    "llama": {"model_type": "llama", "num_hidden_layers": 2, **TINY},
    "gpt2": {
        **{"model_type": "gpt2", "n_layer": 3, "n_embd": 24, "n_head": 2, "n_positions": 64},
        **{"vocab_size": 53, "dtype": "bfloat16"},
    },
    "mixtral": {"model_type": "mixtral", "num_hidden_layers": 3, **TINY, **MANY},
}
#: Whole chips have prices of a server and of no operation.
HARDWARE = [x.name for x in load_profiles(profile_names()) if x.whole_chip is None]
PASSES: tuple[dict[str, Any], ...] = (
    {"phase": "prefill", "seq_len": 9, "batch": 2},
    {"phase": "decode", "context": 17, "attention": "causal"},
    {"phase": "request", "prompt": 5, "generate": 7, "timesteps": 2, "rate": 0.05},
)

#: Constants that are set, and how many of the unit of `--set` one of that of the page is.
UNITS = {"prices.mac": 1.0, "prices.ac": 1.0, "memory.dram.read": 1.0, "memory.dram.write": 1.0}
UNITS |= {"memory.sram.capacity": 2.0**20, "delivery.mac_reuse": 1.0, "bandwidth.hbm2": 1e9}

ANSWERS = """(cases) => cases.map((given) => {
  const state = { ...asked.standard(config.data), ...given };
  const { view, spiking } = priced.answer(config.data, state);
  const of = (side) => ({
    total: [...side.total].reduce((a, b) => a + b, 0),
    static: side.static,
    latency: side.latency,
    lacks: side.lacks.some(Boolean),
    unpriced: Object.keys(side.unpriced).sort(),
  });
  const sides = ({ asa, ssa }) => (spiking ? [of(asa), of(ssa)] : [of(asa)]);
  return Object.fromEntries(Object.entries(view.bounds).map(([name, both]) => [name, sides(both)]));
})"""


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("site")
    assert main(["page", "--out", str(out), "--force"]) == 0
    return (out / "index.html").read_text(encoding="utf-8")


@pytest.fixture
def opened(browser: Browser, text: str, tmp_path: Path) -> Iterator[Opened]:
    """Open the page from disk; console messages and requests fail the test."""
    heard: list[str] = []
    contexts = []
    path = tmp_path / "index.html"
    path.write_text(text, encoding="utf-8")

    def show(link: str = "", **how: Any) -> Page:
        context = browser.new_context(**({"viewport": WIDE} | how))
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: heard.append(f"console: {message.text}"))
        tab.on("pageerror", lambda error: heard.append(f"error: {error}"))
        tab.on("request", lambda request: heard.append(request.url))
        tab.goto(path.as_uri() + link)
        return tab

    yield show
    for context in contexts:
        context.close()
    local = path.as_uri()
    assert [line for line in heard if not line.startswith((local, "data:", "blob:"))] == []


def bills(path: Path, case: dict[str, Any], fusion: Fusion) -> list[Estimate]:
    """The bills that `plan` makes."""
    named = ("batch", "attention")
    lengths = {"prefill": ("phase", "seq_len"), "decode": ("phase", "context")}
    phase = case.get("phase", "prefill")
    named += lengths.get(phase, ("prompt", "generate"))
    given = {name: case[name] for name in named if name in case}
    widths = {name: case[name] for name in ("weights", "kv", "activations") if name in case}
    constants = tuple(f"{x}={v * UNITS[x]!r}" for x, v in case.get("set", {}).items())
    more: dict[str, Any] = {"hw": (case["hw"],), "widths": widths, "set": constants}
    path.write_text(case["config"], encoding="utf-8")
    request = PlanRequest(model=str(path), **given, **more)
    if case.get("spiking") == "off" or is_analog_alone(request):
        count = run_analog_plan(request)
        return [*replace(count, profiles=bound(count.profiles, fusion)).estimates.values()]
    spiking = {"timesteps": case.get("timesteps", 4)}
    rate = {"spike_rate": case.get("rate", 0.2)}
    request = PlanRequest(model=str(path), **given, **more, spiking=spiking, **rate)
    run = run_plan(request)
    [both] = replace(run, profiles=bound(run.profiles, fusion)).estimates.values()
    return [*both]


def bound(profiles: tuple[HardwareProfile, ...], fusion: Fusion) -> tuple[HardwareProfile, ...]:
    return tuple(profile.model_copy(update={"fusion": fusion}) for profile in profiles)


def close(found: float | None, expected: float | None) -> bool:
    return found == expected or (
        None not in (found, expected) and math.isclose(found or 0, expected or 0)
    )


def agree(tab: Page, drawn: list[dict[str, Any]], path: Path) -> None:
    """The page gives the bills of `plan` to 1e-9 in all of these cases, at both bounds."""
    for case, page in zip(drawn, tab.evaluate(ANSWERS, drawn), strict=True):
        for bound, sides in page.items():
            made = bills(path, case, Fusion(bound))
            for mine, bill in zip(sides, made, strict=True):
                where = (case, bound)
                assert close(mine["total"], sum(row.total_pj for row in bill.layers)), where
                assert close(mine["latency"], bill.latency_s), where
                assert close(mine["static"], bill.static_pj), where
                lacking = {Op.MAC, Op.AC, Op.SHIFT_AC} & bill.unpriced.keys()
                assert mine["lacks"] == bool(lacking), where
                assert mine["unpriced"] == sorted(bill.unpriced), where
