"""Weights in safetensors files, alone and in shards with a map."""

from __future__ import annotations

import json
import struct
from random import Random
from typing import Any

from ..case import Case, Draw, Files
from ..seeds import CALIBRATION, Seeds, under
from ..values import change_bytes, change_tree, to_json

_READING = "--seq-len 4 --hw 45nm --pictures none --out out"
_COMMANDS = (
    *[f"count --model model --weights pretrained {_READING}"] * 4,
    f"count --model model {_READING}",
    f"convert --model model --weights pretrained {CALIBRATION} --window 8 --out out",
)
_MAP = "model.safetensors.index.json"
_ODD = ("../model.safetensors", "/etc/passwd", "pytorch_model.bin", "", ".", "a\x00b", "\x1b[31m")


def _parts(data: bytes) -> tuple[Any, bytes]:
    """Header and weights of a file."""
    end = 8 + struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8:end]), data[end:]


def _whole(header: Any, weights: bytes) -> bytes:
    text = to_json(header)
    return struct.pack("<Q", len(text)) + text + weights


def _shards(data: bytes) -> Files:
    """A file in two, each with all the bytes, as nobody forbids."""
    header, weights = _parts(data)
    names = sorted(set(header) - {"__metadata__"})
    half = {
        name: f"model-0000{1 + 2 * i // len(names)}-of-00002.safetensors"
        for i, name in enumerate(names)
    }
    found = {}
    for shard in sorted(set(half.values())):
        inside, at, kept = {}, 0, b""
        for name in (name for name in names if half[name] == shard):
            begin, end = header[name]["data_offsets"]
            inside[name] = header[name] | {"data_offsets": [at, at + end - begin]}
            at, kept = at + end - begin, kept + weights[begin:end]
        found[shard] = _whole({"__metadata__": {"format": "pt"}} | inside, kept)
    return found | {
        _MAP: json.dumps({"metadata": {"total_size": len(weights)}, "weight_map": half}).encode()
    }


def _elsewhere(random: Random, files: Files) -> Files:
    tree = json.loads(files[_MAP])
    key = random.choice(sorted(tree["weight_map"]))
    tree["weight_map"][key] = random.choice(_ODD)
    return files | {_MAP: json.dumps(tree).encode(), "pytorch_model.bin": b"\x80\x04N."}


def _not_finite(random: Random, files: Files) -> Files:
    name = random.choice([path for path in files if path.endswith(".safetensors")])
    header, weights = _parts(files[name])
    begin, end = random.choice(
        [x["data_offsets"] for key, x in header.items() if key != "__metadata__"]
    )
    at = random.randrange(begin, end, 4)
    bad = struct.pack("<f", random.choice((float("nan"), float("inf"))))
    return files | {name: _whole(header, weights[:at] + bad + weights[at + 4 :])}


def _pointer(random: Random, files: Files) -> Files:
    name = random.choice([path for path in files if path.endswith(".safetensors")])
    text = (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:"
        + b"0" * 64
        + b"\nsize 548105171\n"
    )
    return files | {name: random.choice((text, b"", b"{}", b"<html>"))}


def _lost(random: Random, files: Files) -> Files:
    name = random.choice([path for path in files if path.endswith(".safetensors")])
    return {path: data for path, data in files.items() if path != name} | {"notes.txt": b"lost"}


def case(draw: Draw, seeds: Seeds) -> Case:
    """A model, and a command that loads it."""
    data = seeds.model["model.safetensors"]
    names = (
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "heldout.txt",
        "calibration.txt",
    )
    model = {name: seeds.model[name] for name in names}
    sharded = draw.random() < 0.5
    weights = _shards(data) if sharded else {"model.safetensors": data}
    faults = [
        ("weights that are not finite", _not_finite),
        ("a file of weights that is none", _pointer),
    ]
    faults += [("a file of weights that is missing", _lost)]
    faults += [("a map that names no safetensors file here", _elsewhere)] * 2 if sharded else []
    weights = draw.spoilt(weights, faults)
    chosen = draw.choice(sorted(weights))
    if chosen == _MAP:
        weights[_MAP] = to_json(draw.changed(json.loads(weights[_MAP]), change_tree))
    elif chosen.endswith(".safetensors") and draw.mode == "changed":
        header, rest = _parts(weights[chosen])
        whole = draw.random() < 0.5
        header = header if whole else draw.changed(header, change_tree)
        weights[chosen] = _whole(header, rest)
        weights[chosen] = draw.changed(weights[chosen], change_bytes) if whole else weights[chosen]
    # A count depends on no weight.
    commands = _COMMANDS[-1:] if "finite" in draw.nonsense else _COMMANDS[:4]
    words = draw.choice(commands if draw.nonsense else _COMMANDS).split()
    return draw.case(words, under("model", model | weights))
