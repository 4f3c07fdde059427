"""The verb `reproduce`: the published savings table, measured."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from energy import Counts, LayerCount
from energy.compare.breakeven import Part
from hwmodels import HardwareProfile, load_profiles
from hwmodels.errors import UserError
from neurt.closed_form.passes import PlanError
from neurt.families import is_converted
from neurt.grid.measuring import GIB, STAGES, Found, measure, memory_bytes, peak_bytes
from neurt.grid.points import Points, fingerprint, point_stem
from neurt.grid.side_by_side import ProcessKilledError, Progress, Task, side_by_side
from neurt.loading.source import ModelSource, read_config, resolve
from neurt.requests.passes import ProfileRequest
from neurt.requests.reproduce import ReproduceRequest
from neurt.spiking.config import Code, Form, KeyValue, SpikingConfig
from reports.kit.files import prepare_directory
from reports.reproduce.rows import Measured, Reproduction
from reports.run.run import Run

#: Neurons whose spikes go into the projections; those of a product of attention are its own.
_OF_PROJECTIONS = ("attn.encoder", "attn.mix_encoder", "attn.mix_neuron")
_PRODUCTS = ("rotary", "scores", "softmax", "mix")


class ReproduceError(UserError, RuntimeError):
    """A table that cannot be made, or a run for it that failed."""


def run_reproduce(
    request: ReproduceRequest,
    progress: Progress = lambda _what, _done, _total: None,
    say: Callable[[str], None] = lambda _line: None,
) -> Reproduction:
    """Measure every run that has no counts yet, and price all of them.

    Counts are kept in `points/` of the output directory, so what was interrupted goes on where it
    was; other hardware needs no measurement.

    Args:
        request: What was asked for.
        progress: Told how far the work is.
        say: Given lines that the user must read.

    Raises:
        ProfileError: If a hardware profile cannot be loaded.
        ModelError: If a model is unknown.
        PlanError: If a model cannot do the pass, or its sizes are not at hand.
        PointError: If the text cannot be read, or the counts of a run are damaged.
        OutputError: If the directory cannot be written.
        ReproduceError: If a model is a converted one, a run needs more memory than it may have, or
            fails (all others are still measured).
    """
    profiles = load_profiles(request.hw)
    points = request.points()
    sources = {model: _source(model, points[0]) for model in request.models}
    decides = {name: fingerprint(source, request.text) for name, source in sources.items()}
    store = Points(prepare_directory(request.out / "points"))
    stems = {
        point_stem(point, sources[point.model], decides[point.model]): point for point in points
    }
    known: dict[str, tuple[Counts, Counts]] = {}
    for stem in stems:
        if path := store.find(stem):
            known[stem] = store.read(path)
    missing = {stem: point for stem, point in stems.items() if stem not in known}
    if known:
        say(f"{len(known)} of {len(stems)} runs are measured already.")
    progress("measuring", len(known), len(stems))
    failed: list[str] = []
    heard: set[str] = set()
    for stem, found in _measured(request, missing, sources, progress, say):
        if isinstance(found, str):
            failed.append(f"{_title(missing[stem])}: {found}")
        else:
            store.write(stem, found.asa, found.ssa)
            known[stem] = found.asa, found.ssa
            for line in found.said:
                if line not in heard:
                    say(line)
                heard.add(line)
        progress("measuring", len(known) + len(failed), len(stems))
    if failed:
        raise ReproduceError(
            f"{len(failed)} of {len(stems)} runs failed, first {failed[0]}; the others are kept in "
            f"'{request.out}', run the same command again when the cause is gone"
        )
    return Reproduction(
        tuple(described(point, *known[stem], profiles) for stem, point in stems.items())
    )


def _source(model: str, point: ProfileRequest) -> ModelSource:
    source = resolve(model)
    if source.shape is None:
        raise PlanError(
            f"the sizes of '{model}' are not in the local cache; give a directory with its "
            "config.json"
        )
    if point.seq_len > source.shape.positions:
        raise PlanError(
            f"{point.seq_len} tokens are more than the {source.shape.positions} positions of "
            f"'{model}'; lower --tokens"
        )
    if source.directory is not None:
        kind = read_config(source.directory / "config.json").get("model_type")
        if is_converted(kind):
            raise ReproduceError(
                f"'{model}' is a converted model, of which there is one conversion only; give the "
                "analog model, or measure this one with neurt-energy profile"
            )
    return source


def _measured(
    request: ReproduceRequest,
    missing: Mapping[str, ProfileRequest],
    sources: Mapping[str, ModelSource],
    progress: Progress,
    say: Callable[[str], None],
) -> Iterator[tuple[str, Found | str]]:
    """Measure in this process, or in several that together take no more memory than allowed."""
    if not missing:
        return
    peaks: dict[str, int] = {}
    for stem, point in missing.items():
        shape = sources[point.model].shape
        assert shape is not None
        peaks[stem] = peak_bytes(shape, point)
    most = round(request.memory_gib * GIB) if request.memory_gib else memory_bytes() // 2
    largest = max(peaks, key=peaks.__getitem__)
    if peaks[largest] > most:
        raise ReproduceError(
            f"{_title(missing[largest])} needs up to {peaks[largest] / GIB:.1f} GiB, more than the "
            f"{most / GIB:.1f} GiB that all processes may take; raise --memory, or lower --tokens "
            "or --timesteps"
        )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    processes = min(request.jobs or cores or 1, len(missing))
    say(
        f"{len(missing)} runs to measure in {processes} processes side by side, at most "
        f"{most / GIB:.1f} GiB together; the largest, {_title(missing[largest])}, needs up to "
        f"{peaks[largest] / GIB:.1f} GiB."
    )
    if processes == 1:
        for stem, point in missing.items():
            yield stem, measure(point, None, progress)
        return
    threads = max(1, (cores or 1) // processes)
    tasks = {
        Task(_title(point), partial(measure, point, threads), peaks[stem]): stem
        for stem, point in missing.items()
    }

    def inside(slot: int, task: Task[Found | str], what: str, done: int, total: int) -> None:
        if what in STAGES:
            share = (STAGES.index(what) + done / max(1, total)) / len(STAGES)
            progress(f"process {slot} (% of a run)", round(100 * share), 100)

    try:
        for task, found in side_by_side(tuple(tasks), processes, most, inside):
            yield tasks[task], found
    except ProcessKilledError as error:
        raise ReproduceError(
            f"{error}; the runs that are done are kept in '{request.out}', run the same command "
            "again with fewer --jobs or less --memory"
        ) from error


def _title(point: ProfileRequest) -> str:
    how = point.spiking
    return (
        f"{point.model}, T = {how.timesteps}, {how.form}, {how.code}, {point.attention} attention"
    )


def described(
    point: ProfileRequest, asa: Counts, ssa: Counts, profiles: tuple[HardwareProfile, ...]
) -> Measured:
    """A measured run as the table takes it.

    Args:
        point: What was measured.
        asa: Counts of the analog model.
        ssa: Counts of the spiking model.
        profiles: Hardware to price it on.
    """
    run = Run("profile", asa, ssa, profiles, {}, {}, "")
    how = point.spiking
    return Measured(run, str(how.form), str(how.code), _streams(how), _scopes(run, how))


def _streams(how: SpikingConfig) -> str:
    """Which operands of the two products of attention come as events that are counted."""
    if how.form is Form.SPIKFORMER:
        return "Q,V"
    return "Q,A,K,V" if how.key_value is KeyValue.STREAMED else "Q,A"


def _scopes(run: Run, how: SpikingConfig) -> tuple[Part, Part]:
    """The two things that `attention block` may mean, by rows of both models."""

    def names(rows: Iterable[LayerCount]) -> frozenset[str]:
        return frozenset(row.name for row in rows)

    highest = 7.0 if how.code_of_attention is Code.BURST else 1.0
    block = [counts.only(block="attention").layers for counts in (run.asa, run.ssa)]
    products = [
        [
            row
            for row in rows
            if row.label.component in _PRODUCTS
            or (row.label.component == "neuron" and not row.name.endswith(_OF_PROJECTIONS))
        ]
        for rows in block
    ]
    parts = (
        ("with", "norm, Q K V and output projections, both products, softmax, neurons", block),
        ("without", "both products, softmax, and the neurons of what they multiply", products),
    )
    with_projections, without = (
        Part(name, "block", "", what, names(sides[0]), names(sides[1]), highest)
        for name, what, sides in parts
    )
    return with_projections, without
