"""Peak memory of commands on one model, each in a process of its own, beside what is expected.

    python benchmarks/peak_memory.py [--model gpt2-large]
    python benchmarks/peak_memory.py --model smollm2-135m --commands convert-stream evaluate-stream
    python benchmarks/peak_memory.py --model llama-1b --commands convert-stream evaluate-stream

`llama-1b` is the shape of Llama-3.2-1B (16 layers of 2,048, 8,192 inside, 32 heads, 8 cached ones,
128,256 tokens, tied) with random weights, 4.9 GB, which are written into the directory for
temporary files. Prints the peak resident size of each process, its ratio to the bytes of the
parameters in single precision, and what `plan --memory` expects.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import zlib
from collections.abc import Iterable
from pathlib import Path

from peak import peak_mib

from neurt.families.parameters import parameters
from neurt.loading.source import resolve
from neurt.measure.needs import needs_table
from neurt.requests.passes import PlanRequest
from neurt.text.data import packaged_text

IMPORTS = (
    "import torch, transformers, fvcore.nn, pandas; "
    "import neurt.measure.profiling, reports.views.plot_layers"
)
QUIET = ["--pictures", "none"]
#: Words of each command, after which `--model` and `--out` follow; and its row of `plan --memory`.
COMMANDS = {
    "count": (["count", "--hw", "45nm", *QUIET], "count"),
    "profile": (["profile", "--hw", "45nm", *QUIET, "--no-page"], "profile"),
    "profile-stream": (
        ["profile", "--stream", "--hw", "45nm", *QUIET, "--no-page"],
        "profile --stream",
    ),
    "convert": (["convert"], "convert"),
    "convert-stream": (["convert", "--stream"], "convert --stream"),
    "evaluate": (["evaluate", "--max-tokens", "1024", *QUIET], "evaluate"),
    "evaluate-stream": (
        ["evaluate", "--stream", "--max-tokens", "1024", *QUIET],
        "evaluate --stream, of a converted one",
    ),
    "finetune": (
        ["finetune", "--layer-steps", "2", "--steps", "2", "--held-out-tokens", "256"],
        "finetune",
    ),
}
MIB = 2**20


def command_mib(words: list[str]) -> float:
    return peak_mib(f"from neurt.cli import main\nassert main({words!r}) == 0")


def write_llama(directory: Path) -> None:
    """Write that model one layer at a time, with weights that their names decide."""
    import torch
    from torch import Tensor
    from transformers import AutoConfig

    from neurt.loading.stored import Stored
    from neurt.loading.tokenizer import gpt2_tokenizer
    from neurt.spiking.modeling import analog_class
    from neurt.streaming.shards import write_model
    from neurt.streaming.skeleton import Streamed, skeleton

    config = AutoConfig.for_model(
        "llama",
        **{"num_hidden_layers": 16, "hidden_size": 2048, "intermediate_size": 8192},
        **{"num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256},
        **{"tie_word_embeddings": True, "max_position_embeddings": 131072},
    )
    model = skeleton(analog_class("llama"), config)
    shapes = {name: each.shape for name, each in model.named_parameters()}

    class Drawn(Stored):
        """Weights that are in no file."""

        names = frozenset(shapes)

        def read(self, names: Iterable[str]) -> dict[str, Tensor]:
            return {name: self._draw(name) for name in names}

        def _draw(self, name: str) -> Tensor:
            if len(shapes[name]) == 1:
                return torch.ones(shapes[name])
            draw = torch.Generator().manual_seed(zlib.crc32(name.encode()))
            return torch.empty(shapes[name]).normal_(0, 0.02, generator=draw)

    directory.mkdir()
    write_model(Streamed(model, Drawn([])), gpt2_tokenizer(), directory)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="gpt2-large")
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=["profile"])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out, model = Path(folder), asked.model
        if model == "llama-1b":
            write_llama(out / model)
            model = str(out / model)
        shape = resolve(model).shape
        assert shape is not None, "its sizes must be at hand"
        random = not (Path(model).is_dir() or model.startswith(("smollm2", "gpt2-nano")))
        whole = parameters(shape).total
        plan = PlanRequest(model=model, hw=(), out=out)
        expected = {need.command: need.memory_bytes for need in needs_table(plan, shape).rows}
        print(f"{asked.model}: {whole:,} parameters, {4 * whole / MIB:,.0f} MiB in FP32")
        print(f"imports alone {peak_mib(IMPORTS):,.0f} MiB")
        for name in asked.commands:
            words, row = COMMANDS[name]
            of = model
            if name == "evaluate-stream":  # of a converted model, as it is written by a stream
                of = str(out / "convert-stream")
                if not Path(of).is_dir():
                    command_mib(["convert", "--stream", "--model", model, "--out", of])
            if name == "finetune":
                (out / "text.txt").write_text(packaged_text("passage.txt") * 3, encoding="utf-8")
                words = [*words, "--text", str(out / "text.txt")]
            elif random:
                words = [*words, "--weights", "random"]
            begun = time.perf_counter()
            peak = command_mib([*words, "--model", of, "--out", str(out / name)])
            print(
                f"{name}: peak {peak:,.0f} MiB, {peak * MIB / (4 * whole):.3f} x model; expected "
                f"{expected[row] / MIB:,.0f} MiB ({expected[row] / MIB / peak:.2f} x peak); "
                f"{time.perf_counter() - begun:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
