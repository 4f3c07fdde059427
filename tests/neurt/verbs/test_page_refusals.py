"""Whatever is pasted into the page of configurations is answered, or refused in one sentence."""

from __future__ import annotations

import json
import re
from typing import Any

from browsers import browser as browser
from config_pages import CONFIGS, Opened
from config_pages import opened as opened
from config_pages import text as text

LLAMA, GPT2, MIXTRAL = (CONFIGS[name] for name in ("llama", "gpt2", "mixtral"))


def changed(**words: Any) -> str:
    return json.dumps(LLAMA | words)


#: Texts that are no configuration of a model that can be planned.
REFUSED: tuple[str, ...] = (
    *("", " \n\t ", "\ufeff", "{}", "[]", "[{}]", "null", "true", "0", '"llama"', "{,}", "\u0000"),
    *("NaN", "{" * 50, "hello", "model_type: llama", "<html></html>", '{"model_type": null}'),
    '{"model_type": 5}',
    '{"model_type": ["llama"]}',
    '{"model_type": "t5"}',
    '{"model_type": "__proto__"}',
    '{"model_type": "constructor", "hidden_size": 8}',
    '{"model_type": "llama"}',
    *(changed(num_hidden_layers=x) for x in (-1, 0, 1.5, "2", None, [], {}, True, 10**30)),
    *(changed(hidden_size=x) for x in (0, -32, 33, "32", 1e400, float("nan"), 10**400)),
    *(changed(vocab_size=x) for x in (-5, "many", None, 0)),
    *(changed(num_key_value_heads=x) for x in (3, 0, "2", -2)),
    *(changed(max_position_embeddings=x) for x in ("64", -1, 0.5)),
    changed(dtype="float13"),
    changed(quantization_config="4 bits"),
    changed(quantization_config={"quant_method": 4}),
    changed(quantization_config={"quant_method": "gptq", "bits": "four"}),
    json.dumps({"text_config": LLAMA}),
    json.dumps({"model_type": "gemma3", "text_config": None}),
    json.dumps({"model_type": "llama4", "text_config": {"model_type": "llama4_text"}}),
    json.dumps(MIXTRAL | {"num_experts_per_tok": 9}),
    json.dumps(MIXTRAL | {"num_local_experts": -4}),
    json.dumps(GPT2 | {"n_head": 5}),
    json.dumps(LLAMA)[:-9],
    json.dumps(LLAMA) + ",",
    json.dumps(LLAMA).replace('"', "'"),
)
#: Texts that are odd and stand for a model all the same.
ANSWERED: tuple[str, ...] = (
    "\ufeff" + json.dumps(LLAMA),
    f"\n\n {json.dumps(LLAMA, indent=4)}\r\n",
    changed(rope_scaling=None, _name_or_path="<script>alert(1)</script>", torch_dtype=None),
    changed(unknown={"nested": [None, {"deep": float("inf")}]}),
)
#: What is in sight: the sentence of a refusal, results, and whether files can be had.
SEEN = """() => ({
  fault: document.getElementById("fault").innerText,
  results: document.getElementById("results").checkVisibility(),
  files: ["save-csv", "save-toml", "save-counts"].map((x) => !document.getElementById(x).disabled),
})"""
PASTE = """(text) => {
  const area = document.getElementById("config");
  area.value = text;
  area.dispatchEvent(new Event("input"));
}"""


def test_whatever_is_pasted_is_answered_or_refused_in_one_sentence(opened: Opened) -> None:
    tab, wrong = opened(), []
    other = json.dumps(GPT2 | {"n_positions": 1024})
    for given in (*REFUSED, *ANSWERED, REFUSED[3], other):
        tab.evaluate(PASTE, given)
        seen, answers = tab.evaluate(SEEN), given in (*ANSWERED, other)
        said = seen["fault"]
        sentence = re.fullmatch(r"[^\n]{8,500}", said) and "undefined" not in said
        if answers != (said == "") or (said and not sentence):
            wrong.append((given[:120], said))
        if seen["results"] != answers or set(seen["files"]) != {answers}:
            wrong.append((given[:120], "what is in sight"))
    assert len({*REFUSED}) >= 50
    assert wrong == []
