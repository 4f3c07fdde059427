"""GGUF files: their header as a tree of any types, and their bytes."""

from __future__ import annotations

import struct
from random import Random
from typing import Any

from ..case import Case, Draw
from ..seeds import Seeds
from ..values import change_bytes, shown

#: A key or a tensor of the header: its name, the number of its type, and the rest.
Keys = list[tuple[str, int, Any]]

_COMMANDS = (
    *["plan --model m.gguf --seq-len 8 --hw 45nm --pictures none --no-page --out run"] * 5,
    "plan --model m.gguf --phase decode --context 8 --hw loihi --pictures none --no-page --out run",
    "breakeven --model m.gguf --seq-len 8 --hw 45nm --pictures none --out even",
    "count --model m.gguf --seq-len 4 --hw 45nm --pictures none --out count",
    "count --model m.gguf --weights random --seq-len 4 --hw 45nm --pictures none --out count",
)
_SCALARS = dict(zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True))
_TEXT, _LIST, _U32, _F32, _BOOL = 8, 9, 4, 6, 7
_WIDTH, _INNER, _LAYERS, _HEADS, _SHARED, _ENTRIES = 16, 24, 1, 4, 2, 262


def _text(words: str) -> bytes:
    data = words.encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(data)) + data


def _value(kind: int, value: Any) -> bytes:
    """A value of a type; a list is a pair of the type of its items and those."""
    if kind == _TEXT:
        return _text(str(value))
    if kind == _LIST:
        inner, items = value
        return struct.pack("<IQ", inner, len(items)) + b"".join(_value(inner, x) for x in items)
    if kind not in _SCALARS:
        return b""
    code = _SCALARS[kind]
    try:
        return struct.pack("<" + code, value)
    except (struct.error, OverflowError, TypeError):  # cut to its width, as a careless writer does
        whole = int(value) if value == value else 0
        return (whole % 2**64).to_bytes(8, "little")[: struct.calcsize(code)]


def _keys() -> Keys:
    tokens = ["<|end|>", *map(chr, range(33, 127)), *map(chr, range(256, 256 + 165)), "th", "the"]
    sizes = {
        **{"embedding_length": _WIDTH, "block_count": _LAYERS, "feed_forward_length": _INNER},
        **{"attention.head_count": _HEADS, "attention.head_count_kv": _SHARED},
        "context_length": 32,
    }
    return [
        ("general.architecture", _TEXT, "llama"),
        ("general.name", _TEXT, "tiny"),
        *[(f"llama.{key}", _U32, size) for key, size in sizes.items()],
        ("llama.attention.layer_norm_rms_epsilon", _F32, 1e-5),
        ("llama.rope.freq_base", _F32, 10000.0),
        ("tokenizer.ggml.model", _TEXT, "gpt2"),
        ("tokenizer.ggml.pre", _TEXT, "gpt-2"),
        ("tokenizer.ggml.tokens", _LIST, (_TEXT, tokens[:_ENTRIES])),
        ("tokenizer.ggml.token_type", _LIST, (5, [3, *[1] * (_ENTRIES - 1)])),
        ("tokenizer.ggml.merges", _LIST, (_TEXT, ["t h", "th e"])),
        ("tokenizer.ggml.eos_token_id", _U32, 0),
    ]


def _tensors() -> Keys:
    head, kv = _WIDTH, _WIDTH // _HEADS * _SHARED
    block = {
        **{"attn_norm": (_WIDTH,), "ffn_norm": (_WIDTH,), "attn_q": (_WIDTH, head)},
        **{"attn_k": (_WIDTH, kv), "attn_v": (_WIDTH, kv), "attn_output": (head, _WIDTH)},
        **{"ffn_gate": (_WIDTH, _INNER), "ffn_up": (_WIDTH, _INNER), "ffn_down": (_INNER, _WIDTH)},
    }
    return [
        ("token_embd.weight", 0, (_WIDTH, _ENTRIES)),
        ("output_norm.weight", 0, (_WIDTH,)),
        *[(f"blk.0.{name}.weight", 0, shape) for name, shape in block.items()],
    ]


def _file(keys: Keys, tensors: Keys) -> bytes:
    data = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
    data += b"".join(
        _text(key) + struct.pack("<I", kind) + _value(kind, x) for key, kind, x in keys
    )
    at = 0
    for name, kind, shape in tensors:
        data += _text(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        data += struct.pack("<IQ", kind, at)
        at += 4 * _numbers(shape)
    data += bytes(-len(data) % 32)
    return data + b"\x00\x00\x80\x3c" * (at // 4)  # 1/64 everywhere


def _numbers(shape: tuple[int, ...]) -> int:
    found = 1
    for size in shape:
        found *= size
    return -(-found // 8) * 8 if found < 10**6 else 8


def _change_key(random: Random, keys: Keys) -> tuple[Keys, str]:
    keys, at = list(keys), random.randrange(len(keys))
    name, kind, value = keys[at]
    how = random.choice(("value", "value", "type", "type", "drop", "double", "rename", "more"))
    if how == "value":
        pool = (0, 1, 3, -1, 2**31, 2**32 - 1, float("nan"), 1e30, True)
        texts = ("", "gpt2", "mamba", "\x1b[31m", "x" * 3000, "none", "<fuzz onload=x>", "\udc80")
        if kind == _LIST:
            value = (
                value[0],
                random.choice(([], value[1][:1], value[1] * 2, value[1][::-1], value[1][:1] * 300)),
            )
        else:
            value = random.choice(texts if kind == _TEXT else pool)
    elif how == "type":
        kind, value = random.choice(
            (
                *(
                    (_TEXT, "7"),
                    (_LIST, (_TEXT, ["a"])),
                    (_LIST, (_U32, [1, 2])),
                    (_LIST, (_F32, [])),
                ),
                *((_F32, 0.5), (_BOOL, True), (12, float("inf")), (5, -4), (10, 2**63), (99, 0)),
                *((_LIST, (_LIST, [(_TEXT, ["b"])] * 2)), (_LIST, (_BOOL, [True] * 4))),
            )
        )
    elif how == "rename":
        name = random.choice((name + "x", name.upper(), "", "general.alignment", "split.count"))
    elif how == "more":
        extra = ("llama.rope.scaling.type", "llama.expert_count", "general.alignment", "split.no")
        keys.append((random.choice(extra), *random.choice(((_TEXT, "yarn"), (_U32, 4), (_U32, 0)))))
    if how == "drop":
        del keys[at]
    elif how == "double":
        keys.append(keys[at])
    else:
        keys[at] = (name, kind, value)
    return keys, f"{shown(name)}: {how} {kind} {shown(value)}"


def _change_tensor(random: Random, tensors: Keys) -> tuple[Keys, str]:
    tensors, at = list(tensors), random.randrange(len(tensors))
    name, kind, shape = tensors[at]
    how = random.choice(("drop", "double", "rename", "kind", "shape", "shape"))
    if how == "drop":
        del tensors[at]
        return tensors, f"{name} is left out"
    if how == "double":
        tensors.append(tensors[at])
    elif how == "rename":
        name = random.choice(
            (
                f"blk.{2**70}.attn_q.weight",
                "rope_freqs.weight",
                "",
                "\x1b[2J",
                "blk.0.x.weight",
                "blk.1.attn_q.weight",
            )
        )
    elif how == "kind":
        kind = random.choice((1, 2, 8, 12, 30, 4, 99, 2**31))
    else:
        shape = random.choice(
            ((), (0,), (1,) * 5, (2**40, 2**40), (2**62, 4), shape[::-1], (7, 7), (2**63,))
        )
    tensors[at] = (name, kind, shape)
    return tensors, f"{shown(name)}: {how} {kind} {shape}"


def case(draw: Draw, _seeds: Seeds) -> Case:
    """A file, and a command that reads it."""
    keys, tensors = _keys(), _tensors()
    what = draw.choice(("keys", "keys", "tensors", "bytes"))
    keys = draw.changed(keys, _change_key) if what == "keys" else keys
    tensors = draw.changed(tensors, _change_tensor) if what == "tensors" else tensors
    keys = draw.spoilt(keys, _FAULTS)
    data = _file(keys, tensors)
    data = draw.changed(data, change_bytes) if what == "bytes" else data
    return draw.case(draw.choice(_COMMANDS).split(), {"m.gguf": data})


def _spoil(name: str, kind: int, *values: Any) -> Any:
    def spoil(random: Random, keys: Keys) -> Keys:
        kept = [key for key in keys if key[0] != name]
        return [*kept, (name, kind, random.choice(values))]

    return f"{name} in a GGUF file", spoil


_FAULTS = (
    _spoil("llama.block_count", _U32, 0, 2**31, 5),
    _spoil("llama.embedding_length", _TEXT, "16", ""),
    _spoil("llama.embedding_length", _BOOL, True),
    _spoil("llama.attention.head_count", _LIST, (_U32, []), (_TEXT, ["4"])),
    _spoil("general.architecture", _U32, 0, 7),
    _spoil("llama.rope.freq_base", _LIST, (_F32, [1.0])),
)
