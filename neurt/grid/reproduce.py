"""The verb `reproduce`: the published savings table, measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial

from energy import Counts, LayerCount
from energy.compare.breakeven import Part
from hwmodels import HardwareProfile, load_profiles
from hwmodels.plain import several
from neurt.closed_form.passes import check_positions
from neurt.grid.cluster import on_ray, wherever
from neurt.grid.grid import GridError, analog_source, work_through
from neurt.grid.measuring import GIB, STAGES, Measurement, measure, memory_bytes
from neurt.grid.places import named, place_of, say_elsewhere
from neurt.grid.points import CountsStore, fingerprint, point_stem
from neurt.grid.side_by_side import Task, by_process, cores, side_by_side, threads_of
from neurt.loading.source import ModelSource
from neurt.measure.memory import peak_bytes
from neurt.measure.planning import known_shape
from neurt.measure.widths import stored_widths
from neurt.progress import Progress, Say, silent
from neurt.requests.passes import ProfileRequest
from neurt.requests.reproduce import VARIED, ReproduceRequest
from neurt.spiking.config import Code, Form, KeyValue, SpikingConfig
from reports.kit.files import prepare_directory
from reports.reproduce.rows import Measured, Reproduction
from reports.run.run import Run

#: Neurons whose spikes go into the projections; those of a product of attention are its own.
_OF_PROJECTIONS = ("attn.encoder", "attn.mix_encoder", "attn.mix_neuron")
_PRODUCTS = ("rotary", "scores", "softmax", "mix")

_Tasks = Mapping[str, Task[Measurement | str]]


def run_reproduce(
    request: ReproduceRequest, progress: Progress = silent, say: Say = silent
) -> Reproduction:
    """Measure every run that has no counts yet, and price all of them.

    Counts are kept in `points/` of the output directory; other hardware needs no measurement.

    Raises:
        GridError: If a model is a converted one, a run needs more memory than it may have, or
            fails (all others are still measured).
    """
    load_profiles(request.hw)  # no two of one name
    profiles = tuple(request.loaded(request.hw).values())
    points = request.points()
    sources = {model: _source(model, points[0]) for model in request.models}
    decides = {name: fingerprint(source, request.text) for name, source in sources.items()}
    store = CountsStore(prepare_directory(request.out / "points"))
    places = {model: place_of(request, source) for model, source in sources.items()}
    by_name = {
        named(point_stem(it, sources[it.model], decides[it.model]), places[it.model]): it
        for it in points
    }
    tasks = {
        stem: Task(
            _title(it),
            partial(measure, it, None),
            peak_bytes(known_shape(sources[it.model]), it),
            STAGES,
        )
        for stem, it in by_name.items()
    }
    say_elsewhere(store.directory, tasks, say)
    measured = _here if request.ray is None else _on_cluster
    engine = partial(_heard, measured, request, by_name, progress, say)
    counts = work_through(tasks, store, engine, "measuring", request.out, progress, say)
    return Reproduction(
        tuple(
            described(
                point,
                measured.asa,
                measured.ssa,
                stored_widths(sources[point.model], measured.asa.weights, {}).machines(profiles),
            )
            for point, measured in zip(by_name.values(), counts, strict=True)
        )
    )


def _source(model: str, point: ProfileRequest) -> ModelSource:
    source = analog_source(model, "profile")
    check_positions(point.seq_len, known_shape(source).span, model, "--tokens")
    return source


#: Measures runs: given what was asked, the requests by key, whom to tell, and tasks.
_Way = Callable[
    [ReproduceRequest, Mapping[str, ProfileRequest], Progress, Say, _Tasks],
    Iterator[tuple[str, Measurement | str]],
]


def _heard(
    way: _Way,
    request: ReproduceRequest,
    points: Mapping[str, ProfileRequest],
    progress: Progress,
    say: Say,
    tasks: _Tasks,
) -> Iterator[tuple[str, Measurement | str]]:
    """Measure in one way or another, and say what the runs say, each line once."""
    heard: set[str] = set()
    for stem, measured in way(request, points, progress, say, tasks):
        for line in () if isinstance(measured, str) else measured.said:
            if line not in heard:
                say(line)
            heard.add(line)
        yield stem, measured


def _on_cluster(
    request: ReproduceRequest,
    points: Mapping[str, ProfileRequest],
    progress: Progress,
    _say: Say,
    tasks: _Tasks,
) -> Iterator[tuple[str, Measurement | str]]:
    """Measure on a cluster, whose workers may have another working directory."""
    there = {
        key: replace(
            it, work=partial(measure, wherever(points[key], request), request.cpus_per_point)
        )
        for key, it in tasks.items()
    }
    return on_ray(there, request, progress)


def _here(
    request: ReproduceRequest,
    points: Mapping[str, ProfileRequest],
    progress: Progress,
    say: Say,
    tasks: _Tasks,
) -> Iterator[tuple[str, Measurement | str]]:
    """Measure in this process, or in several that together take no more memory than allowed."""
    most = round(request.memory_gib * GIB) if request.memory_gib else memory_bytes() // 2
    largest = max(tasks.values(), key=lambda task: task.peak_bytes)
    if largest.peak_bytes > most:
        raise GridError(
            f"{largest.title} needs up to {largest.peak_bytes / GIB:.1f} GiB, more than the "
            f"{most / GIB:.1f} GiB that all processes may take; raise --memory-gib, or lower "
            "--tokens or --timesteps"
        )
    processes = min(request.jobs or cores(), len(tasks))
    say(
        f"{several(len(tasks), 'run')} to measure in {several(processes, 'process')} side by side, "
        f"at most {most / GIB:.1f} GiB together; the largest, {largest.title}, needs up to "
        f"{largest.peak_bytes / GIB:.1f} GiB."
    )

    inside = by_process(progress, STAGES, "a run")
    threads = threads_of(processes)
    sharing = {
        key: replace(it, work=partial(measure, points[key], threads)) for key, it in tasks.items()
    }
    yield from side_by_side(sharing, processes, most, alone=progress, progress=inside)


def _title(point: ProfileRequest) -> str:
    spiking = point.spiking
    return (
        f"{point.model}, T = {spiking.timesteps}, {spiking.form}, {spiking.code}, "
        f"{point.attention} attention"
    )


def described(
    point: ProfileRequest, asa: Counts, ssa: Counts, profiles: tuple[HardwareProfile, ...]
) -> Measured:
    """A measured run, priced on hardware, as the table takes it."""
    run = Run("profile", asa, ssa, profiles, {}, {}, "")
    spiking = point.spiking
    return Measured(
        run,
        str(spiking.form),
        str(spiking.code),
        _streams(spiking),
        _scopes(run, spiking),
        _choices(spiking),
    )


def _choices(spiking: SpikingConfig) -> str:
    """Choices of a conversion that have no column and are not what they are by default."""
    usual = SpikingConfig(form=spiking.form)
    return ", ".join(
        f"{name} = {value}"
        for name, value in spiking
        if name not in VARIED and value != getattr(usual, name)
    )


def _streams(spiking: SpikingConfig) -> str:
    """Which operands of the two products of attention come as events that are counted."""
    if spiking.form is Form.SPIKFORMER:
        return "Q,V"
    return "Q,A,K,V" if spiking.key_value is KeyValue.STREAMED else "Q,A"


def _scopes(run: Run, spiking: SpikingConfig) -> tuple[Part, Part]:
    """The two things that `attention block` may mean, by rows of both models."""

    def names(rows: Iterable[LayerCount]) -> frozenset[str]:
        return frozenset(row.name for row in rows)

    highest = 7.0 if spiking.code_of_attention is Code.BURST else 1.0
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
        Part(name, "block", "", includes, names(sides[0]), names(sides[1]), highest)
        for name, includes, sides in parts
    )
    return with_projections, without
