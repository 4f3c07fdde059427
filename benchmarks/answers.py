"""What an answer costs: CPU seconds of whole commands, beside loading a model and running it once.

python benchmarks/answers.py [RUNS]

CPU seconds, user and system, are those of the whole process, imports and files included. The first
number is what was spent when the first line of a table was printed.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

BARE = """
import torch
from transformers import GPT2Config, GPT2LMHeadModel
model = GPT2LMHeadModel(GPT2Config()).eval()
with torch.no_grad():
    model(input_ids=torch.arange(128)[None], use_cache=False)
"""
#: Sizes of Llama 3.1 8B.
LLAMA = {
    "model_type": "llama",
    "num_hidden_layers": 32,
    "hidden_size": 4096,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14336,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
}
SMALL = ("--model", "gpt2-small", "--weights", "random", "--hw", "45nm")
COMMANDS: dict[str, tuple[str, ...]] = {
    "load GPT-2 small and run it once": ("-c", BARE),
    "--help": ("-m", "neurt.cli", "--help"),
    "plan, GPT-2 xl": ("-m", "neurt.cli", "plan", "--model", "gpt2-xl", "--hw", "45nm"),
    "plan, GPT-2 xl, no pictures": (
        *("-m", "neurt.cli", "plan", "--model", "gpt2-xl", "--hw", "45nm"),
        *("--pictures", "none", "--no-page"),
    ),
    "plan, a config.json of 8B": ("-m", "neurt.cli", "plan", "--model", "llama", "--hw", "45nm"),
    "count, GPT-2 small": ("-m", "neurt.cli", "count", *SMALL, "--seq-len", "128"),
    "profile, GPT-2 small": ("-m", "neurt.cli", "profile", *SMALL, "--seq-len", "128"),
}


def cpu_s(words: tuple[str, ...], directory: Path) -> tuple[float | None, float]:
    """CPU seconds until the first table, where there is one, and until the end."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen(
        [sys.executable, *words], stdout=subprocess.PIPE, cwd=directory, env=environment
    )
    assert process.stdout is not None
    first = None
    for line in process.stdout:
        if first is None and line.decode().startswith(("━", "─", "┏", "╭")):
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            first = sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {process.returncode}")
    return first, used.ru_utime + used.ru_stime


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    print(f"{'CPU seconds of the process':34} {'table':>6} {'end':>6} {'least':>6}")
    for name, words in COMMANDS.items():
        with tempfile.TemporaryDirectory() as place:
            directory = Path(place)
            (directory / "llama").mkdir()
            (directory / "llama" / "config.json").write_text(json.dumps(LLAMA))
            out = ("--out", "out", "--force") if "--hw" in words else ()
            measured = [cpu_s((*words, *out), directory) for _ in range(runs)]
        tables = [first for first, _ in measured if first is not None]
        ends = [end for _, end in measured]
        table = f"{statistics.median(tables):.2f}" if tables else ""
        print(f"{name:34} {table:>6} {statistics.median(ends):6.2f} {min(ends):6.2f}", flush=True)


if __name__ == "__main__":
    main()
