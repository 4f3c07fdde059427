"""A model over several devices is counted as one on a single device; Accelerate moves its parts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import dispatch_model
from builders import refused
from devices import DEVICES
from safetensors.torch import load_file
from tiny_models import tiny_model
from transformers import GPT2Config, GPT2LMHeadModel, LlamaForCausalLM, PreTrainedModel

from energy import count_pass, exposed_attention
from hwmodels.errors import UserError
from neurt.cli import main
from neurt.loading.models import load_model
from neurt.loading.naming import naming
from neurt.loading.placement import compute_device, find_device
from neurt.loading.source import resolve
from neurt.loading.spread import spread_over

#: Maps of a Llama of one layer, and of a GPT-2 of two.
LLAMA = {"": "cpu", "model.layers.0.mlp": "disk", "lm_head": "disk", "model.embed_tokens": "disk"}
GPT2 = {"transformer": "cpu", "transformer.h.1": "disk", "lm_head": "disk"}


def store(model: PreTrainedModel, at: Path, words: Callable[..., Any]) -> Path:
    model.save_pretrained(at)
    vocabulary = model.config.vocab_size
    words(*(f"w{number}" for number in range(vocabulary - 1))).save_pretrained(at)
    return at


@pytest.fixture
def llama_at(tmp_path: Path, llama: LlamaForCausalLM, words: Callable[..., Any]) -> Path:
    return store(llama, tmp_path / "llama", words)


@pytest.fixture
def gpt2_at(tmp_path: Path, words: Callable[..., Any]) -> Path:
    torch.manual_seed(0)
    sizes = {"n_layer": 2, "n_embd": 16, "n_head": 2, "vocab_size": 60, "n_positions": 16}
    return store(GPT2LMHeadModel(GPT2Config(**sizes)), tmp_path / "gpt2", words)


def written(command: str, model: Path, out: Path, placed: Mapping[str, str] | None) -> bytes:
    ran(f"{command} --model {model} --hw 45nm --pictures none", out, placed)
    return (out / "counts.csv").read_bytes()


def ran(line: str, out: Path, placed: Mapping[str, str] | None) -> None:
    asked = []
    if placed is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        file = out.parent / f"{out.name}.json"
        file.write_text(json.dumps(placed), encoding="utf-8")
        asked = ["--device-map", str(file)]
    assert main([*line.split(), *asked, "--quiet", "--out", str(out)]) == 0


COUNTS = {
    "prefill": "count --seq-len 8",
    "decode": "count --phase decode --context 8",
    "verified": "count --seq-len 8 --verify",
    "converted by loss": "profile --seq-len 8 --calibration-tokens 32 --no-page --dead-zone loss",
    "by output": "profile --seq-len 8 --calibration-tokens 32 --no-page --dead-zone output",
    "Spikformer": "profile --seq-len 8 --calibration-tokens 32 --no-page --form spikformer",
    "a request": "profile --prompt 4 --generate 3 --calibration-tokens 32 --no-page --head",
}


@pytest.mark.parametrize("command", COUNTS.values(), ids=list(COUNTS))
def test_counts_over_cpu_and_disk_are_those_of_one_place(
    command: str, llama_at: Path, gpt2_at: Path, tmp_path: Path
) -> None:
    for model, places in ((llama_at, [LLAMA]), (gpt2_at, [GPT2, {"": "disk"}])):
        one = written(command, model, tmp_path / f"one-{model.name}", None)
        for number, placed in enumerate(places):
            out = tmp_path / f"spread-{model.name}-{number}"
            assert written(command, model, out, placed) == one


@pytest.mark.parametrize("device", DEVICES)
def test_counts_over_an_accelerator_cpu_and_disk_too(
    device: str, llama_at: Path, tmp_path: Path
) -> None:
    placed = {"": device, "model.layers.0.mlp": "cpu", "lm_head": "disk"}
    one = written("count --seq-len 8", llama_at, tmp_path / "one", None)
    assert written("count --seq-len 8", llama_at, tmp_path / "spread", placed) == one


def test_auto_is_where_there_is_room(llama_at: Path, tmp_path: Path) -> None:
    one = written("count --seq-len 8", llama_at, tmp_path / "one", None)
    line = f"count --seq-len 8 --model {llama_at} --hw 45nm --pictures none --quiet"
    line += f" --device-map auto --out {tmp_path / 'auto'}"
    assert main(line.split()) == 0
    assert (tmp_path / "auto" / "counts.csv").read_bytes() == one


def test_the_record_says_where_each_part_was(llama_at: Path, tmp_path: Path) -> None:
    written("count --seq-len 8", llama_at, tmp_path / "spread", LLAMA)
    record = json.loads((tmp_path / "spread" / "count.json").read_text(encoding="utf-8"))
    assert record["settings"]["device_map"] == LLAMA
    assert record["settings"]["device"] == "cpu"


def test_logits_are_those_of_the_whole_and_what_is_on_the_disk_takes_no_memory(
    llama_at: Path, llama: LlamaForCausalLM
) -> None:
    ids = torch.arange(8).unsqueeze(0)
    expected = llama.eval()(ids).logits
    loaded = load_model(str(llama_at), device="cpu", device_map=LLAMA)
    assert loaded.spread is not None
    assert loaded.spread(loaded.model) == compute_device(loaded.model) == torch.device("cpu")
    elsewhere = {n for n, p in loaded.model.named_parameters() if p.device.type == "meta"}
    assert {f"model.layers.0.mlp.{name}_proj.weight" for name in ("gate", "up", "down")} < elsewhere
    assert torch.equal(loaded.model(ids).logits, expected)


@pytest.mark.parametrize("kind", ["qwen3", "phi3", "gemma2", "mixtral"])
def test_other_decoders_are_exposed_beside_hooks_of_accelerate(kind: str) -> None:
    # Those that a user of Python has dispatched: attention, gates, experts and the audit.
    ids = torch.arange(8).unsqueeze(0)

    def run(model: PreTrainedModel) -> None:
        model(ids, use_cache=False)

    def count(model: PreTrainedModel) -> object:
        with exposed_attention(model):
            return count_pass(model, lambda: run(model), variant="asa", label=naming(model))

    model = tiny_model(kind)
    expected = count(model)
    state = {name: x.clone() for name, x in model.state_dict().items()}
    names = [name for name, _ in model.model.named_children()]
    parts = {**{f"model.{name}": "cpu" for name in names}, "lm_head": "disk", "model.norm": "disk"}
    dispatch_model(model, parts, "cpu", state, offload_index={})
    assert model.model.norm.weight.device.type == "meta"
    assert count(model) == expected


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a part left out": (  # 4 + 3 matrices and 2 norms of the layer, the last norm, the head
        {"model.embed_tokens": "cpu"},
        "does not say where 11 tensors of the model are, first 'model.layers.0.self_attn.q_proj",
    ),
    "no such part": (
        {"": "cpu", "model.layers.7": "cpu"},
        "such as lm_head, model, model.embed_tokens",
    ),
    "no such device": ({"": "cuda:99"}, "device 'cuda:99' is not there"),
    "no device": ({"": "somewhere"}, "device 'somewhere' is none that torch knows"),
    "no word": ({"": 1.5}, "the device map has 1.5 for ''; give cuda:0, cpu, disk"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_map_that_does_not_fit_is_one_line(case: str, llama_at: Path) -> None:
    placed, sentence = REFUSED[case]
    error = refused(UserError, load_model, str(llama_at), device="cpu", device_map=placed)
    assert sentence in error


def test_a_map_that_is_no_json_is_called_one(llama_at: Path, tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    for content, why in (("[1,", "is cut short or no valid JSON"), ("[1]", "must hold a JSON obj")):
        path.write_text(content, encoding="utf-8")
        error = refused(UserError, load_model, str(llama_at), device="cpu", device_map=str(path))
        assert f"device map '{path}' {why}" in error


def test_weights_that_are_in_no_file_cannot_wait_on_the_disk(llama_at: Path) -> None:
    loaded = load_model(str(llama_at), device="cpu")
    for drawn, why in ((True, "are random"), (False, "are unpacked")):
        if not drawn:
            config = json.loads((llama_at / "config.json").read_text(encoding="utf-8"))
            config["quantization_config"] = {"quant_method": "fp8"}
            (llama_at / "config.json").write_text(json.dumps(config), encoding="utf-8")
        spread = spread_over(LLAMA, loaded.model, resolve(str(llama_at)), drawn=drawn)
        assert f"{why}; leave 'disk' out of the device map" in refused(
            UserError, spread, loaded.model
        )


def test_nothing_is_written(llama_at: Path) -> None:
    before = sorted(llama_at.iterdir())
    loaded = load_model(str(llama_at), device="cpu", device_map={"": "disk"})
    assert loaded.spread is not None
    loaded.spread(loaded.model)
    loaded.model(torch.zeros(1, 2, dtype=torch.long))
    assert sorted(llama_at.iterdir()) == before
    assert load_file(llama_at / "model.safetensors")
    assert find_device("cpu") == torch.device("cpu")


READ = "--max-tokens 24 --window 12 --calibration-tokens 32 --hw 45nm --pictures none"


@pytest.mark.parametrize("form", ["softmax", "spikformer"])
def test_a_conversion_over_cpu_and_disk_is_written_and_read_as_one_of_one_place(
    form: str, llama_at: Path, gpt2_at: Path, tmp_path: Path
) -> None:
    for model, placed in ((llama_at, LLAMA), (gpt2_at, {"": "disk"})):
        made = {}
        for where, given in {"one": None, "spread": placed}.items():
            out = tmp_path / where / model.name
            ran(f"convert --model {model} --calibration-tokens 32 --form {form}", out, given)
            made[where] = load_file(out / "model.safetensors")
            read = READ.replace("--calibration-tokens 32", "")
            ran(f"evaluate --model {out} {read}", out / "read", given)
        assert made["one"].keys() == made["spread"].keys()
        assert all(torch.equal(x, made["spread"][name]) for name, x in made["one"].items())
        one, spread = (tmp_path / where / model.name for where in made)
        for file in ("counts.csv", "quality.csv", "quality_layers.csv"):
            assert (spread / "read" / file).read_bytes() == (one / "read" / file).read_bytes()
        assert json.loads((spread / "convert.json").read_bytes())["device_map"] == placed


def test_evaluations_and_grids_over_cpu_and_disk_are_those_of_one_place(
    llama_at: Path, tmp_path: Path
) -> None:
    baselines = "--baselines teal zones twin"
    grid = "--hw 45nm --pictures none --forms softmax --timesteps 2"
    for command, tables in {
        f"evaluate --model {llama_at} {READ} {baselines}": (
            "counts.csv",
            "quality.csv",
            "quality_baselines.csv",
            "quality_layers.csv",
        ),
        f"sweep --model {llama_at} {READ} {grid} --thresholds 1 --resolutions 1": ("sweep.csv",),
        f"reproduce --models {llama_at} {grid} --tokens 8 --jobs 1": ("reproduce.csv",),
    }.items():
        one, spread = (tmp_path / f"{where}-{command[:5]}" for where in ("one", "spread"))
        ran(command, one, None)
        ran(command, spread, LLAMA)
        for table in tables:
            assert (spread / table).read_bytes() == (one / table).read_bytes(), (command, table)


CANNOT = {
    "evaluate --model gpt2-nano --stream --device-map auto": "--stream has one transformer layer",
    "convert --model gpt2-nano --out x --stream --device-map auto": "--stream has one transformer",
    "evaluate --model gpt2-nano --baselines wina --device-map auto": "baseline 'wina=0.4' is made",
    "sweep --model gpt2-nano --ray local --device-map auto": "give that with --gpus-per-point 1",
    "reproduce --ray local --gpus-per-point 1 --device-map map.json": "leave out one of the two",
    "sweep --model gpt2-nano --device cpu --device-map auto": "leave out --device-map",
    "finetune --model gpt2-nano --text sotu --device-map auto": "unrecognized arguments",
    "pretrain --text sotu --device-map auto": "unrecognized arguments",
}


@pytest.mark.parametrize("line", CANNOT)
def test_what_cannot_be_spread_is_one_line(
    line: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        raise SystemExit(main(line.split()))
    said = capsys.readouterr().err.strip().splitlines()
    assert stopped.value.code == 2
    assert CANNOT[line] in said[-1]
    assert not list(tmp_path.iterdir())
