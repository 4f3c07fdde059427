"""LoRA adapters, merged into the weights of their base.

A layer with weights W has W + scale B A (Hu et al., "LoRA", arXiv:2106.09685), with a scale of
alpha / r, or alpha / sqrt(r) (rsLoRA, arXiv:2312.03732). Merged, the model has the layers of its
base, and is counted as that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping, Sequence
from functools import partial
from math import sqrt
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hwmodels.plain import quoted
from neurt.loading.source import ADAPTER, ModelError, read_config

#: What becomes of a tensor of the base.
Change = Callable[[Tensor], Tensor]

#: The weights of an adapter.
WEIGHTS = "adapter_model.safetensors"
_PREFIX = "base_model.model."
_LOW_RANK = re.compile(r"(?P<module>.+)\.lora_(?P<kind>(embedding_)?[AB])(\.weight)?")
#: What an adapter may say that changes the sum above.
_OTHERWISE = ("use_dora", "lora_bias", "layer_replication", "trainable_token_indices", "alora")


class Adapter:
    """What an adapter adds to its base.

    Args:
        directory: Of the adapter.
        tensors: Those of its file, by name.

    Raises:
        ModelError: If it is no LoRA, or one that is not merged by a sum.
    """

    def __init__(self, directory: Path, tensors: Mapping[str, Tensor]) -> None:
        self._name = directory.name
        config = read_config(directory / ADAPTER)
        if (kind := config.get("peft_type")) != "LORA":
            raise ModelError(
                f"adapter '{directory}' is {quoted(kind)}, and none but LORA is merged; merge it "
                "with peft (merge_and_unload) and give the directory of the result"
            )
        for key in _OTHERWISE:
            if config.get(key):
                raise ModelError(
                    f"adapter '{directory}' has {quoted(key)}, which W + scale B A is not; merge "
                    "it with peft (merge_and_unload) and give the directory of the result"
                )
        self._config = config
        self._pairs: dict[str, dict[str, Tensor]] = {}
        self._whole: dict[str, Tensor] = {}
        for key, tensor in tensors.items():
            name = key.removeprefix(_PREFIX)
            found = _LOW_RANK.fullmatch(name)
            if found:
                self._pairs.setdefault(found["module"], {})[found["kind"]] = tensor
            elif "lora_" in name:
                raise ModelError(
                    f"adapter '{directory}' has a tensor {quoted(key)}, which W + scale B A has no "
                    "place for; merge it with peft (merge_and_unload)"
                )
            else:  # trained as a whole: biases, modules to save
                self._whole[name] = tensor

    def changes(self, shapes: Mapping[str, Sequence[int]]) -> dict[str, Change]:
        """What becomes of the tensors of the base that it changes, by their names.

        Args:
            shapes: Those of the tensors of the base, by name.

        Raises:
            ModelError: If the base lacks a layer of it, or has one of another shape (names it).
        """
        found: dict[str, Change] = {}
        for name, tensor in self._whole.items():
            key = self._place(name, shapes)
            self._check(key, shapes[key], tensor.shape)
            found[key] = partial(_replaced, tensor)
        for module, pair in self._pairs.items():
            key = self._place(f"{module}.weight", shapes)
            a, b = self._matrices(pair, key)
            # Conv1D has weights (in, out).
            turned = bool(self._config.get("fan_in_fan_out")) or "embedding_A" in pair
            given = b.shape[0], a.shape[1]
            self._check(key, shapes[key], given[::-1] if turned else given)
            scale = self._scale(module, a.shape[0])
            found[key] = partial(_added, scale, a, b, turned=turned)
        return found

    def merged(self, state: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
        """The tensors of the base with what the adapter changes, added in FP32.

        Args:
            state: Those of the base, by name.
            dtype: Of what is changed.

        Raises:
            ModelError: See `changes`.
        """
        changes = self.changes({key: tensor.shape for key, tensor in state.items()})
        return {**state, **{key: it(state[key]).to(dtype) for key, it in changes.items()}}

    def _place(self, name: str, state: Container[str]) -> str:
        """The tensor of the base; of one below the head, names lack their first part."""
        below = name.partition(".")[2]
        key = next((key for key in (name, below) if key in state), None)
        if key is None:
            raise ModelError(
                f"adapter '{self._name}' changes {quoted(name)}, which its base does not have; "
                "they do not belong together"
            )
        return key

    def _check(self, key: str, has: Sequence[int], given: Sequence[int]) -> None:
        if tuple(has) != tuple(given):
            raise ModelError(
                f"adapter '{self._name}' changes '{key}' by a matrix of shape {tuple(given)}, and "
                f"its base has {tuple(has)}; they do not belong together"
            )

    def _matrices(self, pair: Mapping[str, Tensor], key: str) -> tuple[Tensor, Tensor]:
        """A and B of a layer."""
        kind = "embedding_" if "embedding_A" in pair else ""
        if {*pair} != {f"{kind}A", f"{kind}B"}:
            raise ModelError(
                f"adapter '{self._name}' has only one of the two matrices of '{key}'; save it again"
            )
        a, b = pair[f"{kind}A"], pair[f"{kind}B"]
        if a.ndim != 2 or b.ndim != 2 or a.shape[0] != b.shape[1]:
            raise ModelError(
                f"adapter '{self._name}' has matrices of shapes {tuple(b.shape)} and "
                f"{tuple(a.shape)} for '{key}', which have no product"
            )
        return a, b

    def _scale(self, module: str, rank: int) -> float:
        alpha = _of_pattern(self._config.get("alpha_pattern"), module)
        alpha = self._config.get("lora_alpha") if alpha is None else alpha
        if not isinstance(alpha, int | float) or isinstance(alpha, bool):
            raise ModelError(
                f"adapter '{self._name}': 'lora_alpha' (= {quoted(alpha)}) must be a number"
            )
        return alpha / (sqrt(rank) if self._config.get("use_rslora") else rank)


def _replaced(tensor: Tensor, _before: Tensor) -> Tensor:
    """A tensor that was trained as a whole."""
    return tensor


def _added(scale: float, a: Tensor, b: Tensor, before: Tensor, *, turned: bool) -> Tensor:
    """A tensor of the base with scale B A, (out, in) or turned, in FP32."""
    change = scale * (b.float() @ a.float())
    return before.float() + (change.T if turned else change)


def _of_pattern(patterns: Any, module: str) -> Any:
    """What an adapter says of layers whose names end so; None where it says nothing of one."""
    for pattern, value in patterns.items() if isinstance(patterns, dict) else ():
        try:
            if re.fullmatch(rf"(.*\.)?({pattern})", module):
                return value
        except re.error as error:
            raise ModelError(
                f"an adapter names layers by {quoted(pattern)}, which is no pattern: {error}"
            ) from error
    return None
