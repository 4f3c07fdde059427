"""Trainings that ended before: their model is there, whatever a killed process left beside it."""

from __future__ import annotations

import hashlib
import shutil

from hwmodels.inputs import parse_json, read_utf8
from neurt.learning.checkpoint import CheckpointError, remove_checkpoint
from neurt.loading.directory import MODEL
from neurt.requests.finetune import FinetuneRequest
from neurt.requests.training import PretrainRequest, Trained

#: Sub-directory of a fine-tuning that holds a directory with the checkpoint of each stage until
#: all is written.
UNFINISHED = "unfinished"
#: What was asked of a fine-tuning, and the card of a pretrained model, which says its command.
RECORD, CARD = "finetune.json", "README.md"


def digest(request: Trained) -> str:
    """What tells a request from all that make another model: SHA-256 of it, shortened."""
    asked = request.model_dump_json(exclude={"out", "resume"})
    return hashlib.sha256(asked.encode()).hexdigest()[:16]


def is_pretrained(request: PretrainRequest) -> bool:
    """Whether the directory holds the whole model of this command; its checkpoint goes then."""
    card = request.out / CARD
    if not (request.out / MODEL).is_file() or not card.is_file():
        return False
    text = read_utf8(card, f"model card '{card}'", CheckpointError, 2**20)
    if f"    {request.command}\n" not in text:
        return False
    remove_checkpoint(request.out)
    return True


def is_finetuned(request: FinetuneRequest) -> bool:
    """Whether the directory holds the whole model of this request; its checkpoints go then."""
    path = request.out / RECORD
    if not (request.out / MODEL).is_file() or not path.is_file():
        return False
    called = f"record '{path}'"
    record = parse_json(read_utf8(path, called, CheckpointError, 2**20), called, CheckpointError)
    if not isinstance(record, dict) or record.get("request") != digest(request):
        return False
    shutil.rmtree(request.out / UNFINISHED, ignore_errors=True)
    return True
