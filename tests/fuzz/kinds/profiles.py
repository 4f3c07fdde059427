"""Hardware profiles, which a user or somebody else wrote as TOML."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from random import Random
from typing import Any

from ..case import Case, Draw
from ..seeds import FOREIGN, PROFILE, Seeds, under
from ..values import RAW, change_bytes, change_tree, put, to_csv, to_toml

_BUILTIN = ("45nm", "loihi", "truenorth", "7nm")
_EXTENSION = {
    **{"extends": "45nm", "name": "mine"},
    "prices": {"mac": {"pj": 3.0, "source": "a bench", "evidence": "measured"}},
}
_COMMANDS = (
    "hw validate my.toml",
    "hw show my.toml",
    "hw show my.toml:int8",
    "hw diff my.toml 45nm",
    "hw new other --extends my.toml",
    "price counts.csv --hw my.toml",
    "price counts.csv --hw my.toml --hw 45nm --json",
    "price counts.csv --hw my.toml --accounting lemaire",
    "check claims.csv --hw my.toml",
    "plan --model model --hw my.toml --seq-len 8 --pictures none --no-page --out run",
    "plan --model model --hw my.toml --phase decode --context 8 --no-page --pictures none --out o",
    "plan --model model --hw my.toml --prompt 4 --generate 3 --card --carbon-intensity 350 "
    "--no-page --pictures none --out run",
    "breakeven --shapes 4x8 --hw my.toml --pictures none --out even",
    "sensitivity run --hw my.toml --samples 50 --pictures none --out study",
    "price counts.csv --hw my.toml --widths weights=4 --fusion unfused --room fixed-order",
    "plan --model model --hw my.toml --seq-len 8 --encoding packed --reuse event=2 --pictures none "
    "--no-page --out run",
    "count --model model --weights random --hw my.toml --seq-len 4 --pictures none --out c",
)

_WRONG: dict[str, tuple[Any, ...]] = {
    "prices.mac.pj": (
        *(-1.0, float("nan"), float("inf"), 1e308, 5e-13, True, "five", "5 kg", "1_000 pJ", [1.0]),
        *("٣ pJ", "", f"{RAW}1e400", f"{RAW}1{'0' * 400}", {"value": 1.0}, "-1 pJ", "1e400 pJ"),
    ),
    "prices.mac.source": ("", "  ", 3, []),
    "prices.mac.evidence": ("guessed", True, ""),
    "prices.mac.spread": ([2, 1], [-1, 2], [1], "wide", [float("nan"), 1]),
    "prices.ac": (4.6, "4.6 pJ", [], {}),
    "prices.macs": ({"pj": 1.0, "source": "s", "evidence": "measured"},),
    "prices.weight_read_bytes": ({"pj": 1.0, "source": "s", "evidence": "measured"},),
    "value_bytes": (0, -1, True, 1e30, "four", float("nan"), 10**20),
    "process_nm": ("45 km", -7, 0, True, 1e30, float("inf")),
    "name": ("", " ", 5, ["a"]),
    "scope": ("all", "", True),
    "dataflow": ("sideways", 1),
    "memory.sram.curve": ([[2, 1.0], [1, 1.0]], [[-1, 1.0]], [[1]], [[1, -2.0]], [[1, 1, 1]], 5),
    "memory.sram.capacity_bytes": (-1, True, "1 MB/s", float("nan"), "much"),
    "memory.dram.read_pj_per_byte": (-1.0, "8 pJ", True, float("inf")),
    "placement.weights": ("l9", [], [1], ["sram", "nowhere"], True),
    "placement.everything": ("sram",),
    "included.mac": ("paid twice",),
    "static_power.watts": (-1, "3 V", float("inf"), True, 1e308),
    "throughput.mac.per_second": (0, -1, float("nan"), True),
    "core.synapses": (-1, 0.5, True),
    "widths.weights": (0, -1, 0.05, 65, 1e30, float("nan"), True, "four", [4], {"bits": 4}),
    "widths.accumulators": (0, 3.7, 65, -8, True, "32"),
    "widths.payloads": (4,),
    "widths": (4, "narrow", [4]),
    "fusion": ("half", "", True, 1, ["fused"]),
    "encoding": ("smallest", "", True, 0),
    "room": ("any", "", True, {}),
    "delivery.pj_per_byte": (-1, True, "1 pJ/s", float("inf"), 1e308),
    "delivery.mac_reuse": (0, -1, 0.5, True, float("nan"), 1e30),
    "delivery.reuse_range": ([2, 1], [0, 1], [1], "wide", [1, float("inf")]),
    "delivery.reuse": (4,),
    "bandwidth.dram.bytes_per_second": (0, -1, True, "10 GB", float("inf"), float("nan"), 1e308),
    "bandwidth.l9": ({"bytes_per_second": 1e9, "source": "s", "evidence": "measured"},),
    "prices.delivery_values": ({"pj": 1.0, "source": "s", "evidence": "measured"},),
    "assumptions": ("one", [1], [""]),
    "extends": (5, "nothing", "my.toml", "../my.toml", "/dev/zero", ""),
    "unknown": (1,),
    "precisions": (5, {"int8": 5}, {"int8": {"extends": "45nm"}}, {"fp32": {}}),
}


def _spoil(random: Random, tree: Any, key: str) -> Any:
    return put(tree, key, random.choice(_WRONG[key]))


def case(draw: Draw, seeds: Seeds) -> Case:
    """A profile, and a command that reads it."""
    kind = draw.choice(("own", "own", "own", "extension", "builtin", "text"))
    if kind == "text":
        text = (files("hwmodels.builtin") / f"{draw.choice(_BUILTIN[:3])}.toml").read_bytes()
        data = draw.changed(text, change_bytes)
    else:
        builtin = (files("hwmodels.builtin") / f"{draw.choice(_BUILTIN[:3])}.toml").read_text()
        tree: Any = {"own": PROFILE, "extension": _EXTENSION, "builtin": tomllib.loads(builtin)}[
            kind
        ]
        if kind == "own":
            tree = draw.spoilt(
                tree,
                [
                    (f"{key} in a profile", lambda r, t, key=key: _spoil(r, t, key))
                    for key in _WRONG
                ],
            )
        data = to_toml(draw.changed(tree, change_tree))
    # A precision may have another value in place of a wrong one.
    words = draw.choice([x for x in _COMMANDS if not (draw.nonsense and "int8" in x)]).split()
    found = {
        "my.toml": data,
        "counts.csv": to_csv(FOREIGN),
        "claims.csv": b"model,ann_ops\na,1e9\n",
    }
    found |= under("model", {"config.json": seeds.model["config.json"]})
    found |= under("run", {"counts.csv": seeds.planned["counts.csv"]}) if "run" in words else {}
    return draw.case(words, found, valid=False)
