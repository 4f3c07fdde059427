"""EleutherAI's lm-evaluation-harness reads a converted model; neither of the two is changed."""

from __future__ import annotations

import json
import math
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import neurt.spiking.modeling  # noqa: F401 - registers the converted models
from neurt.evaluation.quality import compare

lm_eval: Any = pytest.importorskip("lm_eval", reason="needs lm-eval 0.4.13, see the README")

ROOT = Path(__file__).parents[2]
TASKS = ROOT / "tests" / "clients" / "tasks"
PERPLEXITIES = ("word_perplexity", "byte_perplexity", "bits_per_byte")
ACCURACIES = ("acc", "acc_norm")
#: Tokens that the harness reads at a time, of 256 positions; why, the test of our protocol says.
LENGTH = 255
#: Log-softmax is taken in float32, spaced 1.2e-7; the exponent of a perplexity per word is 6 to 13.
FLOAT32 = 1e-5


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pytest.MonkeyPatch]:
    import datasets

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)  # where the paths of the tasks start
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path_factory.mktemp("hf")))
        # Otherwise `datasets` tells its makers, even when it loads a local file.
        patch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
        patch.setenv("TOKENIZERS_PARALLELISM", "false")
        yield patch


@pytest.fixture(scope="module")
def evaluate(offline: pytest.MonkeyPatch) -> Callable[[Path], Any]:
    """What `simple_evaluate` finds for a directory on the three tasks, each directory once."""

    @cache
    def run(directory: Path) -> Any:
        return lm_eval.simple_evaluate(
            model="hf",
            model_args={"pretrained": str(directory), "max_length": LENGTH},
            tasks=["address_perplexity", "address_ending", "address_writing"],
            task_manager=lm_eval.tasks.TaskManager(include_path=str(TASKS), include_defaults=False),
            device="cpu",
            batch_size=8,
            bootstrap_iters=0,
            log_samples=True,
        )

    return run


def scores(found: Any) -> dict[str, float]:
    """All scores by name."""
    results = found["results"]
    return {
        **{name: results["address_perplexity"][f"{name},none"] for name in PERPLEXITIES},
        **{name: results["address_ending"][f"{name},none"] for name in ACCURACIES},
    }


def written(found: Any) -> list[str]:
    """The text that was generated from each prompt."""
    return [sample["resps"][0][0] for sample in found["samples"]["address_writing"]]


def test_the_exact_control_does_what_the_analog_model_does(
    saved: Path, evaluate: Callable[[Path], Any]
) -> None:
    analog, exact = evaluate(saved / "analog"), evaluate(saved / "exact")
    for name in PERPLEXITIES:
        assert scores(exact)[name] == pytest.approx(scores(analog)[name], rel=FLOAT32), name
    for name in ACCURACIES:
        assert scores(exact)[name] == scores(analog)[name], name
    assert written(exact) == written(analog)
    assert sum(map(bool, written(analog))) > 12  # of 24: it did write


def test_a_coded_model_has_other_but_finite_scores(
    saved: Path, evaluate: Callable[[Path], Any]
) -> None:
    analog, pow2 = (scores(evaluate(saved / form)) for form in ("analog", "pow2"))
    assert all(map(math.isfinite, pow2.values()))
    expected, found = analog["word_perplexity"], pow2["word_perplexity"]
    assert 10 * FLOAT32 < abs(found / expected - 1) < 0.1


def test_perplexity_is_that_of_our_own_protocol(
    saved: Path, evaluate: Callable[[Path], Any]
) -> None:
    models = [AutoModelForCausalLM.from_pretrained(saved / form) for form in ("analog", "pow2")]
    tokenizer = AutoTokenizer.from_pretrained(saved / "pow2")
    nats, words, size, windows = 0.0, 0, 0, 0
    for line in (TASKS / "address.jsonl").read_text(encoding="utf-8").splitlines():
        text = json.loads(line)["text"]
        ids = torch.tensor([tokenizer.bos_token_id, *tokenizer(text).input_ids])
        # The harness predicts 255 tokens from as many, then what is left of the paragraph, with
        # the 255 tokens before its last as context. Ours: windows of 256, the last one at the end.
        window = min(LENGTH + 1, len(ids))
        result = compare(*models, ids, window=window, stride=len(ids) - window or window)
        assert result.spiking.tokens == len(ids) - 1  # all but the mark before the text
        nats += result.spiking.nll_nats
        words += len(text.split())
        size += len(text.encode())
        windows += result.windows
    assert windows == 10  # of nine paragraphs, one of which needs two
    found = scores(evaluate(saved / "pow2"))
    assert found["word_perplexity"] == pytest.approx(math.exp(nats / words), rel=FLOAT32)
    assert found["byte_perplexity"] == pytest.approx(math.exp(nats / size), rel=FLOAT32)
    assert found["bits_per_byte"] == pytest.approx(nats / size / math.log(2), rel=FLOAT32)


def test_the_documented_command_gives_the_documented_scores(
    tmp_path: Path, offline: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "docs/how-to/clients.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```bash\nHF_HUB_OFFLINE=1 (python -c \".*?)\n```", text, re.DOTALL)
    _, flag, code, *words = shlex.split(block.replace("\\\n", " "))
    # Otherwise it reads the 13,000 files of the tasks that it ships, which takes longer than ours.
    ours = partial(lm_eval.tasks.TaskManager, include_defaults=False)
    offline.setattr(lm_eval.tasks, "TaskManager", ours)
    offline.setattr(sys, "argv", [flag, *words, "--output_path", str(tmp_path / "scores.json")])
    exec(compile(code, "clients.md", "exec"), {})
    (output,) = tmp_path.glob("scores*.json")
    found = scores(json.loads(output.read_text(encoding="utf-8")))
    rows = re.findall(r"\|(\w+) *\|[↑↓] *\| *([\d.]+)\|", text)
    assert found == pytest.approx({name: float(value) for name, value in rows}, rel=1e-4)
    assert found["acc"] > 0.75  # chance is 0.25: a trained model knows how words are ordered
