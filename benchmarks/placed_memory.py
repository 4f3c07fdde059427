"""Peak memory of `count` on a checkpoint: mapped from its file, or left on the disk.

    python benchmarks/placed_memory.py

Writes a Llama of 135 million parameters with random weights, in FP32 and in BF16, counts it in a
process of its own for each row, and prints the peak resident size over that of the imports alone.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import torch
from peak import peak_mib
from transformers import LlamaConfig, LlamaForCausalLM

from neurt.loading.tokenizer import gpt2_tokenizer

SIZES = {
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "vocab_size": 50257,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": True,
}
IMPORTS = "import torch, transformers, fvcore.nn, pandas, neurt.measure.counting, neurt.verbs.count"
#: Precision of the file, of the run, and where all of it is.
ROWS = (
    ("float32", "float32", None),
    ("bfloat16", "bfloat16", None),
    ("bfloat16", "float32", None),
    ("float32", "float32", "disk"),
    ("bfloat16", "bfloat16", "disk"),
)


def main() -> None:
    with tempfile.TemporaryDirectory() as root:
        torch.manual_seed(0)
        model = LlamaForCausalLM(LlamaConfig(**SIZES))
        for dtype in ("float32", "bfloat16"):
            model.to(getattr(torch, dtype)).save_pretrained(f"{root}/{dtype}")
            gpt2_tokenizer().save_pretrained(f"{root}/{dtype}")
        del model
        placed = Path(root) / "disk.json"
        placed.write_text(json.dumps({"": "disk"}), encoding="utf-8")
        idle = peak_mib(IMPORTS)
        print(f"imports alone {idle:,.0f} MiB")
        for number, (stored, dtype, place) in enumerate(ROWS):
            words = ["count", "--model", f"{root}/{stored}", "--hw", "45nm", "--seq-len", "16"]
            words += ["--dtype", dtype, "--pictures", "none", "--quiet"]
            words += [
                "--out",
                f"{root}/{number}",
                *(["--device-map", str(placed)] if place else []),
            ]
            peak = peak_mib(f"{IMPORTS}\nfrom neurt.cli import main\nassert main({words!r}) == 0")
            file = (Path(root) / stored / "model.safetensors").stat().st_size / 2**20
            print(
                f"file {stored} {file:,.0f} MiB, run {dtype}, {place or 'memory'}: peak over "
                f"imports {peak - idle:,.0f} MiB, {(peak - idle) / file:.2f} of the file"
            )


if __name__ == "__main__":
    main()
