"""The verb `finetune`: a converted model learns to do what its analog one does."""

from __future__ import annotations

import copy
import math
import shutil
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from neurt.closed_form.passes import PlanError
from neurt.families import Shape
from neurt.learning.checkpoint import CHECKPOINT, CheckpointError
from neurt.learning.finished import RECORD, UNFINISHED, digest
from neurt.learning.objectives import Continuation, Distillation, LayerMatch, trainable
from neurt.learning.pretrain import perplexity
from neurt.learning.teaching import BASELINE, facts_of, student_of, teacher_of
from neurt.learning.training import METRICS, TrainingError, processes, train
from neurt.loading.directory import MODEL
from neurt.loading.models import LoadedModel
from neurt.loading.saving import round_weights, save_model
from neurt.loading.source import resolve
from neurt.measure.pair import WINDOW, calibrate, load
from neurt.measure.planning import versions
from neurt.progress import Progress, Say, silent
from neurt.requests.training import FinetuneRequest
from neurt.spiking.modeling import SpikingLanguageModel
from neurt.text.corpus import Corpus, CorpusError, read_corpus
from neurt.text.data import copy_texts
from neurt.text.encoding import token_ids
from reports.kit.files import check_directory, prepare_directory, write_json, write_text
from reports.kit.pictures import draw
from reports.training.finetuned import Finetuned, Judged, stages_table
from reports.training.metrics import MetricsRow, write_metrics


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
    main = processes().is_main_process
    if not main:  # one voice is enough
        progress = say = silent
    source = resolve(request.model)
    _check_out(request, source.directory)
    corpus = read_corpus(request.text, detokenise=request.detokenise)
    if main:
        check_directory(request.out)

    def fits(shape: Shape) -> None:
        if request.tokens > shape.positions:
            raise PlanError(
                f"--tokens (= {request.tokens}) is more than the {shape.positions} "
                f"positions of '{request.model}'; lower it"
            )

    loaded = load(source, request.weights, 0, fits, progress, say)
    course, student = _prepare(request, loaded, corpus, progress, say)
    _learn(course, student)
    baseline = _taught_baseline(course)
    return _write(course, student, baseline) if main else None


@dataclass
class _Course:
    """A fine-tuning under way: what it was given, and what came out of its stages so far."""

    request: FinetuneRequest
    loaded: LoadedModel
    teacher: PreTrainedModel
    ids: Tensor
    held_out: Tensor
    facts: dict[str, object]
    progress: Progress
    say: Say
    judged: list[Judged] = field(default_factory=list)
    rows: list[MetricsRow] = field(default_factory=list)

    @property
    def trains_weights(self) -> bool:
        """Whether more than thresholds learns."""
        return self.request.train != "thresholds"

    def judge(self, stage: str, model: PreTrainedModel, steps: int) -> None:
        """Measure the perplexity of a model on the held-out text."""
        if model is not self.teacher:  # what is measured is what is saved
            round_weights(model, self.request.save_dtype)
        if not processes().is_main_process:
            return
        measured = perplexity(model, [self.held_out], self.request.tokens)
        if not math.isfinite(measured.perplexity):
            raise TrainingError(
                f"{stage}: the held-out perplexity is {measured.perplexity}; check the weights of "
                f"'{self.request.model}', or lower --learning-rate"
            )
        self.judged.append(Judged(stage, steps, measured.perplexity, measured.predicted))
        self.say(f"{stage}: held-out perplexity {measured.perplexity:.2f}")

    def train(self, stage: str, objective: nn.Module, steps: int) -> None:
        """Go through a stage, or go on with it."""
        checkpoints = self.request.out / UNFINISHED / stage
        self.rows += train(
            objective,
            self.ids,
            self.request.settings(steps),
            checkpoints,
            stage=stage,
            resume=self.request.resume and (checkpoints / CHECKPOINT).exists(),
            facts=self.facts,
            progress=self.progress,
            say=self.say,
        )


def _prepare(
    request: FinetuneRequest, loaded: LoadedModel, corpus: Corpus, progress: Progress, say: Say
) -> tuple[_Course, SpikingLanguageModel]:
    """Teacher, token ids, and the spiking model that learns."""
    teacher = teacher_of(loaded, say)
    ids = _encode(loaded, corpus.training)
    held_out = _encode(loaded, corpus.held_out)[: request.held_out_tokens]
    if len(held_out) < 2:
        raise CorpusError(f"the held-out part of '{request.text}' is one token; give a longer text")
    window = min(loaded.shape.positions, WINDOW)
    calibration = calibrate(loaded, request, [ids, held_out], window)
    progress("loading the model", 1, 1)
    student = student_of(request, loaded, calibration, progress, say)
    facts = facts_of(request, loaded, calibration, teacher, student.choices)
    return _Course(request, loaded, teacher, ids, held_out, facts, progress, say), student


def _learn(course: _Course, student: SpikingLanguageModel) -> None:
    """Both stages of the spiking model."""
    request, teacher = course.request, course.teacher
    course.judge("analog", teacher, 0)
    course.judge("converted", student, 0)
    if request.layer_steps and course.trains_weights:
        with trainable(student, "ssa", attention_only=True):
            course.train("layerwise", LayerMatch(student, teacher), request.layer_steps)
        course.judge("layerwise", student, request.layer_steps)
    if request.steps:
        with trainable(student, request.train):
            objective = Distillation(student, teacher, request.target_events_per_mac)
            course.train("distilled", objective, request.steps)
        course.judge("distilled", student, request.steps)


def _taught_baseline(course: _Course) -> PreTrainedModel | None:
    """The analog model with the training of stage 2.

    None where it is not wanted, or the weights of the result are still those of an analog model.
    """
    request, teacher = course.request, course.teacher
    trained = course.trains_weights and request.steps + request.layer_steps > 0
    if not (request.baseline and (trained or teacher is not course.loaded.model)):
        return None
    baseline = copy.deepcopy(teacher)
    round_weights(baseline, request.save_dtype)
    if course.trains_weights and request.steps:
        with trainable(baseline, request.train):
            course.train(BASELINE, Continuation(baseline), request.steps)
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
    course: _Course, student: SpikingLanguageModel, baseline: PreTrainedModel | None
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
        "versions": dict(versions()),
    }
    write_json(out / RECORD, facts)
    if baseline is not None:
        save_model(baseline, loaded.tokenizer, out / BASELINE, request.save_dtype)
    save_model(student, loaded.tokenizer, out, request.save_dtype)
    shutil.rmtree(out / UNFINISHED, ignore_errors=True)  # the model is whole without
    return result
