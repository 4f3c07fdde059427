"""The verbs `count` and `profile` of a NIR file: a spiking network, run, counted and priced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from pathlib import Path

from torch import Tensor

from energy.counts import Counts, Levels
from energy.network.count import Asked, Counted, count_network
from energy.sheet import listed
from energy.words import percent
from hwmodels.plain import several
from neurt.loading.memory import free_bytes
from neurt.measure.network import profile_module
from neurt.measure.planning import now, versions
from neurt.nir.exporter import TIMESTEPS
from neurt.nir.graph import NIRError
from neurt.nir.inputs import levels_of, random_spikes, read_events
from neurt.nir.layers import Delay
from neurt.nir.network import NIRNetwork, nir_network
from neurt.progress import Progress, Say, silent
from neurt.requests.networks import ComparedNIR, CountedNIR, FromNIR
from neurt.requests.passes import CountRequest, ProfileRequest
from reports.count.run import CountRun
from reports.shown import Run

#: What of the request is recorded: the rest is of language models.
_CHOSEN = {"seed", "input_rate", "input", "exporter", "fusion", "widths", "room"}


def count_nir(request: CountRequest, progress: Progress = silent, say: Say = silent) -> CountRun:
    """Run the network of a NIR file on recorded or random input, count it, and price it.

    Raises:
        NIRError: If the file or the input cannot be read, do not fit each other, or do not fit
            into memory.
        NetworkError: If something in it cannot be counted.
    """
    profiles = request.profiles()
    network = load_network(request, progress)
    x = inputs_of(request, network)
    levels = widest(x)
    counted = count_inputs(network, x, levels, Path(request.model).name, progress)
    timesteps, samples = next(iter(x.values())).shape[:2]
    chosen = request.model_dump(mode="json", include=_CHOSEN) | {
        "phase": "inference",
        "timesteps": timesteps,
        "batch": samples,
        "dt": network.convention.dt_s,
        "input_levels": str(levels),
        "late": network.late,
    }
    # A network without neurons has no time steps of its own.
    counts = replace(counted.ssa, timesteps=timesteps, batch=samples, tokens=samples)
    ends = [f"{where} ({operation})" for where, operation in counted.ends]
    sentences = tuple(said(request, network, counts, ends, levels))
    return CountRun(counts, profiles, chosen, versions(), now(), said=sentences)


def profile_nir(request: ProfileRequest, progress: Progress = silent, say: Say = silent) -> Run:
    """Run the network of a NIR file as `count_nir` does, and price it beside its analog layers.

    Raises:
        NIRError: If the file or the input cannot be read, do not fit each other, or do not fit
            into memory.
        NetworkError: If something in it cannot be counted, or there is no spike in it.
    """
    request.check()
    profiles = request.machines()
    network = load_network(request, progress)
    x = inputs_of(request, network)
    levels = widest(x)
    network.progress = lambda done, steps: progress("counting", done, steps)
    run = profile_module(
        network,
        *x.values(),
        hw=profiles,
        timesteps=len(next(iter(x.values()))),
        input_levels=None if levels is Levels.ANALOG else str(levels),
        name=Path(request.model).name,
        weights="file",
        dataflow=request.dataflow,
    )
    ends = run.settings.get("spikes_end", [])
    assert isinstance(ends, list)
    for sentence in said(request, network, run.ssa, ends, levels):
        say(sentence)
    chosen = request.model_dump(mode="json", include=_CHOSEN)
    return replace(
        run,
        settings={**run.settings, **chosen, "dt": network.convention.dt_s, "late": network.late},
        latency_s={str(variant): s for variant, s in request.latency_s.items()},
        int8=dict(request.siblings("int8")),
    )


def load_network(request: FromNIR, progress: Progress = silent) -> NIRNetwork:
    """The network of a request."""
    progress("loading the model", 0, 1)
    network = nir_network(request.model, exporter=request.exporter, dt_s=request.dt)
    progress("loading the model", 1, 1)
    return network


def inputs_of(request: CountedNIR | ComparedNIR, network: NIRNetwork) -> dict[str, Tensor]:
    """The input that a request says, (T, B, ...) by Input node.

    Raises:
        NIRError: If it cannot be read, or it and what the network makes of it do not fit into
            memory.
    """
    free = free_bytes()
    samples = getattr(request, "batch", 1)
    if request.input is not None:
        return read_events(
            request.input, network.inputs, timesteps=request.timesteps, limit_bytes=free
        )
    timesteps = request.timesteps or TIMESTEPS
    # Draws and spikes of all steps; what nodes hold, twice while it is replaced.
    values = sum(prod(shape) for shape in network.inputs.values()) * timesteps * 2
    needed = 4 * samples * (values + 2 * network.values)
    if free is not None and needed > free:
        raise NIRError(
            f"{timesteps:,} time steps of {several(samples, 'sample')} take {needed:,} bytes, and "
            f"{free:,} bytes of memory are free; give smaller --timesteps or --batch"
        )
    return random_spikes(
        network.inputs,
        timesteps=timesteps,
        samples=samples,
        rate=request.input_rate,
        seed=request.seed,
    )


def widest(x: dict[str, Tensor]) -> Levels:
    """What all inputs hold: spikes, signed ones, or analog values."""
    found = {levels_of(values) for values in x.values()}
    return next(level for level in (Levels.ANALOG, Levels.TERNARY, Levels.BINARY) if level in found)


def count_inputs(
    network: NIRNetwork,
    x: dict[str, Tensor],
    levels: Levels,
    name: str,
    progress: Progress = silent,
) -> Counted:
    """Run the network on an input, and count it."""
    network.progress = lambda done, steps: progress("counting", done, steps)
    asked = Asked(
        timesteps=len(next(iter(x.values()))),
        input_levels=None if levels is Levels.ANALOG else str(levels),
        model=name,
        weights="file",
    )
    return count_network(network, list(x.values()), asked)


def said(
    request: FromNIR,
    network: NIRNetwork,
    counts: Counts,
    ends: Sequence[str],
    levels: Levels,
) -> list[str]:
    """What has to be known of a count, in sentences."""
    dt = network.convention.dt_s
    what = (
        f"input from {request.input}"
        if request.input is not None
        else f"random input of {request.input_rate:g} spikes per input and step"
    )
    sentences = [
        f"{several(counts.timesteps, 'time step')} of {dt:g} s, "
        f"{several(counts.tokens, 'sample')}, {what}; "
        f"conventions of {request.exporter}."
    ]
    if (rate := counts.spike_rate) is not None:
        sentences.append(f"Spikes in {percent(rate)} of the slots of layers that take or send any.")
    if levels is Levels.ANALOG:
        sentences.append(
            "The input holds values that are no spikes: what takes them is counted as MACs."
        )
    if network.late:
        edges = [f"{a} -> {name}" for name, sources in network.late.items() for a in sources]
        sentences.append(f"Arriving one time step later, since they close a loop: {listed(edges)}.")
    if ends:
        sentences.append(f"Spikes become analog values in {listed(ends)}.")
    delays = [name for name, x in network.named_modules() if isinstance(x, Delay) and x.most]
    if delays:
        sentences.append(f"What delays hold meanwhile has no price: {listed(delays)}.")
    return sentences
