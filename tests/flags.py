"""For each flag of a command: a value, and what stands beside it, with which it must show."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

#: Flags by name, with their values; None leaves out one that a command line has otherwise.
Flags = Mapping[str, str | None]
NOTHING: Flags = MappingProxyType({})


class Trial(NamedTuple):
    """A flag with a value, added to a command line."""

    value: str = ""
    beside: Flags = NOTHING  #: what stands there too, without it and with it
    #: where: in `numbers` of tables, `names` of files, `words`, the `card`, `widths` of pictures
    shows: str = "numbers"
    alone: str = ""  #: why it is refused without what stands beside it


def trials(**flags: Trial | str) -> dict[str, Trial]:
    """Trials by flag; a text is the value of one that needs nothing beside it."""
    return {
        name.replace("_", "-"): Trial(trial) if isinstance(trial, str) else trial
        for name, trial in flags.items()
    }


IDLE = "has no effect here"
PASS = trials(
    phase="decode",
    seq_len="7",
    context=Trial("9", {"phase": "decode"}, alone=IDLE),
    batch="2",
    attention="causal",
)
REQUEST = PASS | trials(
    windows="2",
    prompt=Trial("5", {"generate": "2", "prompt": "4"}),
    generate=Trial("3", {"generate": "2", "prompt": "4"}),
)
CONVERSION = trials(
    timesteps="3",
    form="spikformer",
    code="sar",
    attention_code="sar",
    key_value="streamed",
    resolution="1",
    head=Trial(),
    coders=Trial("layer", {"model": "smollm2-135m"}),  # GPT-2 has one layer where others have three
)
STORED = trials(
    hw="7nm",
    set="prices.mac=0.5pJ",
    widths="weights=8",
    room=Trial("fixed-order", {"hw": "small.toml"}),
)
BOUND = trials(fusion="unfused")
EXECUTED = STORED | trials(dataflow="stepwise", encoding="packed", reuse="event=1")
TIMED = EXECUTED | trials(
    latency_s=Trial("asa=1e-6,ssa=2e-6", {"hw": "warm.toml"}, alone="has no static power")
)
TWO_MACHINES = trials(
    asa_hw=Trial("45nm", {"hw": None, "asa-hw": "7nm", "ssa-hw": "loihi"}),
    ssa_hw=Trial("7nm", {"hw": None, "asa-hw": "45nm", "ssa-hw": "loihi"}),
)
COMPARED = TIMED | BOUND | TWO_MACHINES | trials(mixed=Trial())
PICTURED = trials(pictures=Trial("png", shows="names"))
FITTED = PICTURED | trials(
    pictures_fit=Trial("one", {"pictures": "png"}, shows="widths", alone=IDLE)
)
SHOWN = PICTURED | trials(
    no_page=Trial(beside={"no-page": None}, shows="names"), details=Trial(shows="words")
)
CARD = trials(
    card=Trial(shows="names"),
    carbon_intensity=Trial("350", {"card": ""}, shows="card", alone=IDLE),
)
#: What is tested by itself: where a command writes, how it talks, and where a model runs
#: (test_devices, test_spread), which changes no count. `--page` is the default.
EVERYWHERE = {"help", "out", "force", "json", "quiet", "page", "device", "device-map"}

NETWORK: Flags = {"model": "net.nir", "weights": None}
MODEL = {"model": "model", "hw": "45nm", "pictures": "none"}
#: A command, what it is called with, and its flags.
COMMANDS: dict[str, tuple[Flags, dict[str, Trial]]] = {
    "plan": (
        {**MODEL, "no-page": ""},
        REQUEST
        | CONVERSION
        | COMPARED
        | SHOWN
        | CARD
        | trials(
            model="other",
            spike_rate="0.3",
            active_rate="0.3",
            analog=Trial(shows="names"),
            memory=Trial(shows="names"),
            mla=Trial(
                "absorbed",
                {"model": "deepseek-ai/DeepSeek-V3", "phase": "decode"},
                alone="has no effect here: a prefill expands in both",
            ),
            gpus=Trial(
                "2",
                {"hw": "h100", "prompt": "4", "generate": "2"},
                alone="has no effect on '45nm', which prices operations",
            ),
        ),
    ),
    "count": (
        {**MODEL, "weights": "random"},
        PASS
        | STORED
        | BOUND
        | PICTURED
        | CARD
        | trials(
            model="other",
            windows="2",
            seed=Trial("1", {"zeros": ""}),
            dtype=Trial("bfloat16", shows="words"),
            text=Trial("text.txt", {"zeros": ""}),
            zeros=Trial(),
            verify=Trial(shows="words"),
            details=Trial(shows="words"),
            weights=Trial("auto", {"model": "gpt2-nano"}, shows="words"),
            timesteps=Trial("7", NETWORK, alone=IDLE),
            input_rate=Trial("0.4", NETWORK, alone=IDLE),
            input=Trial("events.npy", NETWORK, alone=IDLE),
            exporter=Trial("snntorch", NETWORK, alone=IDLE),
            dt=Trial("2e-5", NETWORK, alone=IDLE),
        ),
    ),
    "price run/counts.csv": (
        {"hw": "45nm"},
        TIMED
        | BOUND
        | TWO_MACHINES
        | trials(accounting=Trial("lemaire", {"hw": "45nm-int32"}, shows="names")),
    ),
    "breakeven": (
        MODEL,
        PASS | CONVERSION | EXECUTED | FITTED | trials(model="other", shapes="8x8", run="run"),
    ),
    "map": (
        {
            **MODEL,
            "batches": "1",
            "contexts": "8",
            "weight-bits": "8",
            "sram": "1KiB",
        },
        CONVERSION
        | EXECUTED
        | PICTURED
        | trials(
            model="other",
            run=Trial("run", {"model": None}),
            phase="prefill",
            batches="2",
            contexts="9",
            weight_bits="4.5",
            sram="2KiB",
            attention=Trial("causal", {"phase": "prefill"}, alone=IDLE),
            spike_rate="0.3",
            active_rate="0.3",
            widths="kv=8",
            reuse=Trial("event=1", {"phase": "prefill"}),
        ),
    ),
    "sensitivity run": (
        {"hw": "45nm", "pictures": "none", "samples": "20"},
        TIMED | PICTURED | trials(samples="21", seed="1", block=Trial("ffn", shows="words")),
    ),
    "report run": (
        {"pictures": "none", "no-page": ""},
        SHOWN
        | FITTED
        | trials(
            compare=Trial(shows="names"),
            parquet=Trial(shows="names"),
            latex=Trial(shows="names"),
            latex_fit=Trial("two", {"latex": ""}, shows="words", alone=IDLE),
            measured=Trial("", {"compare": ""}, shows="names", alone="put it beside others"),
        ),
    ),
    "check claims.csv": (
        {},
        trials(hw="45nm-int8", set="prices.mac=5.2pJ", tolerance="0.2"),
    ),
}
