"""What the `config.json` of the model in a GGUF file would say. No torch here."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hwmodels.plain import quoted
from neurt.families import Shape, read_shape
from neurt.loading.gguf.architectures import ARCHITECTURES, Architecture, not_honoured
from neurt.loading.gguf.contents import GGUFError, GGUFHeader
from neurt.loading.gguf.planned import (
    PLANNED,
    check_values,
    config_of_planned,
    names_inside,
    names_outside,
    planned_as,
)
from neurt.loading.gguf.tensors import OUTPUT, ROPE_FREQS, check_tensors, n_tensors, part_of

#: Metadata that changes what a model computes and has no place in our families, unless it is this.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "expert_count": (0,),
    "attention.sliding_window": (0,),
    "attention.scale": (0.0,),
    "attention.clamp_kqv": (0.0,),
    "embedding_scale": (1.0, 0.0),
    "residual_scale": (1.0, 0.0),
    "logit_scale": (1.0, 0.0),
}


def architecture(header: GGUFHeader) -> Architecture:
    """The architecture of a file; raises GGUFError if it is none that can be run from a file."""
    name = header.metadata.get("general.architecture")
    if planned_as(header) is not None:
        raise GGUFError(
            f"model file '{header.path}' is a {quoted(name)}, of which a plan can be made; to run "
            "it give the model in Hugging Face format"
        )
    if not isinstance(name, str) or name not in ARCHITECTURES:
        raise GGUFError(
            f"model file '{header.path}' is a {quoted(name)}; the architectures that can be loaded "
            f"from GGUF are {', '.join(ARCHITECTURES)}, and planned are {', '.join(PLANNED)} too"
        )
    return ARCHITECTURES[name]


def config_of(header: GGUFHeader) -> dict[str, Any]:
    """What the `config.json` of the model would say; the first part of a split file says it too.

    Raises:
        GGUFError: If the architecture is not ours, a size is missing, the file asks for something
            that would be left out, or its tensors are not those of its sizes.
        ShapeError: If its sizes are impossible.
    """
    part, parts = part_of(header)
    if part > 1:
        raise GGUFError(
            f"'{header.path}' is part {part} of the {parts} of a model, and the first one says "
            "what the model is; give that"
        )
    if (planned := planned_as(header)) is not None:
        return _of_planned(header, planned)
    arch = architecture(header)
    name = header.metadata["general.architecture"]
    for key, neutral in _NEUTRAL.items():
        value = header.metadata.get(f"{name}.{key}")
        if value is not None and value not in neutral:
            raise not_honoured(header, f"sets '{name}.{key}' to {quoted(value)}")
    config = arch.config(header, name) | {
        "vocab_size": _vocabulary(header, name),
        "tie_word_embeddings": True,
    }
    shape = read_shape(config, str(header.path))
    config["tie_word_embeddings"] = _is_tied(header, shape)
    check_tensors(header, replace(shape, tied=config["tie_word_embeddings"]))
    return config | _ends(header)


def names_of_file(header: GGUFHeader) -> tuple[dict[str, str], Callable[[str], str | None]]:
    """Names outside the blocks, and what gives the parameter of transformers for a tensor."""
    if (planned := planned_as(header)) is None:
        arch = architecture(header)
    else:
        shape = read_shape(_of_planned(header, planned), str(header.path))
        arch = Architecture(names_outside(shape), names_inside(shape), lambda *_: {})
    return arch.names, arch.parameter


def _of_planned(header: GGUFHeader, name: str) -> dict[str, Any]:
    """The same of a file that is planned and not run."""
    config = config_of_planned(header, name)
    config["vocab_size"] = _vocabulary(header, header.metadata["general.architecture"])
    # A copy of the embedding is told by its values only where the file is run.
    config["tie_word_embeddings"] = OUTPUT not in header.tensors
    check_values(header, read_shape(config, str(header.path)))
    return config | _ends(header)


def _ends(header: GGUFHeader) -> dict[str, Any]:
    """Those of the token list, not of a default of transformers that may lie outside it."""
    return {f"{role}_token_id": header.token_id(role) for role in ("bos", "eos")}


def _vocabulary(header: GGUFHeader, name: str) -> int:
    """Rows of the embedding, which the tokens must fit."""
    embedding = header.tensors.get("token_embd.weight")
    if embedding is None:
        raise GGUFError(f"'{header.path}' has no 'token_embd.weight'; it is not a language model")
    rows, tokens = embedding.shape[0], len(header.listed("tokenizer.ggml.tokens", str))
    stated = header.integer(f"{name}.vocab_size", rows)
    if stated != rows or tokens > rows:
        raise GGUFError(
            f"the vocabulary of '{header.path}' does not fit its embedding of {rows} rows: "
            f"'{name}.vocab_size' is {stated}, and its tokenizer has {tokens} tokens"
        )
    return rows


def _is_tied(header: GGUFHeader, tied: Shape) -> bool:
    """Whether the output layer is the embedding: not in the file, or there byte for byte again."""
    first, second = header.tensors.get("token_embd.weight"), header.tensors.get(OUTPUT)
    if second is None and part_of(header)[1] > 1:  # it may be in another part
        beside = ROPE_FREQS in header.tensors
        return header.integer("split.tensors.count") <= n_tensors(tied) + beside
    if second is None:
        return True
    if first is None or (first.shape, first.kind) != (second.shape, second.kind):
        return False
    with (
        header.path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        view = memoryview(data)
        try:
            return view[first.start :][: first.n_bytes] == view[second.start :][: second.n_bytes]
        finally:
            view.release()
