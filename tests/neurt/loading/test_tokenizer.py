from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


FAULT = r"^tokenizer (of|file) '[^\n]+' (cannot be loaded|is cut short)[^\n]+$"


@pytest.mark.parametrize("content", ["{", "[]", '{"version": "1.0"}', ""])
def test_a_broken_tokenizer_is_an_error_of_one_line(
    tmp_path: Path, words: Words, content: str
) -> None:
    words("Hello").save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_text(content, encoding="utf-8")
    with pytest.raises(ModelError, match=FAULT):
        tokenizer_for(local(tmp_path), config("llama"), random=False)


def changed(directory: Path, words: Words, **parts: Any) -> ModelSource:
    """A model whose tokenizer.json has other parts."""
    words("Hello", "a").save_pretrained(directory)
    file = directory / "tokenizer.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(content | parts), encoding="utf-8")
    return local(directory)


BPE: dict[str, Any] = {
    "type": "BPE",
    "dropout": None,
    "unk_token": None,
    "continuing_subword_prefix": "",
    "end_of_word_suffix": "",
    "fuse_unk": False,
    "byte_fallback": False,
    "ignore_merges": False,
    "vocab": {"a": 0, "b": 1, "ab": 2},
    "merges": [["a", "b"]],
}


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        # These two panic: a prefix longer than the token, and a table that is none.
        ({"model": BPE | {"continuing_subword_prefix": "###"}}, "slice index|range|index"),
        ({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}}, "Precompiled"),
        ({"model": BPE | {"vocab": {"a": -1}, "merges": []}}, "invalid value: integer `-1`"),
        ({"model": BPE | {"vocab": {"a": 0, "c": 1}}}, "out of vocabulary"),
        ({"model": BPE | {"merges": {"a": "b"}}}, "did not match any variant"),
        ({"model": BPE | {"dropout": 0.5}}, "drops merges at random"),
        ({"added_tokens": 3}, "not iterable|invalid type"),
        (
            {"model": {"type": "Unigram", "unk_id": None, "vocab": [["b", -1.0]]}},
            "Encountered an unknown token",
        ),
    ],
    ids=["panic", "panic in normalizer", "id", "merge", "merges", "dropout", "added", "unknown"],
)
def test_a_tokenizer_of_wrong_parts_is_an_error_of_one_line(
    tmp_path: Path,
    words: Words,
    capfd: pytest.CaptureFixture[str],
    parts: dict[str, Any],
    says: str,
) -> None:
    source = changed(tmp_path, words, **parts)
    said = refused(ModelError, tokenizer_for, source, config("llama"), random=False)
    assert re.search(says, said)
    assert len(said) < 300 + len(str(tmp_path))
    assert capfd.readouterr().err == ""


def test_a_tokenizer_without_entries_is_an_error(tmp_path: Path, words: Words) -> None:
    source = changed(tmp_path, words, model=BPE | {"vocab": {}, "merges": []})
    assert (
        refused(ModelError, tokenizer_for, source, config("llama"), random=False)
        == "the tokenizer of 'mine' has no entries; give the model's own"
    )


@pytest.mark.parametrize("with_json", [True, False])
def test_no_code_of_a_tokenizer_runs(tmp_path: Path, words: Words, with_json: bool) -> None:
    ran = tmp_path / "ran"
    if with_json:
        words("Hello", "world").save_pretrained(tmp_path)
    else:
        (tmp_path / "vocab.json").write_text('{"a": 0}', encoding="utf-8")
        (tmp_path / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    code = f"open({str(ran)!r}, 'w')\nclass Own: ...\n"
    (tmp_path / "own.py").write_text(code, encoding="utf-8")
    named = {"tokenizer_class": "Own", "auto_map": {"AutoTokenizer": ["own.Own", "own.Own"]}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(named), encoding="utf-8")
    (tmp_path / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
    if with_json:
        found = tokenizer_for(local(tmp_path), config("llama"), random=False)
        assert found.encode("world") == [2]
    else:
        with pytest.raises(ModelError, match=r"^tokenizer of '[^\n]+' cannot be loaded: [^\n]+$"):
            tokenizer_for(local(tmp_path), config("llama"), random=False)
    assert not ran.exists()


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json", "merges.txt"])
def test_files_of_a_tokenizer_are_regular_and_of_a_size(
    tmp_path: Path, words: Words, name: str
) -> None:
    words("Hello").save_pretrained(tmp_path)
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    with pytest.raises(ModelError, match=rf"{name}' is a named pipe, and must be a regular file"):
        tokenizer_for(local(tmp_path), config("llama"), random=False)
    (tmp_path / name).unlink()
    with (tmp_path / name).open("wb") as file:
        file.truncate(2**36)
    with pytest.raises(ModelError, match=r"has 68,719,476,736 bytes, and at most 134,217,728 are"):
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


def rules(*replaced: tuple[dict[str, str], str]) -> dict[str, Any]:
    made = [{"type": "Replace", "pattern": p, "content": content} for p, content in replaced]
    return {"type": "Sequence", "normalizers": made}


def test_replacements_that_blow_a_text_up_are_refused_before_they_run(
    tmp_path: Path, words: Words
) -> None:
    words("Hello", "world").save_pretrained(tmp_path)
    file = tmp_path / "tokenizer.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    # As Llama's: a space becomes one other character, however often; 2 / 4 shortens
    harmless = rules(*[({"String": " "}, "▁")] * 50, ({"String": "abcd"}, "ab"))
    file.write_text(json.dumps(document | {"normalizer": harmless}), encoding="utf-8")
    assert tokenizer_for(local(tmp_path), config("llama"), random=False).encode("Hello") == [1]
    # 10^12 characters for one: 2 rules of 100 for 1, and 4 of 200 for 2
    bomb = rules(*[({"Regex": "a+"}, "a" * 100)] * 2, *[({"String": "aa"}, "a" * 200)] * 4)
    file.write_text(json.dumps(document | {"normalizer": bomb}), encoding="utf-8")
    assert "up to 1e+12 times longer" in refused(
        ModelError, tokenizer_for, local(tmp_path), config("llama"), random=False
    )
