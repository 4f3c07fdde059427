"""`run.json`: what it must hold for a run to be made again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from hwmodels import Dataflow, HardwareProfile
from hwmodels.errors import UserError
from hwmodels.inputs import parse_json
from hwmodels.inputs import read_bytes as read_at_most
from hwmodels.pair import Machine, TwoMachines
from reports.kit.closeness import Scored
from reports.run.summary import FORMAT, IN_BYTES, sha256

Kind = TypeVar("Kind", bound=BaseModel)

#: The largest file of a run that is read; three million rows of counts are half of it.
MAX_BYTES = 1_000_000_000


class RunError(UserError, ValueError):
    """The directory of a run that cannot be read, or that is not what was written."""


class Totals(BaseModel):
    """The totals of one variant; all but these two fields are only compared."""

    model_config = ConfigDict(extra="allow")

    phase: str
    uncounted: dict[str, int]


class Width(BaseModel):
    """How wide an operand is, and who says so."""

    bits: tuple[float, float]
    said_by: Annotated[str, Field(alias="from")]


#: Of each hardware and operand.
_WIDTHS = TypeAdapter(dict[str, dict[str, Width]])


class PhaseRecord(BaseModel):
    """One phase of a whole request."""

    name: str
    generated: int
    counts: dict[str, Totals]


class HardwareRecord(BaseModel):
    """A price list, and the energies that it gave."""

    profile: HardwareProfile | None = None
    machines: TwoMachines | None = None  #: of a comparison of two, in place of a profile
    attention_block: dict[str, dict[str, Any]]
    model: dict[str, dict[str, Any]]

    @property
    def machine(self) -> Machine:
        """The profile, or the two."""
        found = self.profile or self.machines
        assert found is not None
        return found

    @model_validator(mode="after")
    def _has_one(self) -> HardwareRecord:
        if (self.profile is None) == (self.machines is None):
            raise ValueError("hardware has a 'profile', or 'machines' of asa and of ssa")
        return self


class QualityRecord(BaseModel):
    """What both models predicted; all but these sums follow from them."""

    windows: tuple[Scored, ...]

    @field_validator("windows")
    @classmethod
    def _has_tokens(cls, windows: tuple[Scored, ...]) -> tuple[Scored, ...]:
        if sum(window.tokens for window in windows) < 1:
            raise ValueError("no window has a scored token")
        return windows


class Record(BaseModel):
    """What `reports.run.summary.summary` made; its other fields follow from these."""

    format: int
    sha256: dict[str, str]
    command: str
    created: str
    model: str
    weights: str
    settings: dict[str, Any]
    versions: dict[str, str]
    dataflow: Dataflow | None
    latency_s: dict[str, float]
    int8: dict[str, HardwareProfile]
    counts: dict[str, Totals]
    request: list[PhaseRecord]
    quality: QualityRecord | None = None  # versions before 0.2 did not measure it
    hardware: Annotated[dict[str, HardwareRecord], Field(min_length=1)]

    @field_validator("settings")
    @classmethod
    def _has_widths(cls, settings: dict[str, Any]) -> dict[str, Any]:
        _WIDTHS.validate_python(settings.get("widths_used", {}))
        return settings


def read_record(directory: Path) -> Record:
    """Read `run.json`.

    Raises:
        RunError: If it is missing, cut short, of another format, or lacks something.
    """
    name = f"run '{directory}': run.json"
    content = parsed(read_bytes(directory, "run.json"), name)
    _check_format(content, name)
    record = validated(Record, content, name)
    _check_consistent(record, name)
    return record


def validated(kind: type[Kind], content: dict[str, Any], name: str) -> Kind:
    """What a file holds; raises RunError, which names the field, if it is not of this kind."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        rule = first["msg"].removeprefix("Value error, ")
        raise RunError(
            f"{name}, field '{where}': {rule}; run the command again that wrote it"
        ) from error


def parsed(data: bytes, name: str) -> dict[str, Any]:
    """The object in a JSON file, empty where it holds something else; raises RunError if broken."""
    try:
        content = parse_json(data, name, RunError)
    except RunError as error:
        raise RunError(f"{error}; run the command again that wrote it") from error
    return content if isinstance(content, dict) else {}


def _check_format(content: dict[str, Any], name: str) -> None:
    """Make sure that it is a run, and of the format of this version."""
    if (command := content.get("command", "profile")) not in ("profile", "plan"):
        raise RunError(
            f"{name} is that of `neurt-energy {command}`; give a directory that `profile` or "
            "`plan` has written"
        )
    version = content.get("format")
    if version is None:
        raise RunError(
            f"{name} says no format: it is of a version before formats, or no run.json of "
            "neurt-energy; run the command again that wrote it"
        )
    if version not in (FORMAT, IN_BYTES):
        way_out = (
            "install a newer neurt-energy"
            if isinstance(version, int) and version > FORMAT
            else "run the command again that wrote it, or price its counts.csv with `neurt-energy "
            "price`"
        )
        raise RunError(
            f"{name} has format {version}, but this version reads "
            f"{IN_BYTES} and {FORMAT}; {way_out}"
        )


def _check_consistent(record: Record, name: str) -> None:
    for totals in (record.counts, *(phase.counts for phase in record.request)):
        if set(totals) != {"asa", "ssa"}:
            raise RunError(
                f"{name} has counts of {', '.join(totals) or 'nothing'}; a run has asa and ssa"
            )
    if record.command != "profile" and "spike_rate" not in record.settings:
        raise RunError(f"{name}, settings: '{record.command}' is of an assumed spike_rate")
    for key, entry in record.hardware.items():
        if key != entry.machine.name:
            raise RunError(f"{name}: hardware '{key}' holds the profile '{entry.machine.name}'")


def read_bytes(directory: Path, name: str) -> bytes:
    """A file of a run.

    Raises:
        RunError: If it cannot be read.
    """
    path = directory / name
    if not path.exists():
        raise RunError(
            f"run '{directory}' has no {name}; give a directory that `neurt-energy profile` or "
            "`plan` has written"
        )
    return read_at_most(path, f"run '{directory}': {name}", RunError, MAX_BYTES)


def is_changed(directory: Path, name: str, record: Record) -> bool:
    """Whether a file of a run is another than `run.json` describes."""
    return sha256(read_bytes(directory, name)) != record.sha256.get(name)
