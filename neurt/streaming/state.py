"""What a stream has done so far, on the disk: activations, and what each finished step found.

Each step is a directory that appears under its name when the step is finished, so that whoever is
killed loses the step that ran and no other.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from hwmodels.inputs import read_utf8
from reports.kit.files import OutputError, write_json

_KEY, _FACTS, _BEGUN = "request.json", "facts.json", ".begun"
_MOST_BYTES = 2**28


class Step:
    """A step of a stream that is being taken."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.facts: dict[str, Any] = {}  #: what it found, as JSON

    def put(self, name: str, **tensors: Tensor) -> None:
        """Keep tensors under a name."""
        whole = {key: x.detach().cpu().contiguous() for key, x in tensors.items()}
        with _written(self._directory):
            save_file(whole, self._directory / f"{name}.safetensors")


class StreamState:
    """The finished steps of one stream, in a directory of its own.

    Args:
        directory: Where they are.
        key: What decides them: those of another key are dropped.

    Attributes:
        dropped: Whether there were steps of another key.
    """

    def __init__(self, directory: Path, key: Mapping[str, object]) -> None:
        self._directory = directory
        asked = json.dumps(key, sort_keys=True)
        mark = directory / _KEY
        self.dropped = False
        if directory.exists():
            known = mark.is_file() and read_utf8(mark, f"'{mark}'", OutputError, _MOST_BYTES)
            self.dropped = bool(known) and json.loads(str(known)) != json.loads(asked)
            if not known or self.dropped:
                self.remove()
        with _written(directory):
            directory.mkdir(parents=True, exist_ok=True)
            for unfinished in directory.glob(f"*{_BEGUN}"):
                shutil.rmtree(unfinished)
        if not mark.exists():
            write_json(mark, json.loads(asked))

    def has(self, step: str) -> bool:
        """Whether a step is finished."""
        return (self._directory / step / _FACTS).is_file()

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Take a step, which is finished with the block.

        Raises:
            OutputError: If something cannot be written.
        """
        begun = self._directory / f"{name}{_BEGUN}"
        with _written(begun):
            begun.mkdir()
        step = Step(begun)
        yield step
        with _written(begun):
            write_json(begun / _FACTS, step.facts)
            begun.rename(self._directory / name)

    def get(self, step: str, name: str) -> dict[str, Tensor]:
        """Tensors of a finished step, mapped into memory."""
        return load_file(self._directory / step / f"{name}.safetensors")

    def facts(self, step: str) -> dict[str, Any]:
        """What a finished step found."""
        path = self._directory / step / _FACTS
        found: dict[str, Any] = json.loads(read_utf8(path, f"'{path}'", OutputError, _MOST_BYTES))
        return found

    def forget(self, step: str, name: str = "window-*") -> None:
        """Remove the tensors of a step that are needed no more; the step stays finished."""
        for path in (self._directory / step).glob(f"{name}.safetensors"):
            path.unlink()

    def remove(self) -> None:
        """Remove all of it.

        Raises:
            OutputError: If it cannot be removed.
        """
        with _written(self._directory):
            shutil.rmtree(self._directory)


def window(index: int) -> str:
    """The name under which what belongs to a window of text is kept."""
    return f"window-{index:06}"


@contextmanager
def _written(directory: Path) -> Iterator[None]:
    try:
        yield
    except OutputError:
        raise
    except (OSError, SafetensorError) as error:
        why = getattr(error, "strerror", None) or error
        raise OutputError(f"'{directory}' cannot be written: {why}") from error
