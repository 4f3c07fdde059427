"""On which device a model runs, and in which precision: resolved and applied in this one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from hwmodels.errors import UserError
from hwmodels.plain import quoted
from neurt.loading.source import ModelError, ModelSource, known_config, read_config

Precision = Literal["float32", "bfloat16", "float16"]
#: What the words of `--dtype` mean.
DTYPES: dict[Precision, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
_CPU = torch.device("cpu")


class DeviceError(UserError, ValueError):
    """A device that is not there, or that cannot do what is asked of it."""


@dataclass(frozen=True)
class Placement:
    """Where a model runs."""

    device: torch.device
    dtype: torch.dtype  #: of its weights and activations
    #: whether it is spread over devices once it is loaded, so that it need not fit into one
    spread: bool = False

    @property
    def precision(self) -> Precision:
        """The word of `--dtype` for its precision."""
        return next(word for word, dtype in DTYPES.items() if dtype is self.dtype)

    @property
    def facts(self) -> dict[str, str]:
        """What records say of it: device, its product name where it has one, and precision."""
        name = device_name(self.device)
        facts = {"device": str(self.device), "dtype": str(self.dtype).removeprefix("torch.")}
        return facts | ({"device_name": name} if name else {})


#: Where tests and small models run.
ON_CPU = Placement(_CPU, torch.float32)


def find_device(asked: str = "auto") -> torch.device:
    """The device that a word of `--device` means; of an accelerator with its number.

    Raises:
        DeviceError: If it is not on this machine, or torch was built without it.
    """
    try:
        device = _CPU if asked == "auto" else torch.device(asked)
    except RuntimeError as error:
        raise DeviceError(
            f"device {quoted(asked)} is none that torch knows; give auto, cpu, cuda, cuda:1, mps "
            "or xpu"
        ) from error
    here = torch.accelerator.current_accelerator(check_available=True)
    if here is not None and (asked == "auto" or device.type == here.type):
        number = torch.accelerator.device_count()
        index = torch.accelerator.current_device_index() if device.index is None else device.index
        if index < number:
            return torch.device(here.type, index)
    elif device.type == "cpu":
        return _CPU
    raise DeviceError(
        f"device '{asked}' is not there: torch {torch.__version__} finds {_known(here)} on this "
        "machine; give --device auto, which takes what there is"
    )


def _known(here: torch.device | None) -> str:
    if here is None:
        return "no accelerator"
    last = torch.accelerator.device_count() - 1
    return f"{here.type}:0" + (f" to {here.type}:{last}" if last else "")


def find_dtype(asked: str, device: torch.device, stored: str | None = None) -> torch.dtype:
    """The precision that a word of `--dtype` means.

    Args:
        asked: `auto` is what the checkpoint has on an accelerator, and FP32 on the CPU.
        device: Where the model will run.
        stored: The number format of the checkpoint, None where it does not say: then FP32.

    Raises:
        DeviceError: If there is no such precision.
    """
    if asked == "auto":
        asked = stored if stored in DTYPES and device.type != "cpu" else "float32"
    for word, dtype in DTYPES.items():
        if word == asked:
            return dtype
    raise DeviceError(
        f"precision {quoted(asked)} is none that models run in here; give auto, {', '.join(DTYPES)}"
    )


def find_placement(device: str, dtype: str, source: ModelSource) -> Placement:
    """Where a model of that source runs; see `find_device` and `find_dtype`."""
    found = find_device(device)
    stored = stored_dtype(source) if dtype == "auto" and found != _CPU else None
    return Placement(found, find_dtype(dtype, found, stored))


def stored_dtype(source: ModelSource) -> str | None:
    """The number format that the `config.json` of a checkpoint says; None where it says none.

    Of what this package ships it is FP32: the files are in half precision to be small.
    """
    path = source.directory and source.directory / "config.json"
    if path is None and source.hub_id is not None:
        path = known_config(source.hub_id)
    if path is None or source.shipped:
        return None
    try:
        config = read_config(path)
    except ModelError:  # whoever loads it says what is wrong
        return None
    said = config.get("dtype") or config.get("torch_dtype")
    return str(said).removeprefix("torch.") if said else None


def placement_of(model: nn.Module) -> Placement:
    """Where a model is that is loaded: the device it computes on, the precision of its matrices."""
    matrices = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    dtype = next((x.dtype for x in matrices if x.is_floating_point()), torch.float32)
    return Placement(compute_device(model), dtype)


def compute_device(model: nn.Module) -> torch.device:
    """Where a model wants its inputs; `meta` for one without weights."""
    hook = vars(model).get("_hf_hook")  # of Accelerate: some parameters may be elsewhere
    for each in getattr(hook, "hooks", (hook,)):
        device = getattr(each, "execution_device", None)
        if device is not None:
            return torch.device(device)
    return next((parameter.device for parameter in model.parameters()), _CPU)


def place(model: nn.Module, where: Placement) -> None:
    """Move a model, parameter by parameter; what it keeps in FP32 stays so.

    Buffers keep their precision: angles of rotary positions rounded to 8 bits are other positions.
    """
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.is_floating_point() and not _stays_fp32(model, name, where.dtype):
                parameter.data = parameter.data.to(where.dtype)
    model.to(where.device)


def _stays_fp32(model: nn.Module, name: str, dtype: torch.dtype) -> bool:
    """Whether transformers keeps a parameter in FP32: some always, some beside FP16."""
    kept = {*(getattr(model, "_keep_in_fp32_modules_strict", None) or ())}
    if dtype is torch.float16:
        kept |= {*(getattr(model, "_keep_in_fp32_modules", None) or ())}
    return not kept.isdisjoint(name.split("."))


def device_name(device: torch.device) -> str:
    """The product name of an accelerator; empty where torch knows none."""
    module = None if device.type in ("cpu", "meta") else torch.get_device_module(device)
    asked = getattr(module, "get_device_name", None)
    return str(asked(device)) if asked is not None else ""
