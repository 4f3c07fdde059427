from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from builders import refused
from tokenizers import Tokenizer, models
from transformers import (
    AutoConfig,
    GPT2Tokenizer,
    PretrainedConfig,
    PreTrainedTokenizerFast,
)

from neurt.loading.source import ModelError, ModelSource
from neurt.loading.tokenizer import check_vocabulary, gpt2_tokenizer, tokenizer_for
from neurt.text.data import packaged_text

Words = Callable[..., PreTrainedTokenizerFast]


def config(kind: str, entries: int = 60000) -> PretrainedConfig:
    return AutoConfig.for_model(kind, vocab_size=entries)


def local(path: Path) -> ModelSource:
    return ModelSource("mine", None, path, None)


HUB = ModelSource("someone/it", "someone/it", None, None)


@pytest.mark.parametrize("kind", ["gpt2", "llama", "opt"])
@pytest.mark.parametrize("random", [True, False])
def test_a_models_own_tokenizer_goes_first(
    tmp_path: Path, words: Words, kind: str, random: bool
) -> None:
    words("Hello", "world").save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    found = tokenizer_for(local(tmp_path), config(kind), random=random)
    assert found.encode("world Hello there") == [2, 1, 0]


@pytest.mark.parametrize(("kind", "random"), [("gpt2", False), ("llama", True), ("opt", True)])
@pytest.mark.parametrize("of_the_hub", [True, False])
def test_gpt2s_stands_in_where_it_is_no_noise(
    tmp_path: Path, kind: str, random: bool, of_the_hub: bool
) -> None:
    source = HUB if of_the_hub else local(tmp_path)
    assert isinstance(tokenizer_for(source, config(kind), random=random), GPT2Tokenizer)


def test_trained_weights_of_another_family_need_their_own_tokenizer(tmp_path: Path) -> None:
    assert refused(ModelError, tokenizer_for, local(tmp_path), config("llama"), random=False) == (
        "model 'mine' has no tokenizer files (tokenizer.json, or vocab.json and merges.txt) beside "
        "its config.json; put those it was trained with there"
    )
    with pytest.raises(ModelError, match="tokenizer of 'someone/it' is not in the local cache and"):
        tokenizer_for(HUB, config("llama"), random=False)


def test_the_tokenizer_of_a_cached_hub_model_is_read_offline(
    tmp_path: Path, words: Words, into_cache: Callable[..., None]
) -> None:
    words("Hello", "world").save_pretrained(tmp_path / "files")
    (tmp_path / "files" / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
    into_cache("someone/it", *(tmp_path / "files").iterdir())
    assert tokenizer_for(HUB, config("llama"), random=False).encode("world") == [2]


def test_a_vocabulary_too_small_for_gpt2s_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=r"vocabulary of 101 but no tokenizer files .* needs 50257"
    ):
        tokenizer_for(local(tmp_path), config("llama", 101), random=True)


@pytest.mark.parametrize("content", ["{", "[]", '{"version": "1.0"}', ""])
def test_a_broken_tokenizer_is_an_error_of_one_line(
    tmp_path: Path, words: Words, content: str
) -> None:
    words("Hello").save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_text(content, encoding="utf-8")
    with pytest.raises(ModelError, match=r"^tokenizer of '[^\n]+' cannot be loaded: [^\n]+$"):
        tokenizer_for(local(tmp_path), config("llama"), random=False)


def test_a_tokenizer_of_more_entries_than_the_model_is_an_error(
    tmp_path: Path, words: Words
) -> None:
    words("Hello", "world").save_pretrained(tmp_path)
    assert refused(
        ModelError, tokenizer_for, local(tmp_path), config("llama", 2), random=False
    ) == (
        "the tokenizer of 'mine' has 3 entries up to id 2 ('world'), and the model's vocabulary 2; "
        "the two do not belong together"
    )


def test_an_embedding_may_have_rows_to_spare_but_no_id_may_lie_beyond() -> None:
    tokenizer = Tokenizer(models.WordLevel({"?": 0, "far": 90}, unk_token="?"))
    sparse = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    check_vocabulary(sparse, 91, "mine")
    check_vocabulary(sparse, 4000, "mine")
    with pytest.raises(ModelError, match=r"has 2 entries up to id 90 \('far'\)"):
        check_vocabulary(sparse, 90, "mine")


def test_gpt2s_tokenizer_is_the_one_gpt2_was_trained_with() -> None:
    tokenizer = gpt2_tokenizer()
    assert isinstance(tokenizer, GPT2Tokenizer)
    assert tokenizer.encode("Hello world") == [15496, 995]
    assert len(tokenizer) == 50257
    assert tokenizer.encode("<|endoftext|>") == [50256]


def test_gpt2s_tokenizer_gives_the_passage_back() -> None:
    tokenizer = gpt2_tokenizer()
    text = packaged_text("passage.txt")
    assert tokenizer.decode(tokenizer.encode(text)) == text
