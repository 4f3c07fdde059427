import pytest

from neurt.gpt2 import GPT2Shape
from neurt.passes import PlanError, check_pass, prefill

TINY = GPT2Shape(layers=2, width=32, heads=4, inner=128, vocabulary=101, positions=64)


def test_more_tokens_than_positions_are_refused() -> None:
    with pytest.raises(PlanError, match="65 tokens are more than the 64 positions of 'tiny'"):
        check_pass(prefill(65), TINY, "tiny")
