"""The verb `finetune`: a converted model learns to do what its analog one does."""

from __future__ import annotations

import copy
import json
import math
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from neurt.closed_form.passes import PlanError
from neurt.families import read_shape
from neurt.learning.checkpoint import CHECKPOINT, MODEL, CheckpointError
from neurt.learning.objectives import Continuation, Distillation, LayerMatch, trainable
from neurt.learning.pretrain import perplexity
from neurt.learning.teaching import BASELINE, facts_of, student_of, teacher_of
from neurt.learning.training import METRICS, TrainingError, processes, train
from neurt.loading.models import LoadedModel, Weights, load_model
from neurt.loading.saving import round_weights, save_model
from neurt.loading.source import resolve
from neurt.measure.planning import versions
from neurt.requests.finetune import FinetuneRequest
from neurt.spiking.config import SpikingConfig
from neurt.spiking.modeling import SpikingLanguageModel
from neurt.text.corpus import CorpusError, read_corpus
from neurt.text.data import check_ids, copy_texts
from reports.kit.files import check_directory, prepare_directory, write_text
from reports.kit.pictures import draw
from reports.training.finetuned import Finetuned, Judged, write_stages
from reports.training.metrics import MetricsRow, write_metrics

if TYPE_CHECKING:
    from neurt.measure.stages import Progress

#: Sub-directory that holds a directory with the checkpoint of each stage until all is written.
UNFINISHED = "unfinished"


def run_finetune(
    request: FinetuneRequest,
    progress: Progress = lambda _what, _done, _total: None,
    say: Callable[[str], None] = lambda _line: None,
) -> Finetuned | None:
    """Fine-tune a spiking model in two stages and judge each on held-out text.

    The teacher of both is the analog model; for a converted model the one in its directory
    `analog`, which was trained beside it, else the analog model with the same parameters.

    Args:
        request: What was asked for.
        progress: Told how far the work is.
        say: Given lines that the user must read.

    Returns:
        The perplexities and the metrics; None in all but the main process of `accelerate launch`.

    Raises:
        ModelError: If the model or its teacher cannot be loaded.
        ConversionError: If it cannot be converted, or a parameter is not finite.
        CorpusError: If the text cannot be used.
        PlanError: If a window is longer than the model's positions.
        TrainingError: If training fails (see `training.train`) or a perplexity is not finite.
        CheckpointError: If the directory holds another training, or none to resume.
        OutputError: If the directory cannot be written.
    """
    main = processes().is_main_process
    if not main:  # one voice is enough
        progress, say = lambda _what, _done, _total: None, lambda _line: None
    directory = resolve(request.model).directory
    _check_out(request, directory)
    corpus = read_corpus(request.text, detokenise=request.detokenise)
    if main:
        check_directory(request.out)
    progress("loading the model", 0, 1)
    loaded = load_model(request.model, Weights(request.weights), progress=progress)
    shape = read_shape(loaded.model.config.to_dict(), loaded.name)
    if request.tokens > shape.positions:
        raise PlanError(
            f"--tokens (= {request.tokens}) is more than the {shape.positions} "
            f"positions of '{request.model}'; lower it"
        )
    why = f" ({loaded.why_random})" if loaded.why_random else ""
    say(f"{loaded.name}: weights={loaded.weights}{why}")
    teacher = teacher_of(loaded, directory, say)
    ids = _encode(loaded, corpus.training)
    held_out = _encode(loaded, corpus.held_out)[: request.held_out_tokens]
    if len(held_out) < 2:
        raise CorpusError(f"the held-out part of '{request.text}' is one token; give a longer text")
    check_ids([ids, held_out], shape.vocabulary)
    progress("loading the model", 1, 1)
    student = student_of(request, loaded, directory, progress)
    facts = facts_of(request, loaded, directory, teacher)
    judged: list[Judged] = []

    def judge(stage: str, model: PreTrainedModel, steps: int) -> None:
        if model is not teacher:  # what is measured is what is saved
            round_weights(model, request.save_dtype)
        if main:
            found = perplexity(model, [held_out], request.tokens)
            if not math.isfinite(found.perplexity):
                raise TrainingError(
                    f"{stage}: the held-out perplexity is {found.perplexity}; check the weights of "
                    f"'{request.model}', or lower --learning-rate"
                )
            judged.append(Judged(stage, steps, found.perplexity, found.predicted))
            say(f"{stage}: held-out perplexity {found.perplexity:.2f}")

    rows: list[MetricsRow] = []

    def run(stage: str, objective: nn.Module, steps: int) -> None:
        checkpoints = request.out / UNFINISHED / stage
        rows.extend(
            train(
                objective,
                ids,
                request.settings(steps),
                checkpoints,
                stage=stage,
                resume=request.resume and (checkpoints / CHECKPOINT).exists(),
                facts=facts,
                progress=progress,
                say=say,
            )
        )

    judge("analog", teacher, 0)
    judge("converted", student, 0)
    trains_weights = request.train != "thresholds"
    if request.layer_steps and trains_weights:
        with trainable(student, "ssa", attention_only=True):
            run("layerwise", LayerMatch(student, teacher), request.layer_steps)
        judge("layerwise", student, request.layer_steps)
    if request.steps:
        with trainable(student, request.train):
            objective = Distillation(student, teacher, request.target_events_per_mac)
            run("distilled", objective, request.steps)
        judge("distilled", student, request.steps)
    baseline = None
    trained = trains_weights and request.steps + request.layer_steps > 0
    # Needed where the weights of the result are no longer those of an analog model.
    if request.baseline and (trained or teacher is not loaded.model):
        baseline = copy.deepcopy(teacher)
        round_weights(baseline, request.save_dtype)
        if trains_weights and request.steps:
            with trainable(baseline, request.train):
                run(BASELINE, Continuation(baseline), request.steps)
            judge("analog, same training text", baseline, request.steps)
    if not main:
        return None
    result = Finetuned(loaded.name, loaded.weights, judged, rows, _title(loaded, student))
    _write(request, loaded, student, baseline, result)
    return result


def _check_out(request: FinetuneRequest, model: Path | None) -> None:
    if model is not None and request.out.resolve() == model.resolve():
        raise CheckpointError(f"'{request.out}' is the directory of --model; choose another --out")
    if (request.out / MODEL).exists():
        raise CheckpointError(f"'{request.out}' holds a model ({MODEL}); choose another --out")
    begun = any(request.out.glob(f"{UNFINISHED}/*/{CHECKPOINT}"))
    if begun and not request.resume:
        raise CheckpointError(
            f"'{request.out}' holds an unfinished training; continue it with --resume, or choose "
            "another --out"
        )
    if request.resume and not begun:
        raise CheckpointError(
            f"nothing to resume in '{request.out}': no stage has a {CHECKPOINT}; leave out --resume"
        )


def _encode(loaded: LoadedModel, documents: list[str]) -> Tensor:
    """One stream of token ids (N,) with the end of the text between documents."""
    end = loaded.tokenizer.eos_token_id
    tail = [] if end is None else [end]
    return torch.tensor([i for text in documents for i in (*loaded.tokenizer.encode(text), *tail)])


def _title(loaded: LoadedModel, student: SpikingLanguageModel) -> str:
    chosen = SpikingConfig.model_validate(student.config.spiking)
    return (
        f"{loaded.name}, weights {loaded.weights}, {chosen.attention} attention, "
        f"{chosen.feedforward} feed-forward, T = {chosen.timesteps}"
    )


def _write(
    request: FinetuneRequest,
    loaded: LoadedModel,
    student: SpikingLanguageModel,
    baseline: PreTrainedModel | None,
    result: Finetuned,
) -> None:
    """The model directory; the checkpoints go when everything else is there."""
    from reports.training.picture import training_picture

    out, source = prepare_directory(request.out), resolve(request.model).directory
    copy_texts(source, out)
    write_stages(result, out / "stages.csv")
    if result.metrics:
        write_metrics(result.metrics, out / METRICS)
        figure = partial(training_picture, result.metrics, f"Fine-tuning {result.title}")
        draw(figure, out / "training")
    asked = request.model_dump(mode="json", exclude={"out", "resume"})
    facts = asked | {
        "spiking": student.config.spiking,
        "weights": loaded.weights,
        "versions": dict(versions()),
    }
    write_text(out / "finetune.json", json.dumps(facts, indent=2) + "\n")
    if baseline is not None:
        save_model(baseline, loaded.tokenizer, out / BASELINE, request.save_dtype)
    save_model(student, loaded.tokenizer, out, request.save_dtype)
    shutil.rmtree(out / UNFINISHED, ignore_errors=True)  # the model is whole without
