"""A tokenizer of one's own: byte-level byte-pair encoding, as GPT-2 has it."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from hwmodels.errors import UserError
from neurt.text.encoding import token_ids

#: Stands after each document; its id is 0.
END_OF_TEXT = "<|endoftext|>"
#: The 256 bytes and the end of a text.
SMALLEST = 257
#: Memory is taken for all entries before the first is found.
LARGEST = 2**20


class VocabularyError(UserError, ValueError):
    """A tokenizer that cannot be trained."""


def train_tokenizer(documents: Iterable[str], entries: int) -> Tokenizer:
    """Train a byte-level BPE of exactly `entries` entries.

    Raises:
        VocabularyError: If `entries` has no room for all bytes, is above `LARGEST`, or is more than
            the text gives.
    """
    if entries < SMALLEST:
        raise VocabularyError(
            f"--vocabulary (= {entries}) must be at least {SMALLEST}: all bytes and {END_OF_TEXT}"
        )
    if entries > LARGEST:
        raise VocabularyError(
            f"--vocabulary (= {entries:,}) may be at most {LARGEST:,}, four times the largest that "
            "models have; lower it"
        )
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(
        vocab_size=entries,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(documents, trainer)
    if tokenizer.get_vocab_size() != entries:
        raise VocabularyError(
            f"the text gives {tokenizer.get_vocab_size()} entries, but --vocabulary is {entries}; "
            "lower it, or give a longer --text"
        )
    return tokenizer


def encode_documents(tokenizer: Tokenizer, documents: Iterable[str]) -> list[Tensor]:
    """Token ids (N,) of each document, the end of the text included."""
    end = tokenizer.token_to_id(END_OF_TEXT)

    def encode(text: str, *, add_special_tokens: bool = True) -> list[int]:
        return tokenizer.encode(text, add_special_tokens=add_special_tokens).ids

    return [torch.cat([token_ids(encode, text), torch.tensor([end])]) for text in documents]


def fast_tokenizer(tokenizer: Tokenizer, positions: int) -> PreTrainedTokenizerFast:
    """The tokenizer as transformers has it, for a model of so many positions."""
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=END_OF_TEXT,
        eos_token=END_OF_TEXT,
        unk_token=END_OF_TEXT,
        model_max_length=positions,
        clean_up_tokenization_spaces=False,
    )
