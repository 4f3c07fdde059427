"""A fine-tuning under way: its stages, and how good the models are after each."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from neurt.learning.checkpoint import CHECKPOINT
from neurt.learning.devices import processes, products_in
from neurt.learning.finished import UNFINISHED
from neurt.learning.judging import read
from neurt.learning.own_text import OWN_TEXT, write_own_text
from neurt.learning.training import TrainingError, train
from neurt.learning.windows import OwnText
from neurt.loading.models import LoadedModel
from neurt.loading.placement import stored_dtype
from neurt.loading.saving import round_weights
from neurt.progress import Progress, Say
from neurt.requests.finetune import FinetuneRequest
from reports.training.finetuned import Judged, Reading
from reports.training.metrics import MetricsRow


@dataclass
class Course:
    """A fine-tuning under way: what it was given, and what came out of its stages so far."""

    request: FinetuneRequest
    loaded: LoadedModel
    teacher: PreTrainedModel
    ids: Tensor
    held_out: Tensor
    other: Tensor | None
    facts: dict[str, object]
    progress: Progress
    say: Say
    judged: list[Judged] = field(default_factory=list)
    rows: list[MetricsRow] = field(default_factory=list)

    @cached_property
    def dtype(self) -> torch.dtype:
        """Of the products of a training step."""
        device = self.loaded.placement.device
        return products_in(self.request.dtype, device, stored_dtype(self.loaded.source))

    def judge(self, stage: str, model: PreTrainedModel, steps: int) -> None:
        """Measure a model on the held-out texts."""
        if model is not self.teacher:  # what is measured is what is saved
            round_weights(model, self.request.save_dtype)
        if not processes().is_main_process:
            return
        measured = self._read(stage, model, self.held_out)
        other = None if self.other is None else self._read(stage, model, self.other)
        self.judged.append(Judged(stage, steps, measured, other))
        kl = "" if model is self.teacher else f", KL {measured.kl_nats:.4f} nats"
        self.say(f"{stage}: held-out perplexity {measured.perplexity:.2f}{kl}")

    def _read(self, stage: str, model: PreTrainedModel, ids: Tensor) -> Reading:
        """Measure a model on one of them."""
        measured = read(model, self.teacher, ids, self.request.tokens)
        if not math.isfinite(measured.perplexity):
            raise TrainingError(
                f"{stage}: the held-out perplexity is {measured.perplexity}; check the weights of "
                f"'{self.request.model}', or lower --learning-rate"
            )
        return measured

    def train(
        self,
        stage: str,
        objective: nn.Module,
        steps: int,
        own: OwnText | None = None,
        *,
        rate: float | None = None,
    ) -> None:
        """Go through a stage, or go on with it."""
        checkpoints = self.request.out / UNFINISHED / stage
        settings = self.request.settings(steps, rate)
        rate = settings.learning_rate
        self.rows += train(
            objective,
            self.ids,
            settings,
            checkpoints,
            stage=stage,
            resume=self.request.resume and (checkpoints / CHECKPOINT).exists(),
            facts=self.facts,
            own=own,
            threshold_factor=(self.request.threshold_learning_rate or rate) / rate,
            dtype=self.dtype,
            progress=self.progress,
            say=self.say,
        )

    def own_text(self) -> OwnText | None:
        """What the analog model writes, where it is asked to."""
        request, tokenizer = self.request, self.loaded.tokenizer
        if not request.own_tokens:
            return None
        begin = tokenizer.bos_token_id
        windows = write_own_text(
            self.teacher,
            tokenizer.eos_token_id if begin is None else begin,
            request,
            request.out / UNFINISHED / OWN_TEXT,
            str(self.facts["sha256 of its teacher"]),
            lambda done, total: self.progress("writing own text", done, total),
        )
        self.say(
            f"{self.loaded.name} wrote {windows.numel():,} tokens, for {request.own_share:.0%} of "
            "the windows of stage 2."
        )
        return OwnText(windows, request.own_share)
