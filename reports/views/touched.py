"""Which share of its weights a run needs, token by token and over a batch, in a sentence."""

from __future__ import annotations

from collections.abc import Iterator

from energy.compare.touched import Touched, touched
from energy.words import percent
from hwmodels import Dataflow
from reports.run.run import Run

#: Tokens side by side that a sentence names, beside one.
_SHOWN = 4
#: Above this share of the weights there is nothing left to save.
GONE = 0.99


def touched_of(run: Run) -> dict[str, Touched]:
    """What is known of the last phase of a run, by variant."""
    last = run.phases[-1]
    found = {side.variant: touched(side) for side in (last.asa, last.ssa)}
    return {variant: known for variant, known in found.items() if known is not None}


def touched_sentences(run: Run) -> Iterator[str]:
    """What decode fetches of the weights of both models where rows are gathered, and until when."""
    for variant, known in touched_of(run).items():
        model = {"asa": "values that are not zero", "ssa": "events"}[variant]
        counted = _counted(known) if run.command == "profile" else ""
        yield f"Weights that {model} need in decode: {_shares(known)}{counted}."


def _shares(known: Touched) -> str:
    alone = percent(known.at(1), 1)
    if known.at(1) > GONE:
        return f"{alone} at batch 1: gathering rows saves nothing"
    words = f"{alone} at batch 1, {percent(known.at(_SHOWN), 1)} at {_SHOWN}"
    if (gone := known.batch_of(GONE)) is not None:
        words += f", above {percent(GONE, 0)} from batch {gone:,}"
    return f"{words} (tokens independent; --dataflow {Dataflow.GATHERED} fetches no others)"


def _counted(known: Touched) -> str:
    """What a batch really needed together, beside what independence says."""
    if not known.one_by_one or known.batch == 1 or known.at(1) > GONE:
        return ""
    said = percent(known.at(known.batch), 1)
    return f"; counted at batch {known.batch}: {percent(known.union, 1)} ({said} if independent)"
