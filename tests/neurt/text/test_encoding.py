from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from builders import refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from neurt.loading.gguf.file import smollm2_file
from neurt.loading.gguf.header import read_header
from neurt.loading.gguf.tokenizer import tokenizer_of
from neurt.loading.tokenizer import gpt2_tokenizer
from neurt.text import encoding
from neurt.text.data import packaged_text
from neurt.text.encoding import TextError, token_ids

LETTERS = "abdehlnorstw"


def pieces(legacy: bool) -> PreTrainedTokenizerFast:
    # As Llama 2 has it: the whole text is one word, a space begins each piece, and byte pairs are
    # merged across it. The old form puts one space before any text that it is given.
    joined = ["▁t", "he", "▁the", "an", "▁an", "▁and", "in", "▁▁"]
    pairs = [("▁", "t"), ("h", "e"), ("▁t", "he"), ("a", "n"), ("▁", "an"), ("▁an", "d")]
    pairs += [("i", "n"), ("▁", "▁")]
    tokens = ["<unk>", "<s>", "</s>", "▁", *LETTERS, "i", *joined]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    built = Tokenizer(models.BPE(vocab=vocabulary, merges=pairs, unk_token="<unk>", fuse_unk=True))
    if legacy:
        steps: list[Any] = [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        built.normalizer = normalizers.Sequence(steps)
    else:
        built.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    built.decoder = decoders.Metaspace()
    built.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=built)


def smollm2() -> PreTrainedTokenizerFast:
    return tokenizer_of(read_header(smollm2_file()))


TOKENIZERS: dict[str, Callable[[], Any]] = {
    "gpt2": gpt2_tokenizer,
    "smollm2": smollm2,
    "llama": lambda: pieces(legacy=False),
    "llama, old form": lambda: pieces(legacy=True),
}


@pytest.fixture(scope="module", params=TOKENIZERS)
def tokenizer(request: pytest.FixtureRequest) -> Any:
    return TOKENIZERS[request.param]()


class Recorder:
    """An `encode` that remembers how long the texts were that it was given."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer, self.lengths = tokenizer, list[int]()

    def __call__(self, text: str, *, add_special_tokens: bool = True) -> Sequence[int]:
        self.lengths.append(len(text))
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=add_special_tokens)
        return ids


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "PIECE", 300)
    monkeypatch.setattr(encoding, "WHOLE", 0)


#: What stands between words, and what is hard to divide: runs of spaces, digits, ends of lines
#: behind punctuation, tokens of their own, letters of several bytes, marks that join what precedes.
PARTS = [" ", "  ", "\n", "\n\n", " \n ", "\t", "   x", "12345", "!\n", "...", "'s", "the", "and"]
PARTS += [
    "<|endoftext|>",
    "<s>",
    "鯨は",
    "é",
    "e\u0301",
    "👩‍👩‍👧",
    "\u00a0",
    "\u3000",
    "\u200b",
    "▁",
    "\ufeff",
]
TEXTS = st.lists(st.sampled_from(PARTS) | st.text(LETTERS, max_size=9), max_size=30).flatmap(
    lambda some: st.integers(1, 40).map(lambda times: "".join(some) * times)
)


@pytest.mark.usefixtures("small_pieces")
@given(text=TEXTS, most=st.none() | st.integers(1, 400))
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_ids_in_pieces_are_those_of_the_whole(tokenizer: Any, text: str, most: int | None) -> None:
    try:
        found = token_ids(tokenizer.encode, text, most)
    except TextError:  # a text without a place to divide it, which is said
        assert len(text) > encoding.PIECE
        return
    assert found.tolist() == tokenizer.encode(text)[:most]


@pytest.mark.usefixtures("small_pieces")
def test_prose_is_divided_everywhere(tokenizer: Any) -> None:
    text = packaged_text("passage.txt")[:20_000]
    recorder = Recorder(tokenizer)
    assert token_ids(recorder, text).tolist() == tokenizer.encode(text)
    # A piece is 300 characters, and the next word or the one after it; around a place stand 512.
    assert max(recorder.lengths) <= 512


def test_of_a_long_text_only_what_is_needed_is_encoded(tokenizer: Any) -> None:
    # 6 MB, which would take 0.4 GB at once.
    text = packaged_text("passage.txt")[:60_000] * 100
    recorder = Recorder(tokenizer)
    assert token_ids(recorder, text, 16).tolist() == tokenizer.encode(text[:1000])[:16]
    assert sum(recorder.lengths) < encoding.PIECE + 20_000


def test_a_text_of_one_piece_is_encoded_as_ever(tokenizer: Any) -> None:
    text = packaged_text("passage.txt")
    recorder = Recorder(tokenizer)
    assert token_ids(recorder, text, 99).tolist() == tokenizer.encode(text)[:99]
    assert recorder.lengths == [len(text)]


@pytest.mark.parametrize("text", ["ab" * 10**6, " " * 3 * 10**6, "\n" * 3 * 10**6])
def test_a_long_text_without_a_place_to_divide_it_is_refused(text: str) -> None:
    text *= 2
    assert refused(TextError, token_ids, gpt2_tokenizer().encode, text, 16) == (
        f"the text has {len(text):,} characters, and from 262,144 on no white space where the "
        "tokenizer divides it; give another, or one of at most 2,097,152 characters"
    )


def test_a_text_that_can_be_encoded_at_once_is_not_refused() -> None:
    # Of "a" x 4, GPT-2's has a token.
    text = "a" * (encoding.PIECE + 4)
    found = token_ids(gpt2_tokenizer().encode, text, 3)
    assert found.tolist() == gpt2_tokenizer().encode("a" * 16)[:3]
    assert len({*found.tolist()}) == 1


def test_a_tokenizer_that_fails_on_a_text_is_an_error() -> None:
    built = Tokenizer(models.BPE(vocab={"a": 0}, merges=[], unk_token="?"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=built)
    assert refused(TextError, token_ids, tokenizer.encode, "ab") == (
        "the tokenizer of the model cannot read the text: Unk token `?` not found in the vocabulary"
    )


def test_what_is_no_fault_of_a_tokenizer_passes() -> None:
    def interrupted(text: str) -> list[int]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        token_ids(interrupted, "a")
