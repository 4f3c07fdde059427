"""How a `config.json` is read: each value has its type and its bounds. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any, NamedTuple

from hwmodels.errors import UserError
from hwmodels.plain import quoted

#: The most transformer layers: the deepest published model has 1,000 (DeepNet, arXiv:2203.00555).
MAX_LAYERS = 1_000
#: The largest of the other sizes, a hundred times what any model has.
MAX_SIZE = 1_000_000_000


#: What a `config.json` may hold that makes transformers run code of others, ask for other packages
#: or open other files, beside what begins with two underscores. None of it describes a decoder.
UNREAD = frozenset(
    (
        *("auto_map", "custom_code", "custom_generate", "custom_pipelines", "trust_remote_code"),
        *("attn_implementation", "_attn_implementation", "_attn_implementation_internal"),
        *("experts_implementation", "_experts_implementation", "_experts_implementation_internal"),
        *("quantization_config", "compression_config", "fusion_config", "distributed_config"),
        *("transformers_weights", "extra_files", "use_kernels", "kernel_config", "gguf_file"),
        *("name_or_path", "_name_or_path", "_commit_hash", "dtype", "torch_dtype"),
    )
)


class ShapeError(UserError, ValueError):
    """A configuration that is of no known family, or whose sizes are impossible."""


class ContradictionError(ShapeError):
    """A configuration that gives one size twice, and differently."""


class Config(NamedTuple):
    """A `config.json` that is being read. Nothing in it is taken for something that it is not."""

    content: Mapping[str, Any]  #: what it holds
    name: str  #: what to call the model in an error message

    def size(self, key: str, default: int | None = None, *, largest: int = MAX_SIZE) -> int:
        """An integer from 1 to `largest`, the default where it is absent or null; else ShapeError.

        A boolean, a fraction or a number in quotation marks is none.
        """
        value = self.content.get(key)
        if value is None:
            value = default
        if type(value) is not int or value < 1:
            raise self.wrong(key, value, "must be an integer >= 1")
        if value > largest:
            raise self.wrong(key, value, f"must be at most {largest:,}; no model has more")
        return value

    def layers(self, key: str) -> int:
        """The number of transformer layers; raises ShapeError unless it is 1 to `MAX_LAYERS`."""
        return self.size(key, largest=MAX_LAYERS)

    def check_synonyms(self, names: Mapping[str, str]) -> None:
        """Raise ContradictionError if a key and another name of it have different values.

        Args:
            names: The keys, each with its other name, which transformers reads too.
        """
        for key, other in names.items():
            values = self.content.get(key), self.content.get(other)
            if None not in values and values[0] != values[1]:
                raise ContradictionError(
                    f"model '{self.name}': '{key}' (= {quoted(values[0])}) and '{other}' "
                    f"(= {quoted(values[1])}) are one size; keep one of them"
                )

    def multiple(self, key: str, of: str, default: int | None = None) -> tuple[int, int]:
        """Two sizes; ShapeError unless the first is a multiple of the second (or `default`)."""
        whole, part = self.size(key), self.size(of, default)
        if whole % part:
            raise ShapeError(
                f"model '{self.name}': '{key}' (= {whole}) must be divisible by '{of}' (= {part})"
            )
        return whole, part

    def require(self, key: str, *allowed: object) -> Any:
        """One of the values that have a counting rule, the first where absent; else ShapeError."""
        value = self.content.get(key, allowed[0])
        if not any(type(value) is type(known) and value == known for known in allowed):
            known = ", ".join(repr(value) for value in allowed)
            raise self.wrong(key, value, f"has no counting rule; supported: {known}")
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """Whether something is there; ShapeError unless it is true or false.

        What is absent is the default, and what is null is false, as in transformers; null where the
        default is true can mean either, and is refused.
        """
        value = self.content.get(key, default)
        if value is None and not default:
            return False
        if not isinstance(value, bool):
            raise self.wrong(key, value, "must be true or false, without quotation marks")
        return value

    def check_positive(self, key: str, value: object) -> None:
        """Raise ShapeError unless a value is null or a finite number > 0."""
        if value is None:
            return
        if isinstance(value, bool) or not (isinstance(value, (int, float)) and 0 < value < inf):
            raise self.wrong(key, value, "must be a number > 0")

    def wrong(self, key: str, value: object, rule: str) -> ShapeError:
        """The error about a value that breaks a rule."""
        return ShapeError(f"model '{self.name}': '{key}' (= {quoted(value)}) {rule}")
