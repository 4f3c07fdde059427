"""`plan --memory`: what each command needs, as a table in closed form. No torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from energy.table import Column, Table
from energy.words import number
from neurt.families import Shape, has_conversion
from neurt.families.parameters import parameters
from neurt.measure.memory import (
    activation_bytes,
    conversion_bytes,
    count_bytes,
    evaluation_bytes,
    finetuning_bytes,
    peak_bytes,
    streamed_bytes,
    streamed_profile_bytes,
)
from neurt.requests.evaluate import EvaluateRequest
from neurt.requests.finetune import FinetuneRequest
from neurt.requests.passes import PlanRequest, ProfileRequest
from neurt.requests.reproduce import ReproduceRequest
from neurt.requests.sizes import each
from neurt.spiking.config import SpikingConfig
from neurt.text.windows import plan_windows

GIB = 2**30

#: Tokens of calibration text, and of text that is read, unless a command is told otherwise.
CALIBRATED, READ = 512, 8192


class Need(NamedTuple):
    """What one command needs."""

    command: str  #: its name and the flag that matters
    reads: str  #: what it runs on
    memory_bytes: int  #: of its process, at most
    disk_bytes: int | None  #: that it writes, but for tables; None where nobody has counted
    model_bytes: int  #: of the model itself, in single precision

    @property
    def times_model(self) -> float:
        """Memory as a multiple of the model."""
        return self.memory_bytes / self.model_bytes


def _gib(size: int) -> str:
    return f"{size / GIB:,.2f}"


NEEDS: tuple[Column[Need], ...] = (
    Column("command", lambda need: need.command, "command", words=True, key=True),
    Column("reads", lambda need: need.reads, "reads", words=True),
    Column("memory_bytes", lambda need: need.memory_bytes, "memory (GiB)", _gib),
    Column("times_model", lambda need: need.times_model, "x model", number),
    Column("disk_bytes", lambda need: need.disk_bytes, "disk (GiB)", _gib),
    Column("model_bytes", lambda need: need.model_bytes),
)


def needs_table(request: PlanRequest, shape: Shape) -> Table[Need]:
    """Memory and disk that commands need for a model, in single precision on the CPU.

    Args:
        request: Its passes are those of `count` and `profile`; other commands run on what they run
            on unless told otherwise.
        shape: The sizes of the model; a family without conversion is counted alone.
    """
    whole = parameters(shape).total
    title = f"Memory at most, {whole:,} parameters in FP32 in one place"
    return Table(NEEDS, [*_needs(request, shape)], title)


def _needs(request: PlanRequest, shape: Shape) -> Iterator[Need]:
    model = 4 * parameters(shape).total
    batch, tokens = max(each(request.batch)), request.prompt or request.seq_len
    passes = f"{batch} x {tokens} tokens"
    yield Need("count", passes, count_bytes(shape, tokens, batch), 0, model)
    if not has_conversion(shape):
        return
    spiking = SpikingConfig(**request.spiking.model_dump()).resolved(trained=True)
    named = {"model": request.model, "spiking": spiking, "hw": ()}
    profiled = ProfileRequest(**named, seq_len=tokens, batch=batch)
    yield Need("profile", passes, peak_bytes(shape, profiled), 0, model)
    disk = activation_bytes(shape, spiking, CALIBRATED, batch * tokens)
    streamed = streamed_profile_bytes(shape, spiking, tokens, batch)
    yield Need("profile --stream", passes, streamed, disk, model)
    window = min(shape.span, 256)
    text = f"{CALIBRATED:,} tokens, windows of {window}"
    yield Need("convert", text, conversion_bytes(shape, spiking, window), model, model)
    disk = activation_bytes(shape, spiking, CALIBRATED)
    streamed = streamed_bytes(shape, spiking, window)
    yield Need("convert --stream", text, streamed, model + disk, model)
    text = f"{READ:,} tokens, windows of {window}"
    asked = EvaluateRequest(**named, weights="pretrained")
    evaluated = evaluation_bytes(shape, asked)
    yield Need("evaluate", text, evaluated, 0, model)
    yield Need("sweep, each point", text, evaluated, 0, model)
    grid = ReproduceRequest(models=(request.model,)).points()
    largest = max(peak_bytes(shape, point) for point in grid)
    yield Need("reproduce, each point", f"{grid[0].seq_len} tokens", largest, 0, model)
    read = sum(part.tokens for part in plan_windows(READ, window, window // 2))
    disk = activation_bytes(shape, None, 0, read)
    streamed = streamed_bytes(shape, spiking, window, converts=False)
    yield Need("evaluate --stream, of a converted one", text, streamed, disk, model)
    batch, tokens = (FinetuneRequest.model_fields[name].default for name in ("batch", "tokens"))
    tokens = min(shape.span, tokens)
    trained = finetuning_bytes(shape, spiking, tokens, batch)
    yield Need("finetune", f"{batch} x {tokens} tokens", trained, None, model)
