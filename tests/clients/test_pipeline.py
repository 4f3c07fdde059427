"""transformers' own pipeline writes with a converted model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, TextIteratorStreamer, pipeline

import neurt.spiking.modeling  # noqa: F401 - registers the converted models

PROMPTS = ["The people of the United States", "Congress", "It is well known that the President of"]
FORMS = pytest.mark.parametrize("form", ["analog", "exact", "pow2"])
GREEDY = {"max_new_tokens": 12, "do_sample": False}


def writer(directory: Path) -> Any:
    pipe: Any = pipeline("text-generation", model=str(directory), device="cpu")
    pipe.tokenizer.pad_token = pipe.tokenizer.eos_token
    pipe.tokenizer.padding_side = "left"
    return pipe


@FORMS
def test_greedy_tokens_are_those_of_generate(saved: Path, form: str) -> None:
    model = AutoModelForCausalLM.from_pretrained(saved / form)
    inputs = AutoTokenizer.from_pretrained(saved / form)(PROMPTS[0], return_tensors="pt")
    expected = model.generate(**inputs, **GREEDY)[0]
    pipe = writer(saved / form)
    assert type(pipe.model) is type(model)
    (found,) = pipe(PROMPTS[0], return_tensors=True, **GREEDY)
    assert found["generated_token_ids"] == expected.tolist()


@FORMS
def test_a_padded_batch_writes_what_each_prompt_does(saved: Path, form: str) -> None:
    pipe = writer(saved / form)
    alone = [pipe(prompt, **GREEDY) for prompt in PROMPTS]
    assert pipe(PROMPTS, batch_size=len(PROMPTS), **GREEDY) == alone


def test_the_exact_control_writes_as_the_analog_model(saved: Path) -> None:
    analog, exact = (writer(saved / form)(PROMPTS[0], **GREEDY) for form in ("analog", "exact"))
    assert analog == exact


def test_text_streams(saved: Path) -> None:
    pipe = writer(saved / "pow2")
    streamer = TextIteratorStreamer(pipe.tokenizer)
    ((found,),) = pipe([PROMPTS[0]], streamer=streamer, **GREEDY)
    assert "".join(streamer) == found["generated_text"]


def test_sampling_depends_on_the_seed_alone(saved: Path) -> None:
    pipe = writer(saved / "pow2")

    def sampled(seed: int) -> Any:
        torch.manual_seed(seed)
        return pipe(PROMPTS[0], max_new_tokens=12, do_sample=True)

    assert sampled(0) == sampled(0) != sampled(1)


def test_the_documented_example_writes_the_documented_passages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (Path(__file__).parents[2] / "docs/how-to/clients.md").read_text(encoding="utf-8")
    [(example, passages)] = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "clients.md", "exec"), {})
    printed = capsys.readouterr().out
    # The first 60 characters of each: later ones may hang on the last bit of a sum of floats.
    starts = r"^(?:analog|spiking): .{60}"
    assert re.findall(starts, printed, re.MULTILINE) == re.findall(starts, passages, re.MULTILINE)
    assert len(re.findall(starts, printed, re.MULTILINE)) == 2
