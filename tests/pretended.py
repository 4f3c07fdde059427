"""An accelerator that is none, in a process of its own: `python tests/pretended.py OUT`.

Its tensors say that they are on a device of their own, and hold their values in memory. An
operation on tensors of both is an error, as it is on a GPU, and so is a look at values that were
not brought back: what forgets to move something is found out on a machine without one.

Each command line runs on the CPU and there; prints whether the counts are the same file, and what
waits for the device while a model is counted: on a GPU, that stops all that it was given to do.
"""

from __future__ import annotations

import sys
import traceback
import warnings
from collections import Counter
from contextlib import ExitStack, nullcontext
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from energy import MatMul, count_pass
from energy.meter.audit import Audit
from energy.meter.events import EventError
from energy.meter.spikes import DenseSpikesWarning
from neurt.cli import main
from neurt.evaluation import quality
from neurt.loading import placement, spread
from neurt.measure import stages

NANO = "--model gpt2-nano --hw 45nm --pictures none --quiet --dtype float32"
CALIBRATED = f"{NANO} --calibration-tokens 64"
LINES = {
    "count": f"count {NANO} --seq-len 8 --verify --zeros",
    "decode": f"count {NANO} --phase decode --context 8",
    "by loss": f"profile {CALIBRATED} --seq-len 8 --no-page",
    "by output": f"profile {CALIBRATED} --seq-len 8 --no-page --dead-zone output --head "
    "--attention causal --coincidences",
    "streamed": f"profile {CALIBRATED} --prompt 4 --generate 3 --no-page --code burst "
    "--key-value streamed",
    "Spikformer": f"profile {CALIBRATED} --seq-len 8 --no-page --form spikformer",
    "layer by layer": f"profile {CALIBRATED} --prompt 4 --generate 3 --no-page --stream",
    "evaluate": f"evaluate {CALIBRATED} --max-tokens 48 --window 16 --baselines zones teal wina",
}
#: What may read one device and write the other, or take an index from the CPU.
BETWEEN = {"copy_", "_to_copy", "_local_scalar_dense", "index", "index_put_"}


class Pretended(Tensor):
    """A tensor on the device; its values are in `held`."""

    held: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, held: Tensor) -> Pretended:
        """Wrap values."""
        made: Pretended = Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=DEVICE,
        )
        made.held = held
        return made

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operation where its tensors are."""
        return run(func, args, kwargs or {})


class There(TorchDispatchMode):
    """Inside the block, tensors can be made on the device."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operation where it is asked for."""
        return run(func, args, kwargs or {})


#: Operations that wait for the device, while a counted model runs.
WAITED = Counter[str]()
RUNNING: list[str] = []


def run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    name, asked = func._overloadpacket.__name__, kwargs.get("device")
    # transformers looks once a pass, without a cache, for several texts in one sequence.
    if RUNNING and waits(name, args, kwargs) and (asking := caller()) != "masking_utils.py":
        WAITED[f"{RUNNING[-1]}: {name} in {asking}"] += 1
    tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
    there = any(isinstance(x, Pretended) for x in tensors)
    others = [x for x in tensors if not isinstance(x, Pretended) and x.dim()]
    if there and others and name not in BETWEEN:
        raise RuntimeError(f"{name}: tensors on {DEVICE} and on the CPU")
    if asked is not None:
        there = torch.device(asked).type == DEVICE.type
        kwargs = kwargs | {"device": torch.device("cpu") if there else asked}
    if name in ("copy_", "index_put_"):
        there = isinstance(args[0], Pretended)
    if not there and not any(isinstance(x, Pretended) for x in tensors):
        return func(*args, **kwargs)
    held = tree_map(lambda x: x.held if isinstance(x, Pretended) else x, (args, kwargs))
    out = func(*held[0], **held[1])
    if not there:
        return out
    if name.endswith("_") and not name.endswith("__") and isinstance(args[0], Pretended):
        return args[0]
    if "out" in kwargs:
        return kwargs["out"]
    return tree_map(lambda x: Pretended(x) if isinstance(x, Tensor) else x, out)


def waits(name: str, args: Any, kwargs: dict[str, Any]) -> bool:
    """Whether the host has to wait for a number, or for values, of the device."""
    if not args or not isinstance(args[0], Pretended):
        return name == "copy_" and isinstance(args[1], Pretended)
    leaves = name in ("_to_copy", "copy_") and torch.device(kwargs.get("device", DEVICE)) != DEVICE
    return leaves or name in ("_local_scalar_dense", "nonzero", "equal", "is_nonzero")


def caller() -> str:
    """The file that asked, of this project or of transformers."""
    files = [Path(frame.filename) for frame in traceback.extract_stack()]
    asking = [file for file in files if "torch" not in file.parts]
    return [file.name for file in asking if file.name not in ("pretended.py", "audit.py")][-1]


def watched(count: Any) -> Any:
    """`count_pass`, told while the model runs."""

    def counting(model: Any, call: Any, /, **settings: Any) -> Any:
        def told() -> None:
            RUNNING.append(settings["variant"])
            try:
                call()
            finally:
                RUNNING.pop()

        return count(model, told, **settings)

    return counting


def copy_from(source: Tensor, target: Tensor, non_blocking: bool = False) -> Tensor:
    for_copy = [x.held if isinstance(x, Pretended) else x for x in (target, source)]
    for_copy[0].copy_(for_copy[1])
    return target


def empty(size: Any, stride: Any, *, dtype: torch.dtype | None = None, **_: object) -> Tensor:
    return Pretended(torch.empty_strided(size, stride, dtype=dtype))


def audited(self: Audit, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
    # In a counted layer torch's switch would turn these tensors off, too.
    return func(*args, **(kwargs or {})) if self.pauses else OWN(self, func, types, args, kwargs)


if __name__ == "__main__":
    _setup_privateuseone_for_python_backend("pretended")
    DEVICE = torch.device("pretended", 0)
    library = torch.library.Library("aten", "IMPL")
    library.impl("_copy_from", copy_from, "PrivateUse1")
    library.impl("empty_strided", empty, "PrivateUse1")
    OWN, find = Audit.__torch_dispatch__, placement.find_device

    def find_device(asked: str = "auto") -> torch.device:
        return DEVICE if asked == "cuda" else find(asked)

    with (
        patch.object(torch._C, "_DisableTorchDispatch", object),
        patch.object(Audit, "__torch_dispatch__", audited),
        patch.object(placement, "find_device", find_device),
        patch.object(spread, "find_device", find_device),
        patch.object(stages, "count_pass", watched(stages.count_pass)),
        patch.object(quality, "count_pass", watched(quality.count_pass)),
        patch.object(placement, "device_name", lambda _device: ""),
        ExitStack() as stack,
    ):
        for title, line in LINES.items():
            files = []
            for word in ("cpu", "cuda"):
                out = Path(sys.argv[1]) / f"{title} {word}".replace(" ", "-")
                with There() if word == "cuda" else nullcontext():  # it looks at every operation
                    assert main([*line.split(), "--device", word, "--out", str(out)]) == 0, title
                files.append((out / "counts.csv").read_bytes())
            print(f"{title}: {'same' if files[0] == files[1] else 'other'}")
            for line, times in sorted(WAITED.items()):
                print(f"{title}, {line}, {times} times")
            WAITED.clear()
        strange = torch.tensor([[0.0, 1.0, 0.5]])
        layers = MatMul("left"), nn.Linear(3, 3, bias=False)
        stack.enter_context(There())
        for layer, given in zip(layers, (strange, strange.round()), strict=True):
            layer.to(DEVICE)
            there = given.to(DEVICE), torch.eye(3).to(DEVICE)
            told = partial(layer, *there[: 2 if layer is layers[0] else 1])
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("error")
                    count_pass(layer, told, variant="ssa")
            except (EventError, DenseSpikesWarning) as error:
                print(str(error).partition(";")[0])
