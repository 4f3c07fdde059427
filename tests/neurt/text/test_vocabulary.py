from __future__ import annotations

from pathlib import Path

import pytest
from builders import refused
from transformers import AutoTokenizer

from neurt.text.vocabulary import (
    END_OF_TEXT,
    VocabularyError,
    encode_documents,
    fast_tokenizer,
    train_tokenizer,
)

DOCUMENTS = ["the cat sat on the mat, the cat and the bat", "the dog sat on the log. The end."] * 3


def test_it_has_the_entries_that_were_asked_for() -> None:
    tokenizer = train_tokenizer(DOCUMENTS, 270)
    assert tokenizer.get_vocab_size() == 270
    assert tokenizer.token_to_id(END_OF_TEXT) == 0


def test_frequent_words_become_one_token() -> None:
    # " the" stands 3 times in each of 6 documents, more often than any other word.
    tokenizer = train_tokenizer(DOCUMENTS, 270)
    assert tokenizer.encode(" the").tokens == ["Ġthe"]


def test_any_text_comes_back() -> None:
    tokenizer = train_tokenizer(DOCUMENTS, 270)
    text = "  Größe µ 鯨\t\n\n the🐋 cat's"
    assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_the_same_text_gives_the_same_tokenizer() -> None:
    assert train_tokenizer(DOCUMENTS, 280).to_str() == train_tokenizer(DOCUMENTS, 280).to_str()


def test_each_document_ends() -> None:
    tokenizer = train_tokenizer(DOCUMENTS, 270)
    one, two = encode_documents(tokenizer, DOCUMENTS[:2])
    assert one[-1] == two[-1] == 0
    assert tokenizer.decode(one[:-1].tolist()) == DOCUMENTS[0]
    assert 0 not in one[:-1]


def test_transformers_saves_and_loads_it(tmp_path: Path) -> None:
    tokenizer = train_tokenizer(DOCUMENTS, 270)
    fast_tokenizer(tokenizer, 64).save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path, local_files_only=True)
    text = " Größe the cat's mat\n\nThe end"
    assert loaded.encode(text) == tokenizer.encode(text).ids
    assert loaded.decode(loaded.encode(text)) == text
    assert (loaded.eos_token_id, len(loaded), loaded.model_max_length) == (0, 270, 64)


def test_there_must_be_room_for_all_bytes() -> None:
    assert refused(VocabularyError, train_tokenizer, DOCUMENTS, 256) == (
        "--vocabulary (= 256) must be at least 257: all bytes and <|endoftext|>"
    )


def test_a_short_text_has_no_large_vocabulary() -> None:
    with pytest.raises(
        VocabularyError, match=r"the text gives \d+ entries, but --vocabulary is 999"
    ):
        train_tokenizer(DOCUMENTS, 999)


def test_more_entries_than_any_model_has_are_refused_before_memory_is_taken() -> None:
    with pytest.raises(VocabularyError, match=r"= 1,000,000,000\) may be at most 1,048,576, four"):
        train_tokenizer(["a b"], 10**9)
