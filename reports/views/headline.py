"""What a run saves: of each part of the model, in MACs and ACs, and of all at both bounds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain

from energy import Estimate, Saving, saving
from energy.bill.both import machine_of
from energy.bill.layer import ACCOUNTINGS
from energy.compare.sensitivity import Interval, sensitivity
from energy.table import Column, Table
from energy.words import energy, number, percent, rounded
from reports.kit.parts import ACCOUNTING_NAMES, BLOCKS, BOUNDS, COMPUTE_ONLY, block_name, scopes
from reports.run.run import Run


@dataclass(frozen=True)
class Headline:
    """What is saved in one part of the model on one hardware, in one accounting."""

    asa: Estimate  #: bill of the analog model
    ssa: Estimate  #: bill of the spiking model
    accounting: str  #: one of `ACCOUNTINGS`
    block: str | None = None  #: only this block; None for the model
    component: str | None = None  #: only this component; None for all

    @cached_property
    def saving(self) -> Saving:
        """What is saved."""
        where = {"block": self.block, "component": self.component}
        return saving(self.asa, self.ssa, self.accounting, **where)

    @property
    def saved(self) -> str:
        """What is saved, in words; `unpriced` where a side has no price."""
        part = self.saving
        return "unpriced" if None in (part.asa_pj, part.ssa_pj) else percent(part.saving)

    @cached_property
    def interval(self) -> Interval | None:
        """Where a block's saving lies if prices are off as far as their evidence allows."""
        return sensitivity(
            self.asa, self.ssa, self.accounting, block=self.block, swings=False
        ).interval

    @property
    def events_per_mac(self) -> float | None:
        """Accumulates per multiply-accumulate that they replace."""
        return self.ssa.counts.only(block=self.block, component=self.component).events_per_mac


def _spread(spread: Interval) -> str:
    return f"{rounded(100 * spread.low, 1):.1f} to {percent(spread.high, 1)}"


#: Parts below each other, each once in each accounting.
HEADLINE_COLUMNS: tuple[Column[Headline], ...] = (
    Column("block", lambda x: block_name(x.block), "part", words=True, key=True),
    Column("accounting", lambda x: ACCOUNTING_NAMES[x.accounting], "counted", words=True, key=True),
    Column("hw", lambda x: machine_of(x.asa, x.ssa).name, "hardware", words=True, key=True),
    Column("asa_pj", lambda x: energy(x.saving.asa_pj), "analog"),
    Column("ssa_pj", lambda x: energy(x.saving.ssa_pj), "spiking"),
    Column("saving", lambda x: x.saving.saving, "saved", percent),
    Column("interval", lambda x: x.interval, "5 to 95 % of constants", _spread),
)


def headlines(pairs: Iterable[tuple[Estimate, Estimate]], title: str = "") -> Table[Headline]:
    """Model, attention and feed-forward where they cost something: the whole bill first."""
    rows = [
        Headline(*pair, accounting, block)
        for pair in pairs
        for accountings in (BOUNDS, (COMPUTE_ONLY,))
        for block in (None, *BLOCKS[:-1])
        for accounting in accountings
    ]
    kept = [row for row in rows if not row.saving.asa_pj == row.saving.ssa_pj == 0]
    return Table(HEADLINE_COLUMNS, kept, title, strong=lambda row: row.block is None)


def run_html(run: Run) -> str:
    """What each hardware saves, as one table in HTML."""
    table = headlines(run.estimates.values(), f"{run.title}; {run.subtitle}")
    return table.only("block", "accounting", "hw", "asa_pj", "ssa_pj", "saving").to_html()


#: One part of the model in each of `ACCOUNTINGS`.
Each = Sequence[Headline]


def _side(number: int, word: str) -> tuple[Column[Each], ...]:
    return (
        Column(f"asa_{word}", lambda x: energy(x[number].saving.asa_pj), f"analog {word}"),
        Column(f"ssa_{word}", lambda x: energy(x[number].saving.ssa_pj), f"spiking {word}"),
        Column(f"saved_{word}", lambda x: x[number].saving.saving, f"saved {word}", percent),
    )


_PART: Column[Each] = Column(
    "part",
    lambda x: f"  {x[0].component}" if x[0].component else block_name(x[0].block),
    "part",
    words=True,
    key=True,
)
_EVENTS: Column[Each] = Column(
    "events_per_mac", lambda x: x[0].events_per_mac, "events per MAC", number
)


#: Why a part that is not converted may cost another energy beside a spiking one.
SHARED_ROOM = "Room on the chip is shared, so that parts which stay analog change too."
#: A change that a table shows.
_VISIBLE = 5e-5


def shares_room(asa: Estimate, ssa: Estimate) -> bool:
    """Whether a block that does the same in both variants costs another energy in one of them."""
    for block, _ in scopes(asa.counts, ssa.counts, components=False):
        compute, *ends = (Headline(asa, ssa, each, block).saving.saving for each in ACCOUNTINGS)
        if block and not compute and any(abs(end or 0.0) > _VISIBLE for end in ends):
            return True
    return False


def part_table(asa: Estimate, ssa: Estimate, components: bool) -> Table[Each]:
    """Each block, and the model: what it costs on both sides at both bounds, and what is saved.

    With the components of each block also MACs and ACs alone, and the events per replaced MAC.
    """
    rows = [
        [Headline(asa, ssa, accounting, *scope) for accounting in ACCOUNTINGS]
        for scope in scopes(asa.counts, ssa.counts, components=components)
    ]
    compute, *bounds = (_side(i, accounting) for i, accounting in enumerate(ACCOUNTINGS))
    return Table(
        (_PART, *((*compute, _EVENTS) if components else ()), *chain(*bounds)),
        rows,
        machine_of(asa, ssa).title,
        group=lambda row: row[0].block if components else "",
        strong=lambda row: row[0].block is None or (components and row[0].component is None),
    )


_WHOLE, _ATTENTION = -1, -2


def _of_whole(lines: Each) -> str:
    return machine_of(lines[_WHOLE].asa, lines[_WHOLE].ssa).name


def _saved_in(number: int, lines: Each) -> str:
    return lines[number].saved


def verdict_table(run: Run) -> Table[Each]:
    """What is saved of the whole bill on each hardware at both bounds: of each phase, of all."""
    phases = [phase.name for phase in run.phases] if run.request else []
    rows = [
        (
            *(Headline(*each, bound) for each in run.phase_estimates[hw][: len(phases)]),
            Headline(*pair, bound, "attention"),
            Headline(*pair, bound),
        )
        for hw, pair in run.estimates.items()
        for bound in BOUNDS
    ]
    columns: tuple[Column[Each], ...] = (
        Column(
            "hw",
            _of_whole,
            "saved on",
            words=True,
            key=True,
        ),
        Column("bound", lambda x: x[_WHOLE].accounting, "whole bill", words=True, key=True),
        *(Column(name, partial(_saved_in, number), name) for number, name in enumerate(phases)),
        Column("model", lambda x: x[_WHOLE].saved, "request" if phases else run.phases[0].name),
        Column("model_interval", lambda x: x[_WHOLE].interval, "5 to 95 %", _spread),
        Column("attention", lambda x: x[_ATTENTION].saved, "attention"),
    )
    return Table(columns, rows, strong=lambda _row: True)


def compute_in_words(run: Run) -> str:
    """What is saved where only MACs and ACs are counted, as most papers do."""
    blocks = (None,) if run.of_network else ("attention", None)
    saved = [
        f"{hw} "
        + ", ".join(
            f"{Headline(*pair, COMPUTE_ONLY, block).saved} of {block or 'the model'}"
            for block in blocks
        )
        for hw, pair in run.estimates.items()
    ]
    return f"MACs and ACs alone, as most papers count: {'; '.join(saved)}."
