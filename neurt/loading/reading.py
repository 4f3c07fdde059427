"""What transformers makes of files of others, without running code or opening any file itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig, PretrainedConfig, PreTrainedModel

from hwmodels.plain import printable, quoted, several, shortened
from neurt.families import UNREAD, is_converted, wrapper_of
from neurt.loading.adapter import WEIGHTS, Adapter
from neurt.loading.directory import weight_files
from neurt.loading.faults import sentence_of
from neurt.loading.hub import download, download_weights
from neurt.loading.memory import check_fits, free_bytes
from neurt.loading.placement import ON_CPU, Placement, compute_device
from neurt.loading.published import published
from neurt.loading.quantised.unpack import unpacked
from neurt.loading.source import ModelError, ModelSource, read_config

#: The keys of a `config.json` under which a quantisation is.
QUANTISED = ("quantization_config", "compression_config")

#: What transformers raises on a configuration or weights that do not fit each other: for values
#: that it does not expect, whatever its code runs into.
UNFIT = (
    *(ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, OSError),
    *(RuntimeError, SafetensorError, StrictDataclassError, TypeError, ValueError),
)


def from_pretrained(
    kind: Any,
    source: ModelSource,
    if_missing: str,
    where: Placement = ON_CPU,
    config: PretrainedConfig | None = None,
) -> PreTrainedModel:
    """A model of a class of transformers in evaluation mode, without code of others.

    The files are read here, and transformers is given what they hold: it opens none itself. Unless
    one is given, the configuration is that beside the weights.

    Raises:
        ModelError: If they cannot be read, parameters are missing (ends with `if_missing`), have
            another shape or no place in it, or are whole numbers.
    """
    directory = source.directory or download_weights(source.where)
    quantised = is_quantised(content := read_config(directory / "config.json"))
    whole = _configuration(content, source.where)
    if wrapper_of(content) and _inside(whole) is not whole:
        raise ModelError(
            f"'{source.where}' is a {quoted(whole.model_type)}, and of the language model inside "
            "no weights are read; use --weights random or `neurt-energy plan`"
        )
    config = config or whole
    state = _read(weight_files(directory), directory)
    model: PreTrainedModel
    try:
        build, away = partial(kind, config), None if where.device.type == "cpu" else where.device
        halved = "" if where.dtype.itemsize < 4 else " --dtype bfloat16,"
        if not where.spread or any(x.dtype is not where.dtype for x in state.values()):
            check_fits(build, source.name, ModelError, dtype=where.dtype, device=away, other=halved)
        if quantised:
            state = unpacked(state, content, source.where, where.dtype)
        if source.adapter is not None:
            state = adapter_of(source.adapter, source.where if quantised else "").merged(
                state, where.dtype
            )
        model, keys = kind.from_pretrained(
            None,
            config=config,
            state_dict=dict(state),
            dtype=where.dtype,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # to be told of them all
        )
    except UNFIT as error:
        raise unmade(source, error) from error
    check_keys(keys, source.where, if_missing)
    parameters = model.state_dict().keys()
    for name, tensor in state.items():
        held = {name, f"{model.base_model_prefix}.{name}"} & parameters
        if held and not tensor.is_floating_point():
            raise ModelError(
                f"weights of '{source.where}' cannot be loaded: '{name}' is {tensor.dtype}, and "
                "none but floating-point ones are read"
            )
    model.config.name_or_path = source.where
    model.to(where.device)  # type: ignore[arg-type]
    model.eval()
    return model


def is_quantised(content: Mapping[str, Any]) -> bool:
    """Whether a `config.json` says that weights are quantised."""
    return any(content.get(key) for key in QUANTISED)


def adapter_of(adapter: Path, quantised: str = "") -> Adapter:
    """The adapter of a directory; raises ModelError if it is not merged here.

    Args:
        adapter: The directory.
        quantised: What its base is called, if that is quantised.
    """
    if quantised:
        raise ModelError(
            f"the base of adapter '{adapter}', '{quantised}', is quantised, and merged with it "
            "would be dense weights at the price of quantised ones; give the base that is not"
        )
    if not (adapter / WEIGHTS).is_file():
        raise ModelError(
            f"adapter '{adapter}' has no {WEIGHTS}; save it as safetensors, no pickle is read"
        )
    return Adapter(adapter, _read([adapter / WEIGHTS], adapter))


def unmade(source: ModelSource, error: Exception) -> ModelError:
    """The error about a model that transformers cannot make; a ModelError says it already."""
    if isinstance(error, ModelError):
        return error
    return ModelError(f"model '{source.asked}' cannot be made: {_reason(error)}")


def unrun(model: PreTrainedModel, name: str, ids: Tensor) -> ModelError | None:
    """The error about a model whose own code fails on these ids; None where it runs."""
    try:
        with torch.no_grad():
            model(input_ids=ids, use_cache=False)
    except UNFIT as error:
        if isinstance(error, RuntimeError) and sentence_of(error):  # it is about the device
            raise
        if compute_device(model).type != "meta":
            return ModelError(
                f"model '{name}' cannot run {several(ids.shape[1], 'token')}: {_reason(error)}"
            )
        needed, free = 4 * model.num_parameters(), free_bytes()
        return ModelError(
            f"the code of '{name}' looks at values, and its weights ({needed:,} bytes) do not fit "
            f"into the {free or 0:,} bytes that are free; take a machine with more memory"
        )
    return None


def check_keys(keys: Mapping[str, Any], where: str, if_missing: str) -> None:
    """Raise ModelError if parameters are missing, unexpected or of another shape than the model's.

    Args:
        keys: As `from_pretrained` of transformers says it.
        where: Where they were looked for.
        if_missing: Ends the error about one that is missing.
    """
    if missing := sorted(keys["missing_keys"]):
        raise ModelError(
            f"weights of '{where}' lack {len(missing)} of the parameters, first '{missing[0]}'; "
            f"{if_missing}"
        )
    if unknown := sorted(keys["unexpected_keys"]):
        raise ModelError(
            f"weights of '{where}' have {several(len(unknown), 'parameter')} that its config.json "
            f"has no place for, first {quoted(unknown[0])}; the two do not belong together"
        )
    if others := sorted(keys["mismatched_keys"]):
        name, found, wanted = others[0]
        raise ModelError(
            f"weights of '{where}' have {several(len(others), 'parameter')} of another shape "
            f"than its config.json, first '{name}': {tuple(found)}, and not {tuple(wanted)}"
        )


def _read(files: Iterable[Path], directory: Path) -> dict[str, Tensor]:
    """The tensors of safetensors files, mapped into memory; ModelError names the file at fault."""
    state: dict[str, Tensor] = {}
    for file in files:
        try:
            tensors = load_file(file)
        except UNFIT as error:
            said = (str(error).strip() or type(error).__name__).splitlines()[0]
            reason = said.removeprefix("Error while deserializing header: ")
            raise ModelError(
                f"weights of '{directory}' cannot be loaded: '{file.name}' is cut short or no "
                f"safetensors file ({shortened(printable(reason))}); download it again"
            ) from error
        if twice := sorted(state.keys() & tensors.keys()):
            raise ModelError(
                f"weights of '{directory}' cannot be loaded: {quoted(twice[0])} is in '{file.name}'"
                " and in another file"
            )
        state |= tensors
    return state


def configuration(source: ModelSource) -> PretrainedConfig:
    """What transformers makes of a `config.json` without running code; raises ModelError if not."""
    directory = source.directory
    known = directory and directory / "config.json"
    path = known or published().get(source.where) or download(source.where, "config.json")
    content = read_config(path)
    config = _configuration(content, source.where)
    return _inside(config) if wrapper_of(content) else config


def _inside(config: PretrainedConfig) -> PretrainedConfig:
    """The language model inside, where transformers has none of the whole."""
    return config if type(config) in MODEL_FOR_CAUSAL_LM_MAPPING else config.get_text_config()


def _configuration(content: Mapping[str, Any], where: str) -> PretrainedConfig:
    for key in content:
        if callable(getattr(PretrainedConfig, key, None)) or key.startswith("__"):
            raise ModelError(
                f"configuration of '{where}' cannot be loaded: {quoted(key)} is no size"
            )
    if is_converted(content.get("model_type")) and content.get("spiking") is None:
        raise ModelError(
            f"configuration of '{where}' cannot be loaded: a converted model must say in 'spiking' "
            "how it was converted; convert it again"
        )
    sizes = {key: value for key, value in content.items() if key not in UNREAD}
    try:
        config: PretrainedConfig = AutoConfig.for_model(**sizes)
    except UNFIT as error:
        raise ModelError(
            f"configuration of '{where}' cannot be loaded: {_reason(error)}"
        ) from error
    config.name_or_path = where
    return config


def _reason(error: Exception) -> str:
    """The last line of an error of others, and its kind where that says more."""
    said = (str(error).strip() or type(error).__name__).splitlines()[-1].strip()
    said = f"{type(error).__name__} {said}" if isinstance(error, LookupError) else said
    return shortened(printable(said), 160)
