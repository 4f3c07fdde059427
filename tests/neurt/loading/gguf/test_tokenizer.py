from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from builders import refused
from tokenizers import pre_tokenizers

from neurt.loading.gguf.header import GGUFError, GGUFHeader
from neurt.loading.gguf.tokenizer import tokenizer_of

BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())
#: Three controls, the bytes, and " 1" as one token.
BYTE_LEVEL = {
    "model": "gpt2",
    "pre": "gpt-2",
    "tokens": ["<|start|>", "<|end|>", "<think>", *BYTES, "Ġ1", "th"],
    "token_type": [3, 3, 4, *[1] * 258],
    "merges": ["Ġ 1", "t h"],
    "bos_token_id": 0,
    "eos_token_id": 1,
}
#: Pieces with scores as SentencePiece has them: the higher, the sooner.
PIECES = {
    "model": "llama",
    "tokens": ["<unk>", "<s>", "</s>", "<0xC3>", "<0xA9>", "▁", "a", "b", "ab", "▁a", "▁ab"],
    "token_type": [2, 3, 3, 6, 6, 1, 1, 1, 1, 1, 1],
    "scores": [0.0, 0.0, 0.0, 0.0, 0.0, -9.0, -9.0, -9.0, -1.0, -2.0, -3.0],
    "bos_token_id": 1,
    "eos_token_id": 2,
    "unknown_token_id": 0,
}


def header(described: dict[str, Any], **changed: Any) -> GGUFHeader:
    metadata = {f"tokenizer.ggml.{key}": value for key, value in (described | changed).items()}
    kept = {key: value for key, value in metadata.items() if value is not None}
    return GGUFHeader(Path("x.gguf"), kept, {})


def pieces(described: dict[str, Any], text: str, **changed: Any) -> list[str]:
    tokenizer = tokenizer_of(header(described, **changed))
    found: list[str] = tokenizer.convert_ids_to_tokens(tokenizer.encode(text))
    return found


@pytest.mark.parametrize("text", ["the 11\n\n é  1", "<|start|>th<think>", "", " "])
def test_byte_level_text_comes_back(text: str) -> None:
    tokenizer = tokenizer_of(header(BYTE_LEVEL))
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert len(tokenizer) == 261


def test_special_tokens_have_their_roles_and_stay_whole() -> None:
    tokenizer = tokenizer_of(header(BYTE_LEVEL))
    assert (tokenizer.bos_token, tokenizer.eos_token_id) == ("<|start|>", 1)
    assert tokenizer.encode("<|end|>th<think>") == [1, 260, 2]
    assert tokenizer.decode([1, 260, 2], skip_special_tokens=True) == "th<think>"


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        # " 1" is a token, and only a tokenizer that splits off digits never joins it.
        ("gpt-2", ["a", "Ġ1"]),
        ("smollm", ["a", "Ġ", "1"]),
        # Llama 3 and Qwen2 let no space begin a number.
        ("llama-bpe", ["a", "Ġ", "1"]),
        ("qwen2", ["a", "Ġ", "1"]),
    ],
)
def test_text_is_split_as_the_file_says(split: str, expected: list[str]) -> None:
    assert pieces(BYTE_LEVEL, "a 1", pre=split) == expected


@pytest.mark.parametrize(("split", "expected"), [("llama-bpe", ["11"]), ("qwen2", ["1", "1"])])
def test_qwen2_takes_one_digit_at_a_time(split: str, expected: list[str]) -> None:
    tokens = [*BYTE_LEVEL["tokens"], "11"]
    types = [*BYTE_LEVEL["token_type"], 1]
    changed = {"tokens": tokens, "token_type": types, "merges": ["1 1"]}
    assert pieces(BYTE_LEVEL, "11", pre=split, **changed) == expected


@pytest.mark.parametrize(("add", "expected"), [(True, [0, 260]), (False, [260]), (None, [260])])
def test_a_text_starts_with_the_first_token_where_the_file_says(
    add: bool | None, expected: list[int]
) -> None:
    assert tokenizer_of(header(BYTE_LEVEL, add_bos_token=add)).encode("th") == expected


def test_pieces_are_joined_best_first() -> None:
    # "▁aba": "ab" (-1) is joined before "▁a" (-2) can be, and then "▁ab" (-3).
    assert pieces(PIECES, "aba") == ["<s>", "▁ab", "a"]
    assert pieces(PIECES, "aba", add_bos_token=False) == ["▁ab", "a"]
    assert pieces(PIECES, "aba", add_space_prefix=False) == ["<s>", "ab", "a"]


def test_what_no_piece_holds_goes_by_bytes() -> None:
    assert pieces(PIECES, "é") == ["<s>", "▁", "<0xC3>", "<0xA9>"]
    tokenizer = tokenizer_of(header(PIECES))
    assert tokenizer.decode(tokenizer.encode("ab éb"), skip_special_tokens=True) == "ab éb"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"model": "bert"}, "a tokenizer of kind 'bert' with 261 tokens; 'gpt2'"),
        ({"tokens": None}, "a tokenizer of kind 'gpt2' with 0 tokens"),
        (
            {"pre": "jais"},
            "'tokenizer.ggml.pre' of 'x.gguf' is 'jais'; it must be one of gpt-2, smollm,",
        ),
        ({"pre": ["gpt-2"]}, r"'tokenizer.ggml.pre' of 'x.gguf' is \['gpt-2'\]"),
        (
            {"tokens": [1, 2]},
            r"'tokenizer.ggml.tokens' of 'x.gguf' is \[1, 2\]; it must be a list of texts",
        ),
        (
            {"merges": "t h"},
            "'tokenizer.ggml.merges' of 'x.gguf' is 't h'; it must be a list of texts",
        ),
        ({"merges": ["th"]}, "'tokenizer.ggml.merges' of 'x.gguf' are no pairs of tokens"),
        (
            {"bos_token_id": "x"},
            "bos_token_id' of 'x.gguf' is 'x'; it must be the id of one of its 261 tok",
        ),
        ({"pre": None}, "'tokenizer.ggml.pre' of 'x.gguf' is None"),
        (
            {"eos_token_id": 261},
            "eos_token_id' of 'x.gguf' is 261; it must be the id of one of its 261 tok",
        ),
        ({"merges": ["zz z"]}, "the tokenizer of 'x.gguf' cannot be built: "),
        ({"tokens": 7}, "'tokenizer.ggml.tokens' of 'x.gguf' is 7; it must be a list of texts"),
        ({"tokens": ["a", "b", "a"]}, "'tokenizer.ggml.tokens' of 'x.gguf' holds 'a' twice"),
        ({"tokens": ["a" * 2001]}, "of 2,001 characters; at most 2,000 are read"),
        ({"token_type": [True] * 261}, "token_type' of 'x.gguf' is .*; it must be a list of integ"),
        ({"token_type": [1]}, "has 261 tokens and 1 type of them; download it again"),
        ({"bos_token_id": True}, "bos_token_id' of 'x.gguf' is True; it must be the id"),
        ({"eos_token_id": -1}, "eos_token_id' of 'x.gguf' is -1; it must be the id"),
        ({"add_bos_token": 1}, "add_bos_token' of 'x.gguf' is 1; it must be true or false"),
    ],
    ids=lambda value: "" if isinstance(value, str) else str(value),
)
def test_a_tokenizer_that_cannot_be_had_is_an_error(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(GGUFError, match=says) as caught:
        tokenizer_of(header(BYTE_LEVEL, **changed))
    assert "\n" not in str(caught.value)


def test_a_conversation_template_that_is_no_text_is_an_error() -> None:
    described = header(BYTE_LEVEL)
    broken = {**described.metadata, "tokenizer.chat_template": [1]}
    assert refused(GGUFError, tokenizer_of, GGUFHeader(described.path, broken, {})) == (
        "'tokenizer.chat_template' of 'x.gguf' is [1]; it must be a text"
    )


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_scores_that_have_no_order_are_an_error(score: float) -> None:
    with pytest.raises(GGUFError, match=r"scores' of 'x\.gguf' are not all finite numbers"):
        tokenizer_of(header(PIECES, scores=[score, *PIECES["scores"][1:]]))


def test_a_space_prefix_that_is_no_truth_value_is_an_error() -> None:
    with pytest.raises(GGUFError, match=r"add_space_prefix' of .* is 'no'; it must be true or fal"):
        tokenizer_of(header(PIECES, add_space_prefix="no"))


def test_pieces_without_their_scores_are_an_error() -> None:
    with pytest.raises(GGUFError, match="has 11 tokens and 2 scores of them"):
        tokenizer_of(header(PIECES, scores=[0.0, 1.0]))
