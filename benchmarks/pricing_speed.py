"""How long it takes to price 1,000 layers on 1,000 profiles in one call.

OMP_NUM_THREADS=1 python benchmarks/pricing_speed.py [--profile]
"""

from __future__ import annotations

import argparse
import cProfile
import itertools
import pstats
import statistics
import time
from dataclasses import replace

import numpy as np

from energy import Counts
from energy.bill.many import price_many
from hwmodels import HardwareProfile, load_profile
from neurt.closed_form.passes import prefill
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import ALIASES
from neurt.spiking.config import SpikingConfig

LAYERS = PROFILES = 1_000
RUNS = 21


def counted(layers: int) -> Counts:
    """So many layers: those of a spiking GPT-2 small, over and over."""
    counts = plan_ssa(ALIASES["gpt2-small"][1], prefill(128), SpikingConfig(), 0.2)
    repeated = itertools.islice(itertools.cycle(counts.layers), layers)
    rows = tuple(replace(row, name=f"{i}.{row.name}") for i, row in enumerate(repeated))
    return replace(counts, layers=rows)


def perturbed(original: HardwareProfile, copies: int) -> list[HardwareProfile]:
    """Copies of a profile, each number off by a factor of its own, up to 2 either way."""
    generator = np.random.default_rng(0)

    def off() -> float:
        return float(2 ** generator.uniform(-1, 1))

    made = []
    for i in range(copies):
        keys = original.model_dump()
        keys["name"] = f"{original.name}-{i}"
        for price in keys["prices"].values():
            price["pj"] *= off()
        for level in keys["memory"].values():
            for number in ("read_pj_per_byte", "write_pj_per_byte"):
                if level[number] is not None:
                    level[number] *= off()
            level["curve"] = [(size, pj * off()) for size, pj in level["curve"]]
        made.append(HardwareProfile.model_validate(keys))
    return made


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--hw", default="45nm", help="profile to perturb (default: 45nm)")
    flags.add_argument("--profile", action="store_true", help="show where the time goes")
    asked = flags.parse_args()
    counts, profiles = counted(LAYERS), perturbed(load_profile(asked.hw), PROFILES)
    took = []
    for _ in range(RUNS):
        start = time.perf_counter()
        price_many(counts, profiles)
        took.append(1e3 * (time.perf_counter() - start))
    print(
        f"{LAYERS:,} layers on {PROFILES:,} copies of {asked.hw}: median "
        f"{statistics.median(took):.1f} ms of {RUNS} runs (first {took[0]:.1f}, least "
        f"{min(took):.1f}, most {max(took):.1f})"
    )
    if asked.profile:
        with cProfile.Profile() as watched:
            price_many(counts, profiles)
        pstats.Stats(watched).sort_stats("cumulative").print_stats(20)


if __name__ == "__main__":
    main()
