from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import torch
import transformers
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, PreTrainedModel

from neurt.learning.pretrain import run_pretrain
from neurt.requests.training import PretrainRequest
from neurt.spiking.config import Code, DeadZone, Form, SpikingConfig
from neurt.spiking.conversion import convert
from neurt.spiking.modeling import SpikingGPT2LMHeadModel, SpikingLanguageModel


@pytest.fixture
def token_ids() -> torch.Tensor:
    return torch.randint(0, 101, (2, 12), generator=torch.Generator().manual_seed(3))


@pytest.fixture
def spiking(tiny_gpt2: GPT2LMHeadModel) -> SpikingGPT2LMHeadModel:
    text = torch.randint(0, 101, (2, 32), generator=torch.Generator().manual_seed(7))
    return convert(tiny_gpt2, SpikingConfig(form=Form.SPIKFORMER), [text])


#: Kinds of model: query heads and the cached ones that they share, of 8 channels each.
KINDS = {"gpt2": (4, 4), "llama": (4, 2), "mistral": (4, 1), "qwen2": (6, 2), "llama, own": (4, 4)}
#: Forms of attention, as the choices of a conversion.
FORMS: dict[str, dict[str, Any]] = {
    "spikformer": {"form": "spikformer"},
    "softmax": {"form": "softmax"},
    "two streams": {"form": "softmax", "key_value": "streamed"},
}


@pytest.fixture(params=["gpt2", "llama", "mistral", "qwen2"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=Code)
def code(request: pytest.FixtureRequest) -> Code:
    return Code(request.param)


@pytest.fixture(scope="session")
def decoder() -> Callable[..., Any]:
    """`decoder("qwen2", dtype=torch.float64, **config)`: an analog model, the same one each time.

    Attention is not flat; beside GPT-2, which drops nothing out, no parameter is at its default.
    Nobody may change it.
    """

    @cache
    def make(
        kind: str = "llama",
        heads: int = 0,
        kv_heads: int = 0,
        dtype: torch.dtype = torch.float32,
        rope: tuple[tuple[str, Any], ...] = (("rope_theta", 10000.0),),
        **sizes: Any,
    ) -> PreTrainedModel:
        own = KINDS[kind]
        heads, kv_heads, kind = heads or own[0], kv_heads or own[1], kind.partition(",")[0]
        ends = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"))
        if kind == "gpt2":
            own_sizes = {"n_layer": 2, "n_embd": 8 * heads, "n_head": heads, "n_positions": 64}
            nothing = dict.fromkeys(("attn_pdrop", "embd_pdrop", "resid_pdrop"), 0.0)
            config = GPT2Config(**own_sizes | nothing | ends | {"vocab_size": 101} | sizes)
        else:
            defaults = {"vocab_size": 101, "max_position_embeddings": 64, "sliding_window": None}
            prefix = {"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2"}[kind]
            config = getattr(transformers, f"{prefix}Config")(
                num_hidden_layers=2,
                hidden_size=8 * heads,
                num_attention_heads=heads,
                num_key_value_heads=kv_heads,
                intermediate_size=40,
                rope_parameters={"rope_type": "default", "rope_theta": 10000.0} | dict(rope),
                **defaults | ends | sizes,
            )
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model: PreTrainedModel = AutoModelForCausalLM.from_config(config)
            if kind == "gpt2":
                model = model.to(dtype)
            for name, parameter in model.named_parameters():
                if kind == "gpt2" and name.endswith("c_attn.weight"):
                    torch.nn.init.normal_(parameter, std=0.3)
                elif kind != "gpt2" and (".self_attn." in name or parameter.dim() == 1):
                    center = 1.0 if "norm" in name else 0.0
                    torch.nn.init.normal_(parameter, mean=center, std=0.3)
        return model.eval().to(dtype)

    return make


@pytest.fixture(scope="session")
def converted(decoder: Callable[..., Any]) -> Callable[..., Any]:
    """`converted("qwen2", "two streams", code=.., ...)`: its conversion, always the same.

    In float64, so that two ways to sum the same numbers do not decide differently whether a neuron
    fires; `dtype=torch.float32` for counting bytes. Its code is `signed_if`, its single dead zones
    are by output unless others are given. Nobody may change it.
    """

    @cache
    def make(kind: str, dtype: torch.dtype, spiking: SpikingConfig) -> SpikingLanguageModel:
        text = torch.randint(0, 101, (2, 32), generator=torch.Generator().manual_seed(7))
        return convert(decoder(kind, dtype=dtype), spiking, [text])

    def choose(
        kind: str = "gpt2",
        form: str = "spikformer",
        dtype: torch.dtype = torch.float64,
        **choices: Any,
    ) -> SpikingLanguageModel:
        plain = {"code": Code.SIGNED_IF, "dead_zone": DeadZone.OUTPUT, "resolution": 1.0}
        return make(kind, dtype, SpikingConfig(**plain | FORMS[form] | choices))

    return choose


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # No network, an empty cache of the hub, and a working directory of one's own.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def passages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Ten documents, all the same: a tiny model learns them in a moment, the held-out one too.
    directory = tmp_path_factory.mktemp("passages")
    text = (files("neurt.assets") / "passage.txt").read_text(encoding="utf-8")[:1200]
    for number in range(10):
        (directory / f"{number}.txt").write_text(text, encoding="utf-8")
    return directory


@pytest.fixture(scope="module")
def sketched_training() -> Iterator[None]:
    # To draw the curves of a training takes longer than a small one does.
    from matplotlib.figure import Figure

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reports.training.picture.training_picture", lambda *_: Figure((1, 1)))
        yield


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, passages: Path) -> Path:
    # The directory of a GPT-2 of 2 layers that knows those documents a little.
    out = tmp_path_factory.mktemp("trained") / "tiny"
    sizes = {"layers": 2, "width": 32, "heads": 2, "vocabulary": 280, "positions": 32}
    how = {"steps": 150, "batch": 8, "tokens": 32, "warmup_steps": 10, "learning_rate": 1e-2}
    run_pretrain(PretrainRequest(text=str(passages), out=out, **sizes, **how))
    return out


@pytest.fixture
def write_gguf(tmp_path: Path) -> Callable[..., Path]:
    """`write_gguf(model, kind="F32", drop=(), **metadata)`: the file llama.cpp would make of it.

    With the names and the writer of the package gguf. Metadata replace what is written otherwise
    (dots as two underscores), or leave it out where they are None; `extra` are tensors that the
    model has not; `vocabulary` is a list of tokens, as long as the model's embedding where it is
    not given.
    """
    import gguf

    def write(
        model: Any,
        kind: str = "F32",
        name: str = "tiny.gguf",
        drop: tuple[str, ...] = (),
        extra: Mapping[str, Any] = MappingProxyType({}),
        **metadata: Any,
    ) -> Path:
        config = model.config
        arch = {"mistral": "llama"}.get(config.model_type, config.model_type)
        number = next(key for key, value in gguf.MODEL_ARCH_NAMES.items() if value == arch)
        names = gguf.get_tensor_name_map(number, config.num_hidden_layers)
        writer = gguf.GGUFWriter(tmp_path / name, arch)
        state = dict(model.state_dict())
        if config.tie_word_embeddings:
            del state["lm_head.weight"]
        for parameter, value in state.items():
            tensor, rows = names.get_name(parameter, (".weight", ".bias")), value.float().numpy()
            part = tensor.split(".")[-2]
            if arch == "llama" and part in ("attn_q", "attn_k"):
                grouped = part == "attn_k"
                heads = config.num_key_value_heads if grouped else config.num_attention_heads
                # `permute` of convert_hf_to_gguf.py
                pairs = rows.reshape(heads, 2, -1, *rows.shape[1:])
                rows = pairs.swapaxes(1, 2).reshape(rows.shape)
            if arch == "gpt2" and tensor.startswith("blk.") and rows.ndim == 2:
                rows = rows.T
            if tensor not in drop:
                how = gguf.GGMLQuantizationType[kind if rows.ndim == 2 else "F32"]
                writer.add_tensor(tensor, gguf.quants.quantize(rows.copy(), how), raw_dtype=how)
        for tensor, values in extra.items():
            writer.add_tensor(tensor, values)
        for key, value in (_written(config, arch) | metadata).items():
            key = key.replace("__", ".").replace("ARCH", arch)
            adds = {str: "string", bool: "bool", int: "uint32", float: "float32", list: "array"}
            if value is not None:
                getattr(writer, f"add_{adds[type(value)]}")(key, value)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return tmp_path / name

    return write


def _written(config: Any, arch: str) -> dict[str, Any]:
    """The metadata of a file, `ARCH` for its architecture."""
    from tokenizers import pre_tokenizers

    sizes = {
        "embedding_length": config.hidden_size,
        "block_count": config.num_hidden_layers,
        "attention__head_count": config.num_attention_heads,
        "context_length": config.max_position_embeddings,
    }
    if arch == "gpt2":
        sizes |= {
            "feed_forward_length": config.n_inner or 4 * config.n_embd,
            "attention__layer_norm_epsilon": config.layer_norm_epsilon,
        }
    else:
        sizes |= {
            "feed_forward_length": config.intermediate_size,
            "attention__head_count_kv": config.num_key_value_heads,
            "attention__layer_norm_rms_epsilon": config.rms_norm_eps,
            "rope__freq_base": config.rope_parameters["rope_theta"],
        }
    tokens = ["<|end|>", *sorted(pre_tokenizers.ByteLevel.alphabet()), "Ġt", "he", "Ġthe"]
    tokens += [f"<|{number}|>" for number in range(len(tokens), config.vocab_size)]
    types = [3, *[1] * 259, *[3] * (len(tokens) - 260)]
    return {f"ARCH__{key}": value for key, value in sizes.items()} | {
        "tokenizer__ggml__model": "gpt2",
        "tokenizer__ggml__pre": "gpt-2",
        "tokenizer__ggml__tokens": tokens,
        "tokenizer__ggml__token_type": types,
        "tokenizer__ggml__merges": ["Ġ t", "h e", "Ġt he"],
        "tokenizer__ggml__eos_token_id": 0,
    }
