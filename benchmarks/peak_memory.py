"""Peak memory of profiling one model in a process of its own.

    python benchmarks/peak_memory.py [--model gpt2-large] [--seq-len 128]

Prints the peak resident size of the whole process, that of a process that only imports what
profiling imports, and the size of the model's parameters.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile

from neurt.families import ALIASES

IMPORTS = "import torch, transformers, fvcore.nn, neurt.profiling, reports.plot_layers, pandas"


def peak_mb(code: str) -> float:
    report = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True
    )
    return int(done.stdout.split()[-1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="gpt2-large", choices=ALIASES)
    parser.add_argument("--seq-len", default="128")
    asked = parser.parse_args()
    shape = ALIASES[asked.model][1]
    width, inner = shape.width, shape.inner
    per_layer = 4 * width * width + 2 * width * inner + 9 * width + inner
    parameters = (shape.vocabulary + shape.positions) * width + shape.layers * per_layer + 2 * width
    size = parameters * 4 / 2**20
    with tempfile.TemporaryDirectory() as out:
        words = ["profile", "--model", asked.model, "--hw", "45nm", "--weights", "random"]
        words += ["--seq-len", asked.seq_len, "--out", out]
        peak = peak_mb(f"from neurt.cli import main\nmain({words!r})")
    idle = peak_mb(IMPORTS)
    print(f"{asked.model}: {parameters:,} parameters, {size:,.0f} MiB in FP32")
    print(f"peak {peak:,.0f} MiB, imports alone {idle:,.0f} MiB")
    print(
        f"(peak - imports) / model = {(peak - idle) / size:.3f}, peak / model = {peak / size:.3f}"
    )


if __name__ == "__main__":
    main()
