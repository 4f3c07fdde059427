"""What a run says on the terminal: a table by part, and last the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console

from energy import Estimate
from energy.bill.both import machine_of
from energy.bill.layer import ACCOUNTINGS, known_pj, relevant_ops
from energy.table import Column, Table
from energy.words import energy, integer, op_amounts, percent
from hwmodels import Op
from hwmodels.pair import sides
from hwmodels.plain import several
from reports.kit.caveats import NOT_MODELLED, OF_TWO_MACHINES, PUBLISHED_SAVING, of_random_weights
from reports.kit.parts import BOUNDS
from reports.kit.ran import print_ran
from reports.kit.table import print_sentence, print_table
from reports.kit.widths import print_widths
from reports.run.run import Run
from reports.views.baselines import baseline_table, saved
from reports.views.blocks import block_table
from reports.views.headline import (
    SHARED_ROOM,
    compute_in_words,
    part_table,
    shares_room,
    verdict_table,
)
from reports.views.markdown import assumptions, without_price
from reports.views.phases import PhaseBill, phase_bills, phase_table
from reports.views.quality import quality_sentence
from reports.views.times import time_table
from reports.views.touched import touched_sentences


def print_run(
    run: Run, console: Console, *, details: bool = False, written: Sequence[Path] = ()
) -> None:
    """Print what each part costs on each hardware, and last what is saved.

    With `details` also each component, phase and baseline, what has no price or is assumed.
    """
    console.print()
    print_sentence(run.title, console, "bold")
    print_sentence(run.subtitle, console)
    for hw, (asa, ssa) in run.estimates.items():
        console.print()
        print_table(part_table(asa, ssa, details), console)
        for one in sides(machine_of(asa, ssa)):
            where = f" on {one.name}" if run.is_of_two else ""
            print_widths(run.settings, one.name, console, where)
        if run.is_of_two:
            print_sentence(OF_TWO_MACHINES, console, "yellow")
        elif shares_room(asa, ssa):
            print_sentence(SHARED_ROOM, console, "dim")
        if details:
            for bill in (asa, ssa):
                print_unpriced(bill, console)
            for bill in (asa, ssa) if run.is_of_two else (ssa,):
                print_assumptions(bill, console)
            for table in (block_table(run, hw), phase_table(run, hw), baseline_table(run, hw)):
                console.print()
                print_table(table, console)
        else:
            _print_short(run, hw, console)
        if (times := time_table(run, hw)).rows:
            console.print()
            print_table(times, console)
    if details:
        console.print()
        print_not_counted({**run.asa.uncounted, **run.ssa.uncounted}, console)
    console.print()
    _print_verdict(run, console)
    print_written(written, console, "" if details else "--details prints all tables")


def _print_short(run: Run, hw: str, console: Console) -> None:
    """Per token or sample, against other baselines, and what has no price: a line each."""
    last = phase_bills(run, hw)[-1]
    asa, ssa, asa_unfused, ssa_unfused = (
        _per_token(last, bill.under(bound)) for bound in BOUNDS for bill in (last.asa, last.ssa)
    )
    each = "generated token" if last.phase == "request" else "token"
    each = "sample" if run.of_network else each
    print_sentence(
        f"Per {each}: {asa} analog, {ssa} spiking fused; {asa_unfused}, {ssa_unfused} unfused.",
        console,
    )
    others = [
        f"{x.title} {' / '.join(texts)}"
        for x in run.baselines[hw][1:]
        if (texts := [text for bound in BOUNDS if (text := saved(bound, None, x))])
    ]
    if others:
        print_sentence(f"Model, {' / '.join(BOUNDS)}, against: {'; '.join(others)}.", console)
    if missing := [op for op in Op if any(op in bill.unpriced for bill in run.estimates[hw])]:
        print_sentence(f"Without a price, so in no sum: {', '.join(missing)}.", console, "yellow")


def _per_token(bills: PhaseBill, bill: Estimate) -> str:
    return energy(None if bill.lacks_compute else bills.per_token(bill.energy_pj()))


def _print_verdict(run: Run, console: Console) -> None:
    print_table(verdict_table(run), console)
    print_sentence(quality_sentence(run), console, "bold")
    low, high = PUBLISHED_SAVING
    published = f" Published: {100 * low:.2f} to {100 * high:.2f} % of attention, other weights."
    if run.of_network:
        published = ""
    print_sentence(f"{compute_in_words(run)}{published}", console, "dim")
    for sentence in touched_sentences(run):
        print_sentence(sentence, console)
    print_ran(run.settings, run.versions, console)
    if run.command == "plan":
        rate = run.settings["spike_rate"]
        print_sentence(f"The spike rate {rate} is assumed, not measured.", console, "yellow")
    elif note := of_random_weights(run.asa.weights):
        print_sentence(note, console, "yellow")
    if beyond := run.settings.get("beyond"):
        print_sentence(f"{beyond}.", console, "yellow")
    if assumed := run.settings.get("assumed"):
        print_sentence(f"Assumed: {assumed}.", console, "yellow")


def print_written(written: Sequence[Path], console: Console, more: str = "") -> None:
    """Say where the files are, and where the page is, on lines that nobody breaks."""
    if not written:
        return
    directory = written[0].parent
    console.print(
        f"Written to {directory}: {several(len(written), 'file')}", markup=False, soft_wrap=True
    )
    if more:
        console.print(more, markup=False)
    for page in (path for path in written if path.suffix == ".html"):
        console.print(f"Page: {page}", markup=False, soft_wrap=True)


def print_unpriced(bill: Estimate, console: Console) -> None:
    """Print what has no price, and how much has one."""
    if bill.unpriced:
        print_sentence(without_price(bill), console, "dim")


def print_assumptions(bill: Estimate, console: Console) -> None:
    """Print what the machine is taken to be, and what the profile assumes."""
    for line in assumptions(bill):
        print_sentence(f"- {line}", console, "dim")


def print_not_counted(uncounted: Mapping[str, int], console: Console) -> None:
    """Print what no count and no model of this version contains."""
    if uncounted:
        listed = op_amounts(dict(sorted(uncounted.items())))
        print_sentence(f"Uncounted element-wise operations (calls): {listed}.", console, "dim")
    print_sentence(f"Not modelled: {'; '.join(NOT_MODELLED)}.", console, "dim")


def _priced(bill: Estimate, accounting: str) -> str:
    relevant = relevant_ops(accounting)
    missing = (op for op in bill.unpriced if op in relevant)
    return energy(known_pj(bill.energy_pj(accounting), missing))


_BILL_COLUMNS: tuple[Column[Estimate], ...] = (
    Column("variant", lambda bill: bill.counts.variant or "counts", "counts", words=True, key=True),
    Column("hw", lambda bill: bill.profile.name, "hardware", words=True, key=True),
    *(Column(f"{name}_pj", partial(_priced, accounting=name), name) for name in ACCOUNTINGS),
    Column("macs", lambda bill: bill.counts.total(Op.MAC), "MACs", integer),
    Column("acs", lambda bill: bill.counts.total(Op.AC, Op.SHIFT_AC), "ACs", integer),
    Column("coverage", lambda bill: bill.coverage, "operations with a price", percent),
)


def print_bills(bills: Sequence[Estimate], console: Console) -> None:
    """Print the totals of priced tables of counts, and what has no price."""
    print_table(Table(_BILL_COLUMNS, bills), console)
    for bill in bills:
        print_unpriced(bill, console)
