from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from transformers import GPT2LMHeadModel

    from neurt.loading.models import LoadedModel


# Tables in a pipe are as wide as it says, and readline says it to what a shell of Python starts.
os.environ.pop("COLUMNS", None)

# A deadline measures wall time, which is that of whatever else the machine does.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite-golden", action="store_true", help="rewrite tests/golden")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Tests of the whole project are the longest: workers end together if those do not come last.
    items.sort(key=lambda item: item.path.parent != Path(__file__).parent)


@pytest.fixture
def sketched(monkeypatch: pytest.MonkeyPatch) -> None:
    # For tests of other files of a report: pictures are made, but only their titles are written,
    # for rendering takes half a second each.
    from reports.kit import style

    def write(figure: Figure, path: Path) -> None:
        [body] = figure.subfigs
        path.write_text(f"{figure.get_suptitle()}\n{body.get_suptitle()}", encoding="utf-8")

    monkeypatch.setattr(style, "save", write)


@pytest.fixture
def tiny_gpt2() -> GPT2LMHeadModel:
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(n_layer=2, n_embd=32, n_head=4, vocab_size=101, n_positions=64)
    return GPT2LMHeadModel(config).eval()


@pytest.fixture(scope="session")
def smollm2() -> LoadedModel:
    """A really pretrained model, of 135 million parameters. Nobody may change it."""
    from neurt.loading.gguf.header import GGUFError
    from neurt.loading.models import load_model
    from neurt.loading.source import SMOLLM2

    try:
        return load_model(SMOLLM2)
    except GGUFError as error:
        pytest.skip(str(error))
