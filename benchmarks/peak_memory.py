"""Peak memory of one command on one model, in a process of its own.

    python benchmarks/peak_memory.py [--model gpt2-large] [--seq-len 128]
    python benchmarks/peak_memory.py --model smollm2-135m --evaluate

Prints the peak resident size of the whole process, that of a process that only imports what
profiling imports, and the size of the model's parameters.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from neurt.families.parameters import parameters
from neurt.loading.source import resolve
from neurt.text.data import packaged_text

IMPORTS = (
    "import torch, transformers, fvcore.nn, pandas; "
    "import neurt.measure.profiling, reports.views.plot_layers"
)


def peak_mb(code: str) -> float:
    report = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True
    )
    return int(done.stdout.split()[-1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="gpt2-large")
    parser.add_argument("--seq-len", default="128", help="of `profile`")
    parser.add_argument(
        "--evaluate",
        action="store_true",
        help="convert (dead zones by loss, 4,096 tokens) and evaluate instead, windows of 512",
    )
    asked = parser.parse_args()
    shape = resolve(asked.model).shape
    assert shape is not None, "its sizes must be at hand"
    size = parameters(shape).total * 4 / 2**20
    words = ["profile", "--hw", "45nm", "--weights", "random", "--seq-len", asked.seq_len]
    with tempfile.TemporaryDirectory() as out:
        if asked.evaluate:
            calibration = Path(out) / "calibration.txt"
            calibration.write_text(packaged_text("passage.txt"), encoding="utf-8")
            words = ["evaluate", "--form", "softmax", "--code", "pow2", "--dead-zone", "loss"]
            words += ["--calibration", str(calibration), "--calibration-tokens", "4096"]
            words += ["--window", "512", "--stride", "512", "--max-tokens", "2048"]
        words += ["--model", asked.model, "--out", f"{out}/run"]
        peak = peak_mb(f"from neurt.cli import main\nmain({words!r})")
    idle = peak_mb(IMPORTS)
    print(f"{asked.model}: {parameters:,} parameters, {size:,.0f} MiB in FP32")
    print(f"peak {peak:,.0f} MiB, imports alone {idle:,.0f} MiB")
    print(
        f"(peak - imports) / model = {(peak - idle) / size:.3f}, peak / model = {peak / size:.3f}"
    )


if __name__ == "__main__":
    main()
