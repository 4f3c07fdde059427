"""Valid inputs, made with the product itself, that others are made of by changing them."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .case import Files
from .values import Rows, from_csv

#: Sizes of a GPT-2 that answers at once.
SIZES = "--layers 1 --width 8 --heads 2 --vocabulary 270 --positions 16 --seed 3"
TRAINING = "--tokens 8 --steps 4 --warmup-steps 1 --batch 2 --save-every 2"
CALIBRATION = "--calibration-tokens 16"
SWEEP = f"--forms spikformer --codes signed_if --timesteps 2 --thresholds 1 {CALIBRATION}"
SWEEP += " --max-tokens 16 --window 8 --pictures none"
_WORDS = "The whale swims in the sea, and the sea is wide. Who counts the waves, 1 2 3? "

#: A profile with one of everything.
PROFILE = {
    "name": "mine",
    "title": "A chip of mine",
    "process_nm": 45,
    "precision": "fp32",
    "value_bytes": 4,
    "scope": "per_term",
    "dataflow": "layerwise",
    "assumptions": ["No wires."],
    "prices": {
        "mac": {"pj": 4.6, "source": "a bench", "evidence": "measured", "note": "n"},
        "ac": {"pj": "0.9 pJ", "source": "a bench", "evidence": "measured", "spread": [0.5, 2]},
        "neuron_update": {
            **{"pj": 7.3, "source": "a bench", "evidence": "derived"},
            "others": [{"pj": 7.0, "source": "another"}],
        },
        "spike_hop": {"pj": 3.5, "source": "a bench", "evidence": "measured"},
    },
    "memory": {
        "sram": {
            **{"curve": [[8192, 1.25], [32768, 2.5]], "capacity_bytes": "1 MiB"},
            **{"source": "a bench", "evidence": "simulated"},
        },
        "dram": {
            **{"read_pj_per_byte": "8 pJ/bit", "write_pj_per_byte": 64.0},
            **{"source": "a bench", "evidence": "projected"},
        },
    },
    "placement": {
        **{"weights": ["sram", "dram"], "kv_cache": ["sram", "dram"], "activations": ["sram"]},
        **{"spikes": "sram", "state": "sram"},
    },
    "included": {"spike": "in the hop"},
    "static_power": {"watts": "30 mW", "source": "a bench", "evidence": "measured"},
    "throughput": {"mac": {"per_second": 1e12, "source": "a bench", "evidence": "measured"}},
    "widths": {"weights": 4.5, "activations": 16, "vectors": 16, "kv": 8, "accumulators": 24},
    **{"fusion": "fused", "encoding": "cheapest", "room": "by-need"},
    "delivery": {
        **{"pj_per_byte": 1.25, "mac_reuse": 16, "event_reuse": 4, "reuse_range": [1, 64]},
        **{"source": "a bench", "evidence": "projected"},
    },
    "bandwidth": {
        "dram": {"bytes_per_second": 1e10, "source": "a bench", "evidence": "measured"},
        "sram": {"bytes_per_second": 1e12, "source": "a bench", "evidence": "measured"},
    },
    "core": {"synapses": 65536, "neurons": 1024, "source": "a bench", "evidence": "measured"},
    "system": [
        {
            "what": "a model",
            "value": 3.0,
            "unit": "mJ/token",
            "source": "a bench",
            "evidence": "measured",
        }
    ],
    "precisions": {"int8": {"value_bytes": 1, "widths": {"activations": 8, "vectors": 8}}},
}
#: A table of counts from elsewhere.
FOREIGN: Rows = [
    ["layer", "mac", "ac", "activation_read_bytes", "value_bytes"],
    ["conv1", "118013952", "0", "3000", "2"],
    ["conv2", "0", "1e8", "4000", "2"],
    ["head", "462422016", "12.5", "0", "2"],
]
_CLAIMED = (
    "model,hw,true_macs,ann_ops,ann_energy_mj,snn_ops,snn_macs,snn_energy_mj,spike_rate,timesteps"
    ",ratio",
    "A,,1.82e9,1.82e9,8.372,1.3e9,1e8,1.63,0.19,4,5.14",
    "B,45nm,,1e9,4.6,5e8,,0.45,,,",
)
CLAIMS: Rows = [line.split(",") for line in _CLAIMED]

#: Servers of two models that somebody measured.
SERVERS: Rows = [
    ["model", "gpu", "gpus", "batch", "prompt_tokens", "output_tokens", "j_per_token", "itl_ms"],
    *(
        [
            model,
            "H100",
            "1",
            str(batch),
            "50",
            "200",
            f"{(1 + 30 * size / batch) / 10:.4f}",
            f"{8 * size}",
        ]
        for model, size in (("gpt2-small", 1), ("gpt2-xl", 12))
        for batch in (1, 4, 16, 64)
    ),
]


@dataclass(frozen=True)
class Seeds:
    """Folders of valid files."""

    model: Files  #: a GPT-2, with its texts and the record of its training
    checkpoint: Files  #: a training that was interrupted
    spiking: Files  #: its conversion
    planned: Files  #: a run of `plan`
    measured: Files  #: a run of `profile`
    swept: Files  #: a sweep of one point
    text: bytes  #: what the model was trained on

    @property
    def counts(self) -> Rows:
        """Counts of both variants."""
        return from_csv(self.planned["counts.csv"])


def under(folder: str, files: Files) -> Files:
    """The files in a folder."""
    return {f"{folder}/{path}": data for path, data in files.items()}


def make_seeds() -> Seeds:
    """Run the product in a temporary folder, which also makes later runs in this process fast."""
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        try:
            os.chdir(name)
            return _make()
        finally:
            os.chdir(here)


def _make() -> Seeds:
    text = "\n\n".join(_WORDS * 60 for _ in range(8))
    Path("text.txt").write_text(text, encoding="utf-8")
    _interrupted(f"pretrain --text text.txt {SIZES} {TRAINING} --out half")
    run(f"pretrain --text text.txt {SIZES} {TRAINING} --out model")
    run(f"convert --model model {CALIBRATION} --out spiking")
    shown = "--hw 45nm --hw loihi --seq-len 8 --pictures none --no-page"
    run(f"plan --model model {shown} --out planned")
    run(f"profile --model model {shown} {CALIBRATION} --verify --out measured")
    run(f"sweep --model model {SWEEP} --out swept")
    run("price planned/counts.csv --hw 45nm")
    run("report planned --pictures svg --out reported")
    run("sensitivity planned --hw 45nm --samples 10 --pictures none --out studied")
    folders = ("model", "half", "spiking", "planned", "measured", "swept")
    return Seeds(*map(_files, folders), text.encode())


def run(line: str) -> None:
    """Run a command that must work."""
    from neurt.cli import main

    with contextlib.redirect_stdout(io.StringIO()) as said:
        if main(line.split()):
            raise RuntimeError(f"{line}: {said.getvalue()}")


def _interrupted(line: str) -> None:
    """Begin a training, and stop as one does by Ctrl-C behind its first checkpoint."""
    from neurt.learning.pretrain import run_pretrain
    from neurt.verbs.commands import parse

    request = parse(line.split()).request

    def stop(what: str, done: int, total: int) -> None:
        if (request.out / "checkpoint.safetensors").exists():  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        run_pretrain(request, stop)  # type: ignore[arg-type]


def _files(folder: str) -> Files:
    root = Path(folder)
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.suffix not in (".png", ".svg", ".md")
    }
