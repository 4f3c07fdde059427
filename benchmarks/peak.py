"""The peak memory of a process of its own."""

from __future__ import annotations

import subprocess
import sys


def peak_mib(code: str) -> float:
    """Peak resident size of a Python process that runs some code, in MiB (Linux)."""
    # Not ru_maxrss, which begins with that of the process that started this one.
    report = "print(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0])"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True
    )
    return int(done.stdout.split()[-1]) / 1024
