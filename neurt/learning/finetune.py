"""The verb `finetune`: a converted model learns to do what its analog one does."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel

from neurt.closed_form.passes import PlanError
from neurt.families import Shape
from neurt.learning.checkpoint import CHECKPOINT, CheckpointError
from neurt.learning.course import Course
from neurt.learning.devices import processes, training_device
from neurt.learning.finished import RECORD, UNFINISHED, digest
from neurt.learning.objectives import Continuation, Distillation, LayerMatch
from neurt.learning.teaching import BASELINE, facts_of, student_of, teacher_of
from neurt.learning.trained import chosen, copy_for_training, moved, thresholds_of, trainable
from neurt.learning.training import METRICS, TrainingError
from neurt.learning.windows import OwnText
from neurt.loading.directory import MODEL
from neurt.loading.faults import explains_device
from neurt.loading.models import LoadedModel
from neurt.loading.placement import Placement
from neurt.loading.saving import round_weights, save_model
from neurt.loading.source import resolve
from neurt.measure.pair import WINDOW, calibrate, load
from neurt.measure.planning import versions
from neurt.progress import Progress, Say, silent
from neurt.requests.finetune import FinetuneRequest, Part
from neurt.spiking.modeling import SpikingLanguageModel
from neurt.text.corpus import Corpus, CorpusError, read_corpus
from neurt.text.data import copy_texts, read_text
from neurt.text.encoding import token_ids
from reports.kit.files import check_directory, prepare_directory, write_json, write_text
from reports.kit.pictures import draw
from reports.training.finetuned import Finetuned, stages_table
from reports.training.metrics import write_metrics


@explains_device
def run_finetune(
    request: FinetuneRequest, progress: Progress = silent, say: Say = silent
) -> Finetuned | None:
    """Fine-tune a spiking model in two stages and judge each on held-out text.

    The teacher of both is the analog model; for a converted model the one in its directory
    `analog`, which was trained beside it, else the analog model with the same parameters.

    Returns:
        The perplexities and the metrics; None in all but the main process of `accelerate launch`.

    Raises:
        CorpusError: If the text cannot be used.
        PlanError: If a window is longer than the model's positions.
        TrainingError: If training fails (see `training.train`) or a perplexity is not finite.
        CheckpointError: If the directory holds another training, or none to resume.
    """
    device = training_device(request.device)
    main = processes().is_main_process
    if not main:  # one voice is enough
        progress = say = silent
    source = resolve(request.model)
    _check_out(request, source.directory)
    corpus = read_corpus(request.text, detokenise=request.detokenise)
    if main:
        check_directory(request.out)

    def fits(shape: Shape) -> None:
        if request.tokens > shape.span:
            raise PlanError(
                f"--tokens (= {request.tokens}) is more than the {shape.span} "
                f"positions of '{request.model}'; lower it"
            )

    # Parameters are trained in FP32, whatever the products of a step are made in.
    placed = request.model_copy(update={"device": str(device), "dtype": "float32"})
    loaded = load(source, placed, fits, progress, say)
    course, student = _prepare(request, loaded, corpus, progress, say)
    baseline = _taught_baseline(course, _learn(course, student))
    return _write(course, student, baseline) if main else None


def _prepare(
    request: FinetuneRequest, loaded: LoadedModel, corpus: Corpus, progress: Progress, say: Say
) -> tuple[Course, SpikingLanguageModel]:
    """Teacher, token ids, and the spiking model that learns."""
    teacher = teacher_of(loaded, say)
    ids = _encode(loaded, corpus.training)
    held_out = _encode(loaded, corpus.held_out)[: request.held_out_tokens]
    if len(held_out) < 2:
        raise CorpusError(f"the held-out part of '{request.text}' is one token; give a longer text")
    other = _other(request, loaded)
    window = min(loaded.shape.span, WINDOW)
    inputs = [ids, held_out] if other is None else [ids, held_out, other]
    calibration = calibrate(loaded, request, inputs, window)
    progress("loading the model", 1, 1)
    student = student_of(request, loaded, calibration, progress, say)
    missing = [part for part in request.train if not chosen(student, [part])]
    if missing:
        raise TrainingError(
            f"'{loaded.name}' has no {missing[0]} to train; leave that out of --train"
        )
    facts = facts_of(request, loaded, calibration, teacher, student.choices)
    return Course(request, loaded, teacher, ids, held_out, other, facts, progress, say), student


def _other(request: FinetuneRequest, loaded: LoadedModel) -> Tensor | None:
    """The held-out text of another kind."""
    if request.held_out is None:
        return None
    text, _ = read_text(request.held_out, detokenise=request.detokenise)
    ids = token_ids(loaded.tokenizer.encode, text)[: request.held_out_tokens]
    if len(ids) < 2:
        raise CorpusError(f"--held-out '{request.held_out}' is one token; give a longer text")
    return ids


def _learn(course: Course, student: SpikingLanguageModel) -> OwnText | None:
    """Both stages of the spiking model; returns what the analog model wrote for the second."""
    request, teacher = course.request, course.teacher
    course.judge("analog", teacher, 0)
    course.judge("converted", student, 0)
    before, own = thresholds_of(student), None
    if request.layer_steps and request.trains_attention:
        learns = [Part.ATTENTION, *([Part.THRESHOLDS] if request.trains_thresholds else [])]
        with trainable(student, learns, attention_only=True):
            match, rate = LayerMatch(student, teacher), request.layer_learning_rate
            course.train("layerwise", match, request.layer_steps, rate=rate)
        course.judge("layerwise", student, request.layer_steps)
    if request.steps:
        own = course.own_text()
        with trainable(student, request.train):
            objective = Distillation(
                student,
                teacher,
                request.target_events_per_mac,
                target_active_rate=request.target_active_rate,
                temperature=request.kl_temperature,
                cross_entropy_weight=request.cross_entropy_weight,
            )
            course.train("distilled", objective, request.steps, own)
        course.judge("distilled", student, request.steps)
        if request.trains_thresholds and before:
            course.say(moved(before, thresholds_of(student)))
    return own


def _taught_baseline(course: Course, own: OwnText | None) -> PreTrainedModel | None:
    """The analog model with the training of stage 2.

    None where it is not wanted, or the weights of the result are still those of an analog model.
    """
    request, teacher = course.request, course.teacher
    trained = request.trains_weights and request.steps + request.layer_steps > 0
    if not (request.baseline and (trained or teacher is not course.loaded.model)):
        return None
    whole = request.save_dtype != "float32"
    baseline = copy_for_training(teacher, request.train, whole=whole)
    round_weights(baseline, request.save_dtype)
    # What is told by the analog model alone, it knows.
    if request.trains_weights and request.steps and request.cross_entropy_weight:
        with trainable(baseline, request.train):
            rate = request.baseline_learning_rate
            course.train(BASELINE, Continuation(baseline), request.steps, own, rate=rate)
        course.judge("analog, same training text", baseline, request.steps)
    return baseline


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
    tail = torch.tensor([] if end is None else [end], dtype=torch.long)
    encode = loaded.tokenizer.encode
    return torch.cat([ids for text in documents for ids in (token_ids(encode, text), tail)])


def _write(
    course: Course, student: SpikingLanguageModel, baseline: PreTrainedModel | None
) -> Finetuned:
    """Write the model directory; the checkpoints go when everything else is there."""
    from reports.training.picture import training_picture  # matplotlib takes half a second

    request, loaded = course.request, course.loaded
    chosen = student.choices
    title = f"{loaded.name}, weights {loaded.weights}, {chosen.form} attention, "
    title += f"{chosen.code} feed-forward, T = {chosen.timesteps}"
    result = Finetuned(loaded.name, loaded.weights, course.judged, course.rows, title)
    out = prepare_directory(request.out)
    copy_texts(loaded.source.directory, out)
    write_text(out / "stages.csv", stages_table(result).to_csv())
    if result.metrics:
        write_metrics(result.metrics, out / METRICS)
        figure = partial(training_picture, result.metrics, f"Fine-tuning {title}")
        draw(figure, out / "training")
    asked = request.model_dump(mode="json", exclude={"out", "resume"})
    facts = asked | {
        "request": digest(request),
        "spiking": student.config.spiking,
        "weights": loaded.weights,
        **Placement(loaded.placement.device, course.dtype).facts,
        "versions": dict(versions()),
        "judged": [asdict(judged) for judged in result.judged],
        "remarks": result.remarks,
    }
    write_json(out / RECORD, facts)
    if baseline is not None:
        save_model(baseline, loaded.tokenizer, out / BASELINE, request.save_dtype)
    save_model(student, loaded.tokenizer, out, request.save_dtype)
    shutil.rmtree(out / UNFINISHED, ignore_errors=True)  # the model is whole without
    return result
