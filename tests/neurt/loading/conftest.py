from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # An empty cache of the hub, and no network.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path / "hub"


@pytest.fixture
def into_cache(cache: Path) -> Callable[..., None]:
    """`into_cache("someone/it", path, config__json="{}")`: files, and texts by their names."""

    def put(hub_id: str, *files: Path, **texts: str) -> None:
        repository = cache / f"models--{hub_id.replace('/', '--')}"
        snapshot = repository / "snapshots" / REVISION
        snapshot.mkdir(parents=True, exist_ok=True)
        (repository / "refs").mkdir(exist_ok=True)
        (repository / "refs" / "main").write_text(REVISION, encoding="utf-8")
        for file in files:
            (snapshot / file.name).write_bytes(file.read_bytes())
        for name, text in texts.items():
            (snapshot / name.replace("__", ".")).write_text(text, encoding="utf-8")

    return put


@pytest.fixture(scope="session")
def words() -> Callable[..., PreTrainedTokenizerFast]:
    """`words("Hello", "world")`: a tokenizer that knows these words, from id 1 on."""

    def make(*known: str) -> PreTrainedTokenizerFast:
        entries = {word: index for index, word in enumerate(("?", *known))}
        tokenizer = Tokenizer(models.WordLevel(entries, unk_token="?"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        return PreTrainedTokenizerFast(tokenizer_object=tokenizer)

    return make


@pytest.fixture(scope="session")
def llama() -> LlamaForCausalLM:
    """One layer, 4 heads that share 2 cached ones. Nobody may change it."""
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 16}
    return LlamaForCausalLM(LlamaConfig(vocab_size=264, tie_word_embeddings=True, **sizes, **heads))
