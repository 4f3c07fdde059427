"""A model over several devices, and over CPU and disk, by Hugging Face Accelerate.

Accelerate's hooks bring each layer its inputs, and its weights where those lie elsewhere. What lies
on the disk is read from the files of the checkpoint itself: nothing is written.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from accelerate import dispatch_model, infer_auto_device_map
from accelerate.hooks import AlignDevicesHook, add_hook_to_module, remove_hook_from_module
from safetensors import safe_open
from torch import Tensor, nn
from transformers import PreTrainedModel

from hwmodels.plain import quoted, several
from neurt.loading.configured import ModelError, read_config
from neurt.loading.directory import weight_files
from neurt.loading.hub import download_weights
from neurt.loading.placement import DeviceError, Placement, find_device
from neurt.loading.reading import is_quantised
from neurt.loading.source import ModelSource
from neurt.spiking.neuron import SpikingNeuron

#: `auto`, a JSON file, or what is in one.
DeviceMap = str | Mapping[str, str | int]

#: Where weights lie that are brought to the first device when they are needed.
_DISK, _MEMORY = "disk", "cpu"


@dataclass(frozen=True)
class Spread:
    """Where each part of a model is; calling it puts a model there, and its conversion after it."""

    parts: Mapping[str, str]  #: a device, `cpu` or `disk` by module
    source: ModelSource  #: its checkpoint
    where: Placement  #: its first device, on which it also takes its inputs, and its precision
    drawn: bool = False  #: whether its weights are random, and in no file
    #: weights that wait in memory, and the files of those that wait on the disk, by parameter
    waiting: dict[str, Tensor] = field(default_factory=dict)
    files: dict[str, dict[str, str]] = field(default_factory=dict)

    def __call__(self, model: PreTrainedModel) -> torch.device:
        """Put a model that is in memory there; thresholds stay where their layer runs.

        Returns:
            The device on which it takes its inputs.

        Raises:
            ModelError: If weights are to lie on the disk which are in no file as they are.
        """
        parts, first = _flat(self.parts, model), str(self.where.device)
        if {*parts.values()} == {first}:
            model.to(self.where.device)  # type: ignore[arg-type]
            return self.where.device
        if _DISK in parts.values() and not self.files:
            self.files.update(self._index(model))
        state = dict[str, Tensor]()
        for name, parameter in model.named_parameters(remove_duplicate=False):
            if name.endswith(".threshold"):
                state[name] = parameter.detach()
            elif _of(name, parts) == _MEMORY != first:
                state[name] = self.waiting.setdefault(name, parameter.detach())
        with _silent():
            dispatch_model(
                model,
                parts,
                first,
                state or None,
                offload_index=self.files or None,
                force_hooks=True,
                skip_keys=getattr(model, "_skip_keys_device_placement", None),
            )
        for module in model.modules():
            if isinstance(module, SpikingNeuron) and module.threshold.device.type == "meta":
                remove_hook_from_module(module)  # which gives it its threshold again
                module.to(self.where.device)
                add_hook_to_module(module, AlignDevicesHook(first))
        return self.where.device

    def gather(self, model: PreTrainedModel) -> None:
        """Bring a model that was put there into the memory of the CPU; files stay mapped."""
        remove_hook_from_module(model, recurse=True)
        vars(model).pop("hf_device_map", None)
        opened: dict[tuple[str, str], nn.Parameter] = {}  # tied weights stay one
        for name, parameter in [*model.named_parameters(remove_duplicate=False)]:
            if parameter.device.type != "meta":
                continue
            owner, _, own = name.rpartition(".")
            if name in self.waiting:
                held = nn.Parameter(self.waiting[name], requires_grad=False)
            else:
                place = self.files[name]["safetensors_file"], self.files[name]["weight_name"]
                if place not in opened:
                    with safe_open(place[0], "pt") as file:
                        read = file.get_tensor(place[1]).to(parameter.dtype)
                    opened[place] = nn.Parameter(read, requires_grad=False)
                held = opened[place]
            setattr(model.get_submodule(owner), own, held)
        model.to("cpu")  # type: ignore[arg-type]
        model.tie_weights()

    def _index(self, model: PreTrainedModel) -> dict[str, dict[str, str]]:
        """In which file each parameter on the disk is, as Accelerate asks for it."""
        if why := "are random" if self.drawn else _why_not_in_files(self.source):
            raise ModelError(
                f"weights on the disk are read from the files of the checkpoint, and those of "
                f"'{self.source.asked}' {why}; leave 'disk' out of the device map"
            )
        directory = self.source.directory or download_weights(self.source.where)
        places: dict[str, tuple[Path, str]] = {}
        for file in weight_files(directory):
            with safe_open(file, "pt") as opened:
                places |= {key: (file, key) for key in opened.keys()}  # noqa: SIM118
        tied: dict[int, str] = {}
        index: dict[str, dict[str, str]] = {}
        for name, parameter in model.named_parameters(remove_duplicate=False):
            below = name.removeprefix(f"{model.base_model_prefix}.")
            key = next((key for key in (name, below) if key in places), None)
            key = tied.setdefault(id(parameter), key) if key else tied.get(id(parameter))
            if key is not None:
                file, stored = places[key]
                index[name] = {
                    "safetensors_file": str(file),
                    "weight_name": stored,
                    "dtype": str(parameter.dtype).removeprefix("torch."),
                }
        return index


def spread_over(
    asked: DeviceMap, model: PreTrainedModel, source: ModelSource, *, drawn: bool = False
) -> Spread:
    """What a device map means for a model, which is in memory on the CPU.

    Args:
        asked: `auto`, a JSON file, or what is in one: a device, `cpu` or `disk` by module; the
            empty name stands for what is left.
        drawn: Whether its weights are random.

    Raises:
        DeviceError: If a device is not there, a part of the model is in no module of the map, or
            the map names a module that the model does not have.
        ModelError: If the file is none.
    """
    dtype = next(model.parameters()).dtype
    if asked == "auto":
        found = infer_auto_device_map(
            model, no_split_module_classes=list(model._no_split_modules or ()), dtype=dtype
        )
        given: Mapping[str, object] = {name: _word(place) for name, place in found.items()}
    else:
        given = read_config(Path(asked), "device map") if isinstance(asked, str) else asked
    parts = {name: _place(name, place) for name, place in given.items()}
    _flat(parts, model)  # before minutes are spent on anything else
    devices = [place for place in parts.values() if place not in (_DISK, _MEMORY)]
    first = find_device(devices[0] if devices else _MEMORY)
    return Spread(parts, source, Placement(first, dtype), drawn)


def _of(name: str, parts: Mapping[str, str]) -> str:
    """Where a parameter is: as the module says that it is in."""
    return next(place for part, place in parts.items() if not part or name.startswith(f"{part}."))


def _word(place: object) -> object:
    """A device of Accelerate, which calls accelerators by their number."""
    if isinstance(place, int) and (here := torch.accelerator.current_accelerator()) is not None:
        return f"{here.type}:{place}"
    return place


def _place(name: str, place: object) -> str:
    place = _word(place)
    if not isinstance(place, str):
        raise DeviceError(
            f"the device map has {quoted(place)} for {quoted(name)}; give cuda:0, cpu, disk or the "
            "like"
        )
    return place if place == _DISK else str(find_device(place))


def _shortest(names: Iterable[str]) -> list[str]:
    """Some modules from the top, so that somebody sees what names are like."""
    return sorted(filter(None, names), key=lambda name: (name.count("."), name))[:3]


def _flat(parts: Mapping[str, str], model: nn.Module) -> dict[str, str]:
    """The same map without modules inside of others, of which Accelerate would hook some twice."""
    known = {name for name, _ in model.named_modules()}
    if unknown := [name for name in parts if name not in known]:
        raise DeviceError(
            f"the device map places {quoted(unknown[0])}, and {type(model).__name__} has no such "
            f"module; give those that it has, such as {', '.join(_shortest(known))}"
        )
    found: dict[str, str] = {}
    left: list[str] = []

    def place(module: nn.Module, name: str, above: str | None) -> None:
        own, inside = parts.get(name, above), f"{name}." if name else ""
        if any(part != name and part.startswith(inside) for part in parts):
            for child, it in module.named_children():
                place(it, f"{inside}{child}", own)
        elif own is not None:
            found[name] = own
        else:
            left.extend(f"{inside}{tensor}" for tensor in module.state_dict())

    place(model, "", None)
    if left:
        raise DeviceError(
            f"the device map does not say where {several(len(left), 'tensor')} of the model are, "
            f"first '{left[0]}'; add its module, or \"\" for all that is left"
        )
    return found


def _why_not_in_files(source: ModelSource) -> str:
    """Why the weights of a model are in no file as they run; empty where they are."""
    if source.adapter is not None:
        return "are merged with an adapter"
    if source.file is not None:
        return "are unpacked from a GGUF file"
    directory = source.directory
    if directory is not None and is_quantised(read_config(directory / "config.json")):
        return "are unpacked"
    return ""


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Accelerate warns that parameters are elsewhere, which is what was asked for."""
    log = logging.getLogger("accelerate.big_modeling")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
