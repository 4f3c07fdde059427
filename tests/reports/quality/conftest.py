from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reports import Run
from reports.quality.evaluation import Comparison, Evaluation, LayerSimilarity, Quality

CONVERSION = {"form": "spikformer", "code": "pow2", "timesteps": 4, "threshold": 1.5}


@pytest.fixture
def evaluated() -> Callable[..., Evaluation]:
    def build(
        run: Run,
        similarity: tuple[float, ...] = (0.11, 0.22, 0.33, 0.44, 0.55, 0.66),
        **changes: Any,
    ) -> Evaluation:
        depths = sorted({row.label.depth for row in run.ssa.layers} - {None})
        compared = Comparison(
            Quality(100, 200.0, 40),
            Quality(100, 210.0, 30),
            top1_agreement=0.75,
            kl_nats=0.125,
            cosine_final=0.875,
            layers=tuple(LayerSimilarity(x, *similarity) for x in depths),
            asa=run.asa,
            ssa=run.ssa,
            window=64,
            stride=32,
            windows=3,
        )
        facts = {
            "comparison": compared,
            "conversion": CONVERSION,
            "text": "a, text.txt",
            "profiles": run.profiles,
            "settings": {"batch": 8},
            "versions": run.versions,
            "created": run.created,
        }
        return Evaluation(**facts | changes)

    return build
