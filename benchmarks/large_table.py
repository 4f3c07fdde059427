"""CPU time and peak memory of `price` on a table of many rows, in a process of its own.

python benchmarks/large_table.py [--rows 3000000]
"""

from __future__ import annotations

import argparse
import random
import resource
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--rows", type=int, default=3_000_000)
    rows = flags.parse_args().rows
    draw = random.Random(0).randrange
    with tempfile.TemporaryDirectory() as out:
        table = Path(out) / "counts.csv"
        with table.open("w", encoding="utf-8") as file:
            file.write("layer,mac,ac\n")
            file.writelines(f"h.{i}.fc,{draw(10**9)},{draw(10**9)}\n" for i in range(rows))
        words = ["price", str(table), "--hw", "45nm", "--out", out, "--quiet"]
        subprocess.run([sys.executable, "-m", "neurt.cli", *words], check=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{rows:,} rows: {used.ru_utime + used.ru_stime:.1f} s of CPU, "
        f"{used.ru_maxrss / 2**10:,.0f} MiB at most"
    )


if __name__ == "__main__":
    main()
