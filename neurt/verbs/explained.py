"""Errors that explain themselves in one line."""

from __future__ import annotations

import sys

from energy.countsfile import CountsError
from hwmodels import ProfileError
from reports.files import OutputError

#: By module, so that none is imported for its errors: those of others cannot occur.
_LAZY = {
    "energy.claims": ["ClaimError"],
    "energy.events": ["EventError"],
    "energy.expose": ["ExposeError"],
    "energy.lemaire": ["LemaireError"],
    "energy.matmul": ["AttentionError"],
    "energy.meter": ["UncountedOperation"],
    "energy.sensitivity": ["SensitivityError"],
    "hwmodels.components": ["ComponentError"],
    "reports.compare": ["CompareError"],
    "reports.parquet": ["ParquetError"],
    "reports.record": ["RunError"],
    "reports.steps": ["StepsError"],
    "neurt.closed_form.breakeven": ["BreakEvenError"],
    "neurt.learning.checkpoint": ["CheckpointError"],
    "neurt.spiking.conversion": ["ConversionError"],
    "neurt.text.corpus": ["CorpusError"],
    "neurt.text.data": ["TextError"],
    "neurt.families.family": ["ShapeError"],
    "neurt.loading.gguf_header": ["GGUFError"],
    "neurt.closed_form.passes": ["PlanError"],
    "neurt.runs.verification": ["VerificationError"],
    "neurt.runs.points": ["PointError"],
    "neurt.runs.reproduce": ["ReproduceError"],
    "neurt.runs.side_by_side": ["ProcessKilledError"],
    "neurt.loading.source": ["ModelError"],
    "neurt.evaluation.sweep": ["SweepError"],
    "neurt.learning.training": ["TrainingError"],
    "neurt.learning.training_request": ["RequestError"],
    "neurt.text.vocabulary": ["VocabularyError"],
    "neurt.text.windows": ["QualityError"],
    "reports.metrics": ["MetricsError"],
}


def explained(error: BaseException) -> bool:
    """Whether an error explains itself in one line; then it is not a bug of this program."""
    found: list[type[Exception]] = [CountsError, ProfileError, OutputError]
    for module, names in _LAZY.items():
        if module in sys.modules:
            found += [getattr(sys.modules[module], name) for name in names]
    return isinstance(error, tuple(found))
