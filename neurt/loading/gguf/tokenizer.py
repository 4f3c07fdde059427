"""The tokenizer that a GGUF file describes."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, pre_tokenizers, processors
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast

from hwmodels.plain import quoted, several
from neurt.loading.gguf.contents import GGUFError, GGUFHeader
from neurt.text.faults import tokenizer_faults

_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

#: How text is split before merging, by `tokenizer.ggml.pre` (src/llama-vocab.cpp of llama.cpp): a
#: pattern, "digits" (each digit alone, then as GPT-2) or "" (as GPT-2).
_SPLITS = {
    "gpt-2": "",
    "smollm": "digits",
    "starcoder": "digits",
    "refact": "digits",
    "llama3": _LLAMA3,
    "llama-v3": _LLAMA3,
    "llama-bpe": _LLAMA3,
    "qwen2": _LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}"),
}

#: `tokenizer.ggml.token_type`: tokens that are found in text before anything is split.
_CONTROL, _USER_DEFINED = 3, 4

#: What the keys of a tokenizer begin with.
_KEYS = "tokenizer.ggml"
#: Characters; those of real vocabularies have some hundreds at most.
_LONGEST_TOKEN = 2000

_ROLES = {"bos": "bos", "eos": "eos", "unknown": "unk", "padding": "pad"}


def tokenizer_of(header: GGUFHeader) -> PreTrainedTokenizerFast:
    """Build the tokenizer: byte-level pairs as GPT-2's, or pieces as SentencePiece's.

    Raises:
        GGUFError: If the file describes none, one of another kind, or one whose special tokens are
            not in its list.
    """
    metadata, path = header.metadata, header.path
    kind, tokens = metadata.get(f"{_KEYS}.model"), _tokens(header)
    if kind not in ("gpt2", "llama") or not tokens:
        raise GGUFError(
            f"model file '{path}' has a tokenizer of kind {quoted(kind)} with {len(tokens)} "
            "tokens; 'gpt2' (byte-level) and 'llama' (SentencePiece) can be read"
        )
    special, template = _special(header, tokens), metadata.get("tokenizer.chat_template")
    starts = metadata.get(f"{_KEYS}.add_bos_token", kind == "llama")
    if not isinstance(starts, bool):
        raise header.wrong(f"{_KEYS}.add_bos_token", "true or false")
    roles = header.listed(f"{_KEYS}.token_type", int)
    if roles and len(roles) != len(tokens):
        raise GGUFError(
            f"'{path}' has {several(len(tokens), 'token')} and {several(len(roles), 'type')} of "
            "them; download it again"
        )
    if template is not None and not isinstance(template, str):
        raise header.wrong("tokenizer.chat_template", "a text")
    built = _byte_level(header, tokens) if kind == "gpt2" else _sentencepiece(header, tokens)
    built.add_tokens(
        [
            AddedToken(token, normalized=False, special=role == _CONTROL)
            for token, role in zip(tokens, roles, strict=False)
            if role in (_CONTROL, _USER_DEFINED)
        ]
    )
    # llama.cpp starts every text with this token for SentencePiece files that do not say.
    if starts and "bos_token" in special:
        first = special["bos_token"]
        built.post_processor = processors.TemplateProcessing(
            single=f"{first} $A", special_tokens=[(first, tokens.index(first))]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=built,
        clean_up_tokenization_spaces=False,
        chat_template=template,
        **special,
    )


def _special(header: GGUFHeader, tokens: list[str]) -> dict[str, str]:
    """The tokens of known roles, by their name in transformers."""
    ids = {ours: header.token_id(role) for role, ours in _ROLES.items()}
    return {f"{ours}_token": tokens[i] for ours, i in ids.items() if i is not None}


def _tokens(header: GGUFHeader) -> list[str]:
    """The tokens by their id: no two the same, and none so long that its parts are too many."""
    tokens: list[str] = header.listed(f"{_KEYS}.tokens", str)
    longest = max(tokens, key=len, default="")
    if len(longest) > _LONGEST_TOKEN:
        raise GGUFError(
            f"'{_KEYS}.tokens' of '{header.path}' holds {quoted(longest)} of {len(longest):,} "
            f"characters; at most {_LONGEST_TOKEN:,} are read"
        )
    if len(set(tokens)) < len(tokens):
        twice, _ = Counter(tokens).most_common(1)[0]
        raise GGUFError(f"'{_KEYS}.tokens' of '{header.path}' holds {quoted(twice)} twice")
    return tokens


def _byte_level(header: GGUFHeader, tokens: list[str]) -> Tokenizer:
    split = header.metadata.get(f"{_KEYS}.pre")
    if not isinstance(split, str) or split not in _SPLITS:
        raise header.wrong(f"{_KEYS}.pre", f"one of {', '.join(_SPLITS)}")
    vocabulary = {token: i for i, token in enumerate(tokens)}
    merges = [tuple(pair.split(" ")) for pair in header.listed(f"{_KEYS}.merges", str)]
    if any(len(pair) != 2 for pair in merges):
        raise GGUFError(f"'{_KEYS}.merges' of '{header.path}' are no pairs of tokens")
    built = _model(header, vocabulary, merges)
    as_gpt2 = pre_tokenizers.ByteLevel(add_prefix_space=False)
    steps: dict[str, list[Any]] = {
        "": [as_gpt2],
        "digits": [pre_tokenizers.Digits(individual_digits=True), as_gpt2],
    }
    by_pattern = [
        pre_tokenizers.Split(Regex(_SPLITS[split]), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]
    built.pre_tokenizer = pre_tokenizers.Sequence(steps.get(_SPLITS[split], by_pattern))
    built.decoder = decoders.ByteLevel()
    return built


def _sentencepiece(header: GGUFHeader, tokens: list[str]) -> Tokenizer:
    """Pieces with scores, as merges: the better a piece, the earlier its two parts are joined."""
    scores = header.listed(f"{_KEYS}.scores", float)
    if not all(map(math.isfinite, scores)):
        raise GGUFError(f"'{_KEYS}.scores' of '{header.path}' are not all finite numbers")
    if len(scores) != len(tokens):
        raise GGUFError(
            f"'{header.path}' has {several(len(tokens), 'token')} and "
            f"{several(len(scores), 'score')} of them; its tokenizer cannot be built"
        )
    vocabulary = {token: i for i, token in enumerate(tokens)}
    splits = [
        (-score, cut, len(token) - cut, token[:cut], token[cut:])
        for token, score in zip(tokens, scores, strict=True)
        for cut in range(1, len(token))
        if token[:cut] in vocabulary and token[cut:] in vocabulary
    ]
    merges = [(left, right) for *_, left, right in sorted(splits, key=lambda split: split[:3])]
    unknown = header.token_id("unknown") or 0
    built = _model(
        header, vocabulary, merges, unk_token=tokens[unknown], fuse_unk=True, byte_fallback=True
    )
    spaced = header.metadata.get(f"{_KEYS}.add_space_prefix", True)
    if not isinstance(spaced, bool):
        raise header.wrong(f"{_KEYS}.add_space_prefix", "true or false")
    built.pre_tokenizer = pre_tokenizers.Metaspace(
        prepend_scheme="first" if spaced else "never", split=False
    )
    steps: list[Any] = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    built.decoder = decoders.Sequence(steps + [decoders.Strip(" ", 1, 0)] * spaced)
    return built


def _model(
    header: GGUFHeader, vocabulary: dict[str, int], merges: list[Any], **options: Any
) -> Tokenizer:
    with tokenizer_faults(GGUFError, f"the tokenizer of '{header.path}' cannot be built"):
        return Tokenizer(BPE(vocab=vocabulary, merges=merges, **options))
