"""A command from its words to its files: what tests of it ask for, and what they find."""

from __future__ import annotations

import contextlib
import csv
import io
from dataclasses import dataclass
from pathlib import Path

import pytest

from neurt.cli import main
from reports.kit import style

LAYERS, WIDTH, HEADS, VOCABULARY = 2, 32, 4, 50257
TOKENS, BATCH, WINDOWS, TIMESTEPS = 16, 2, 2, 4

LABEL = "local(tiny-gpt2)"

TABLES = (
    *("counts.csv", "steps.csv", "phases.csv", "layers.csv", "blocks.csv"),
    *("savings.csv", "baselines.csv"),
)
FILES = {
    *TABLES,
    *("summary.md", "report.html", "sources.bib", "run.json", "roofline.csv", "batch.csv"),
    *("spike_rates.png", "spike_rates.svg"),
    *("roofline_45nm.png", "roofline_45nm.svg"),  # Loihi has no prices of memory
    *("batch_45nm.png", "batch_45nm.svg"),
    *(
        f"{name}_{hw}.{suffix}"
        for name in ("layers", "components")
        for hw in ("45nm", "loihi")
        for suffix in ("png", "svg")
    ),
}

Row = dict[str, str]


@dataclass(frozen=True)
class Finished:
    phase: str
    out: Path
    said: str

    def rows(self, name: str) -> list[Row]:
        with (self.out / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def layers(self, hw: str, variant: str) -> dict[str, Row]:
        return {
            row["layer"]: row
            for row in self.rows("layers.csv")
            if (row["hw"], row["variant"]) == (hw, variant)
        }

    def counted(self, variant: str) -> dict[str, Row]:
        return {r["layer"]: r for r in self.rows("counts.csv") if r["variant"] == variant}

    @property
    def queries(self) -> int:
        # New tokens of a sequence; in both phases it attends 16.
        return TOKENS if self.phase == "prefill" else 1


def words(tiny: Path, phase: str, out: Path, windows: int = WINDOWS) -> list[str]:
    tokens = "--seq-len" if phase == "prefill" else "--context"
    asked = ["profile", "--model", str(tiny), "--hw", "45nm", "--hw", "loihi", "--phase", phase]
    asked += [tokens, str(TOKENS), "--batch", str(BATCH), "--windows", str(windows)]
    return [*asked, "--out", str(out)]


def profile(*arguments: str) -> str:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert main(arguments) == 0
    return said.getvalue()


def profiled(tiny: Path, phase: str, out: Path) -> Finished:
    # The pictures of one phase are drawn; of the other, their titles are enough.
    with pytest.MonkeyPatch.context() as patch:
        if phase == "decode":
            patch.setattr(
                style, "save", lambda figure, path: path.write_text(figure.get_suptitle())
            )
        # Its arithmetic below is that of Spikformer attention and of signed integrate-and-fire.
        said = profile(*words(tiny, phase, out), "--form", "spikformer")
        return Finished(phase, out, said)


def contents(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir()}
