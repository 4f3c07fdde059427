"""What may be asked of the commands that read files, and of `convert`. No torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from energy.literature.claims import CLAIM_COLUMNS
from energy.literature.review import MAX_TOLERANCE, TOLERANCE
from neurt.requests.base import (
    AtLeast2,
    Calibrated,
    Conversion,
    Fitted,
    Flag,
    Forced,
    Output,
    Reported,
    Request,
    RequestError,
    Seed,
    dated,
)
from neurt.requests.constants import Changed
from neurt.requests.hardware import Bound, Timed, check_both_sides
from neurt.requests.layered import Layered
from neurt.requests.loaded import Compiled, Mapped, Seeded
from neurt.requests.machines import Paired
from neurt.requests.objective import Aimed
from neurt.spiking.config import SpikingConfig
from reports.kit.fit import Fit


class ConvertRequest(Aimed, Calibrated, Layered, Compiled, Mapped, Seeded):
    """A model to convert and write as any Hugging Face tool loads it."""

    spiking: Conversion = SpikingConfig()
    window: Annotated[
        AtLeast2 | None, Flag(default="the positions of the model, at most 256", group="texts")
    ] = None
    """tokens per window of the calibration text"""
    out: Annotated[Path, Flag("DIR", group="output")]
    """new directory of the model"""


class PriceRequest(Paired, Bound, Timed, Forced):
    """A table of counts to price."""

    counts: Annotated[Path, Flag(positional=True)]
    """a CSV with at least: layer, mac, ac"""
    accounting: Literal["bill", "lemaire", "lemaire-printed"] = "bill"
    """bill: every operation at the price of the profile; lemaire: the model of Lemaire et al. 2022,
    which has a dataflow of its own; lemaire-printed: with its Eq. 2.4 as printed"""
    out: Annotated[Path, Flag("DIR", ".")] = Path()
    """where energy.csv goes (machines.csv of two machines, lemaire.csv for the accounting of
    Lemaire et al.)"""

    def check(self) -> None:
        """See `Request.check`."""
        super().check()
        if self.is_pair and self.accounting != "bill":
            raise RequestError("two machines are compared by --accounting bill alone")

    def idle(self) -> dict[str, str]:
        """See `Request.idle`."""
        own = "the accounting of Lemaire et al. has a machine of its own, of which --hw prices two "
        own += "operations; leave it out, or use --accounting bill"
        machine = {*Bound.model_fields, *Timed.model_fields} - {"hw", "set"}
        return super().idle() | (dict.fromkeys(machine, own) if self.accounting != "bill" else {})


class PageRequest(Forced):
    """The page that prices a pasted configuration."""

    out: Annotated[Path, Flag("DIR", "site", group="output")] = Path("site")
    """directory of index.html, which needs no file beside it"""


class Counted(Request):
    """A run to read."""

    group: ClassVar[str] = "model"

    counts: Annotated[Path, Flag("RUN", positional=True)]
    """the directory of a run, or its counts.csv, with an analog (asa) and a spiking (ssa) side"""


class SensitivityRequest(Output, Timed, Counted, Forced):
    """A run, and how often its constants are drawn."""

    group: ClassVar[str] = "model"

    block: Annotated[
        Literal["attention", "ffn", "model"] | None,
        Flag(default="attention, and model where no layer is of it"),
    ] = None
    """whose saving is taken apart; the table has all"""
    samples: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """draws of all constants for the interval"""
    seed: Seed = 0
    """of the draws"""
    out: Annotated[Path, Flag("DIR", "that of the counts")] = Field(
        default_factory=lambda given: directory_of(given.get("counts", Path()))
    )
    """output directory"""

    def check(self) -> None:
        """See `Request.check`."""
        super().check()
        check_both_sides(self.latency_s)


def directory_of(counts: Path) -> Path:
    """The directory of a table of counts, or of a run."""
    return counts if counts.is_dir() else counts.parent


class ReportRequest(Reported, Fitted):
    """Runs to report again, or to put side by side."""

    group: ClassVar[str] = "model"

    runs: Annotated[tuple[Path, ...], Flag("RUN", positional=True)]
    """the directory of a run; its run.json (of a count, count.json) and counts.csv are read, and
    checked"""
    compare: bool = False
    """one table, picture and page with a line for each run and hardware, in place of a report of
    each"""
    measured: bool = False
    """beside a comparison, systems whose energy per token somebody has measured (`hw list
    --measured`); one run will do"""
    parquet: bool = False
    """tables as Parquet too (pip install 'neurt-energy[parquet]')"""
    latex: bool = False
    """a table for a paper too: table.tex of each run, or compare.tex; needs booktabs and siunitx"""
    latex_fit: Fit = Fit.ONE
    """how wide that table may be: one column of 8.5 cm, or the 17.8 cm of two"""
    out: Annotated[Path, Flag("DIR", "runs/TIME-report")] = Field(
        default_factory=lambda: dated("report")
    )
    """output directory"""
    force: bool = False
    """write into a directory that holds files, and replace those of the same names"""

    def idle(self) -> dict[str, str]:
        """See `Request.idle`."""
        found = super().idle()
        if not self.latex:
            found["latex_fit"] = "it is the width of the table of --latex; give --latex too"
        if self.compare:
            return found | {
                "details": "a comparison is one table",
                "pictures_fit": "the picture of a comparison is as wide as two columns; leave out "
                "--compare",
            }
        return found | {"measured": "a report is of one run; put it beside others with --compare"}


class CheckRequest(Changed, Forced):
    """Claims of a paper to check."""

    group: ClassVar[str] = "options"

    claims: Annotated[Path, Flag("CLAIMS.csv", positional=True)] = Field(
        description="one row per claim; columns, of which any but the first may be missing or "
        f"empty: {', '.join(CLAIM_COLUMNS)}"
    )
    hw: Annotated[str, Flag("NAME")] = "45nm"
    """prices of claims that name none: a profile or a .toml file"""
    tolerance: Annotated[float, Field(ge=0, le=MAX_TOLERANCE), Flag("SHARE")] = TOLERANCE
    """relative difference put down to rounding"""
    out: Annotated[Path | None, Flag("FILE")] = None
    """write the findings as CSV"""


class CompletionRequest(Request):
    """A shell."""

    shell: Annotated[Literal["bash", "zsh", "fish"], Flag(positional=True)]
    """the shell that completes commands and flags"""
