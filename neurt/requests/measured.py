"""What may be asked of `hw fit`. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from hwmodels.prices import Name, Sentence
from neurt.requests.base import AtLeast0, Capacity, Flag, Forced, Pictured, Seed

#: Tokens of a prompt where neither the table nor anybody says.
PROMPT = 150

#: The same of tasks of the ML.ENERGY benchmark: guesses, which nobody has measured.
PROMPTS = {"lm-arena-chat": 150, "gpqa": 250, "sourcegraph-fim": 600}

#: Stands for the tasks that --prompt does not name.
OTHERS = "others"


def _said() -> str:
    tasks = {**PROMPTS, OTHERS: PROMPT}
    return ", ".join(f"{task}={tokens}" for task, tokens in tasks.items())


class FitRequest(Pictured, Forced):
    """Measured points to fit the prices of a whole chip to."""

    group: ClassVar[str] = "options"

    measured: Annotated[Path, Flag("MEASURED.csv", positional=True)]
    """a row for each server in a steady state that was measured; the columns are below"""
    out: Annotated[Path | None, Flag("FILE", "MEASURED.toml")] = None
    """the profile; its picture goes beside it"""
    name: Annotated[Name | None, Flag("NAME", "that of the file")] = None
    """what to type after --hw"""
    title: Annotated[Sentence | None, Flag("TEXT", "what it is fitted on")] = None
    """one line for tables and pictures"""
    gpu: Annotated[str | None, Flag("NAME", "the only one of the table")] = None
    """rows to use: those with this in the column of GPUs"""
    prompt: Annotated[Mapping[str, AtLeast0], Flag("TASK=TOKENS", _said())] = Field(
        default_factory=dict
    )
    """tokens of a prompt where the table has none, by task, as chat=150 others=250"""
    source: Annotated[Sentence | None, Flag("TEXT", "the name of the table")] = None
    """who measured: the citation of every price"""
    boundary: Annotated[Sentence | None, Flag("TEXT", "the GPUs alone")] = None
    """what the measured energy has inside"""
    memory: Annotated[Capacity | None, Flag("SIZE")] = None
    """memory of one GPU, as 80GB: a plan says then what does not fit"""
    seed: Seed = 0
    """of the draws from which the spreads follow"""
