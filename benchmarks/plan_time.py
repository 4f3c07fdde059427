"""How long a plan of GPT-2 xl takes after import, both variants, priced.

python benchmarks/plan_time.py
"""

from __future__ import annotations

import statistics
import time

from energy import estimate
from hwmodels import load_profile
from neurt.closed_form.passes import prefill
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import ALIASES
from neurt.spiking.config import SpikingConfig


def main() -> None:
    shape = ALIASES["gpt2-xl"][1]
    profile = load_profile("45nm")
    planning, pricing = [], []
    for _ in range(51):
        start = time.perf_counter()
        variants = (
            plan_asa(shape, prefill(1000)),
            plan_ssa(shape, prefill(1000), SpikingConfig(), 0.2),
        )
        middle = time.perf_counter()
        for counts in variants:
            estimate(counts, profile).energy_pj()
        planning.append(middle - start)
        pricing.append(time.perf_counter() - middle)
    print(f"plan {1e3 * statistics.median(planning):.1f} ms, first {1e3 * planning[0]:.1f} ms")
    print(f"price {1e3 * statistics.median(pricing):.1f} ms")


if __name__ == "__main__":
    main()
