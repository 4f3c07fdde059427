"""The one training loop, with AdamW: it knows an objective and token ids, and nothing of models.

It runs on Hugging Face Accelerate: alone, or in every process that `accelerate launch` starts.
Each step depends on the seed and its own number only, so that a training that was killed
continues bit for bit.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from hwmodels.errors import UserError
from hwmodels.plain import several
from neurt.learning.checkpoint import (
    Checkpoint,
    CheckpointError,
    check_unused,
    load_checkpoint,
    restore,
    save_checkpoint,
    state_tensors,
)
from neurt.learning.devices import processes
from neurt.learning.optimizer import adamw, learning_rate
from neurt.learning.sharding import (
    accelerated,
    as_whole,
    gather,
    is_sharded,
    said_if_lost,
    shardable,
    trained_in,
)
from neurt.learning.shards import forget_other_shards, read_shards, write_shards
from neurt.learning.windows import OwnText, digest_of, draw_windows, seed_of
from neurt.progress import Progress, Say, silent
from neurt.requests.training import TrainingSettings
from reports.kit.files import prepare_directory
from reports.training.metrics import MetricsRow, metrics_csv, read_metrics, write_metrics

METRICS = "metrics.csv"
#: Lines that a training says about its loss.
LINES = 40


class TrainingError(UserError, ValueError):
    """A training that cannot go on."""


@said_if_lost()
def train(
    objective: nn.Module,
    ids: Tensor,
    settings: TrainingSettings,
    directory: Path,
    *,
    stage: str,
    resume: bool,
    facts: Mapping[str, object] | None = None,
    own: OwnText | None = None,
    threshold_factor: float = 1.0,
    dtype: torch.dtype = torch.float32,
    progress: Progress = silent,
    say: Say = silent,
) -> list[MetricsRow]:
    """Train the parameters of an objective that require a gradient, in place; a row per step.

    After each `save_every` steps and after the last, the directory holds `metrics.csv` and a
    checkpoint. A training that is resumed after its last step only loads it.

    Args:
        objective: Takes windows (B, S), returns scalars by name, one of them `loss`, each a mean
            over its windows. All that training changes must be in its trainable parameters. It is
            put in training mode: one with a frozen teacher overrides `train` to keep that in
            evaluation mode.
        ids: One long stream of token ids (N,), the same in each process.
        directory: Of this stage of this run alone, on a file system that all processes share.
        stage: What reports call this part of the training.
        resume: Continue from the checkpoint in the directory.
        facts: What else decides the result, by name; a resumed training must have the same.
        own: What the analog model wrote, to learn from beside the stream.
        threshold_factor: What the learning rate is multiplied by for thresholds.
        dtype: Of the products of a step (`torch.autocast`); parameters and optimiser are as they
            are.

    Raises:
        TrainingError: If a loss or a gradient is not finite, or the settings do not fit the ids
            or the number of processes.
        CheckpointError: If the directory holds another training, or none to resume.
        LostProcessError: If another process that trains with this one is gone.
    """
    processes()
    accelerator = accelerated()
    _check(ids, settings, accelerator)
    trained = whole = trained_in(objective)
    if not trained:
        raise TrainingError(f"{stage}: the objective has no parameter that requires a gradient")
    texts = [ids] if own is None else [ids, own.windows]
    halved = dtype is not torch.float32
    facts = {**(facts or {}), **({"precision": str(dtype)} if halved else {})}
    fingerprint = _fingerprint(trained, texts, settings, stage, facts)
    checkpoint, rows = None, list[MetricsRow]()
    if resume:
        checkpoint = load_checkpoint(directory, fingerprint)
        rows = _rows(directory, checkpoint)
    else:
        check_unused(directory)
        if accelerator.is_main_process:
            prepare_directory(directory)
    accelerator.wait_for_everyone()

    sharded = is_sharded(accelerator)
    module = shardable(objective, accelerator) if sharded else objective
    optimizer = adamw(trained_in(module), settings, threshold_factor)
    wrapped, stepper = accelerator.prepare(module, optimizer)
    trained = trained_in(module)  # now what this process has of them
    if checkpoint is not None:
        stored = read_shards(directory, checkpoint, trained, accelerator)
        restore(stored, trained, optimizer)
    begin = len(rows)
    share = settings.batch // accelerator.num_processes
    mine = slice(accelerator.process_index * share, (accelerator.process_index + 1) * share)
    wrapped.train()
    stepper.zero_grad()  # whatever an earlier stage left
    progress(stage, begin, settings.steps)
    for step in range(begin, settings.steps):
        started = time.perf_counter()
        torch.manual_seed(seed_of(settings.seed, step, 1 + accelerator.process_index))
        for group in optimizer.param_groups:
            group["lr"] = group["factor"] * learning_rate(settings, step)
        windows = draw_windows(ids, settings, step, own)[mine].to(accelerator.device)
        with torch.autocast(accelerator.device.type, dtype, enabled=halved):
            results = wrapped(windows)
        accelerator.backward(results["loss"])
        norm = float(as_whole(accelerator.clip_grad_norm_(list(trained.values()), settings.clip)))
        scalars = _means(results, accelerator)
        _check_finite(scalars["loss"], norm, stage, step)
        stepper.step()
        stepper.zero_grad()
        done, tokens = step + 1, settings.batch * settings.tokens
        speed = tokens / (time.perf_counter() - started)
        rate = learning_rate(settings, step)
        rows.append(MetricsRow(done, stage, done * tokens, scalars, norm, rate, speed))
        last = done == settings.steps
        if last or done % settings.save_every == 0:
            state = state_tensors(trained, optimizer)
            _save(directory, rows, fingerprint, state, accelerator)
        if accelerator.is_main_process:
            progress(stage, done, settings.steps)
            if last or done % max(1, settings.steps // LINES) == 0:
                say(f"{stage} step {done}: loss {scalars['loss']:.4f}, {speed:,.0f} tokens/s")
    accelerator.wait_for_everyone()
    if sharded:
        gather(trained, whole)
    return rows


def _save(
    directory: Path,
    rows: list[MetricsRow],
    fingerprint: Mapping[str, str],
    state: Mapping[str, Tensor],
    accelerator: Accelerator,
) -> None:
    """Write the checkpoint after the last of the rows: by the main process, and shards by each."""
    step, metrics = rows[-1].step, _without_speed(rows)
    shards: dict[str, str] = {}
    if is_sharded(accelerator):
        shards, state = write_shards(directory, step, state, accelerator), {}
    if accelerator.is_main_process:
        # In this order: rows that the checkpoint does not know are dropped on resuming.
        write_metrics(rows, directory / METRICS)
        save_checkpoint(directory, step, fingerprint, state, metrics, shards)
        forget_other_shards(directory, step)


def _check(ids: Tensor, settings: TrainingSettings, accelerator: Accelerator) -> None:
    processes = accelerator.num_processes
    if settings.batch % processes:
        raise TrainingError(
            f"batch (= {settings.batch}) must be divisible by the {processes} processes; choose "
            f"--batch {math.ceil(settings.batch / processes) * processes}"
        )
    if len(ids) < settings.tokens:
        raise TrainingError(
            f"the training text has {several(len(ids), 'token')}, fewer than a window of "
            f"{settings.tokens}; give a longer --text or lower --tokens"
        )
    digests = accelerator.gather(
        torch.tensor([int(digest_of(ids)[:15], 16)], device=accelerator.device)
    )
    if len(set(digests.tolist())) > 1:
        raise TrainingError("the processes were given different token ids; give all the same text")


def _rows(directory: Path, checkpoint: Checkpoint) -> list[MetricsRow]:
    """The metrics of the steps that a checkpoint knows; later ones are done again."""
    rows = read_metrics(directory / METRICS)[: checkpoint.step]
    if hashlib.sha256(_without_speed(rows).encode()).hexdigest() != checkpoint.metrics:
        raise CheckpointError(
            f"'{directory / METRICS}' was cut or edited: it is not that of the {checkpoint.step} "
            "steps of the checkpoint beside it; restore it, or start anew in another --out"
        )
    return rows


def _without_speed(rows: Sequence[MetricsRow]) -> str:
    """The table of metrics that each run of the same training writes."""
    return metrics_csv([replace(row, tokens_per_second=0.0) for row in rows])


def _check_finite(loss: float, norm: float, stage: str, step: int) -> None:
    for name, value in (("loss", loss), ("gradient norm", norm)):
        if not math.isfinite(value):
            raise TrainingError(
                f"{stage}: the {name} of step {step + 1} is {value}; lower --learning-rate or "
                "--clip, or lengthen --warmup-steps"
            )


def _fingerprint(
    trained: Mapping[str, nn.Parameter],
    texts: Sequence[Tensor],
    settings: TrainingSettings,
    stage: str,
    facts: Mapping[str, object],
) -> dict[str, str]:
    """All that decides the result, in the order in which a difference is worth telling."""
    return (
        {"stage": stage}
        | {key: str(value) for key, value in settings.model_dump().items()}
        | {key: str(value) for key, value in facts.items()}
        | {f"shape of {name}": str(list(p.shape)) for name, p in trained.items()}
        | {"sha256 of the token ids": digest_of(*texts)}
    )


def _means(results: Mapping[str, Tensor], accelerator: Accelerator) -> dict[str, float]:
    """Each scalar as its mean over the processes."""
    values = torch.stack([value.detach().float().reshape(()) for value in results.values()])
    return dict(zip(results, accelerator.reduce(values, "mean").tolist(), strict=True))
