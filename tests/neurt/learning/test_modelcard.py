from __future__ import annotations

from pathlib import Path

from neurt.learning.pretrain import HeldOut, model_card
from neurt.requests.training import PretrainRequest
from neurt.text.corpus import Corpus


def test_the_card_says_where_the_model_comes_from() -> None:
    request = PretrainRequest(
        text="letters.txt", steps=500, batch=2, tokens=100, out=Path("runs/tiny"), width=64
    )
    corpus = Corpus("letters.txt", "CC0", tuple("abcdefghij") + tuple("klmnopq"))
    card = model_card(
        request,
        corpus,
        HeldOut(98.7654, 1234, 100),
        parameters=12345,
        training_tokens=40_000,
        made_with={"torch": "2.0", "threads": 1},
    )
    assert card.startswith("---\nlibrary_name: transformers\n")
    for said in (
        "# tiny\n",
        "12,345 parameters, trained from scratch: 4 layers of width 64, 4 heads, 4,096 vocabulary",
        "| held-out perplexity | 98.77 |",
        "1,234 tokens of 2 held-out documents; windows of 100 tokens that do not overlap",
        "letters.txt: 15 documents, 40,000 tokens; documents 5, 15 (counted from 0) are held out",
        "| licence of the text | CC0 |",
        # 500 steps x 2 x 100 = 100,000; / 40,000 = 2.5
        "500 steps of 2 windows of 100 tokens, 100,000 tokens in all (2.50 passes)",
        "| made with | torch 2.0, threads 1 |",
        f"\n    {request.command}\n",
    ):
        assert said in card


def test_many_held_out_documents_are_not_all_named() -> None:
    request = PretrainRequest(text="t", out=Path("m"))
    card = model_card(
        request,
        Corpus("t", "CC0", ("x",) * 40),
        HeldOut(1.0, 1, 256),
        parameters=1,
        training_tokens=1,
        made_with={},
    )
    assert "documents 5, 15, 25, ... (counted from 0) are held out" in card
