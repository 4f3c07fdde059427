"""All decoder classes of the installed transformers, counted by hooks and by torch's own counter.

The table of them stands in docs/results/decoders.md; `pytest --rewrite-golden` writes it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
import transformers
from decoders import model_of, tiny
from torch import Tensor
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, PreTrainedModel

from energy import Counts, UncountedOperation, count_pass, exposed_attention
from energy.meter.crosscheck import macs_by_torch
from neurt.closed_form.passes import PlanError
from neurt.loading.naming import naming
from neurt.measure.counting import check_cache
from neurt.measure.stages import cached

TABLE = Path(__file__).parents[3] / "docs/results/decoders.md"
#: Those of transformers; this package registers types of its own.
KINDS = sorted(
    kind.model_type
    for kind in MODEL_FOR_CAUSAL_LM_MAPPING
    if kind.__module__.startswith("transformers.")
)
#: Those of part 1 of what people run; the others take a minute.
COMMON = ["llama", "mistral", "gemma2", "mixtral", "gpt_oss", "falcon", "deepseek_v3", "mamba2"]
#: Tokens of a sequence; windows and chunks of the tiny models have 4.
TOKENS, BATCH = 11, 2
#: Parameters of a model that is tiny.
MOST = 4_000_000


class Found(NamedTuple):
    """What came of counting one decoder."""

    kind: str
    prefill: str
    decode: str
    apart: str  #: what of it no module multiplies


def run(model: PreTrainedModel, ids: Tensor, queries: int) -> Callable[[], Any]:
    """A prefill of all tokens, or a step of the last one behind a cache of the others."""
    if queries == TOKENS:
        return partial(model, input_ids=ids, use_cache=False)
    cache = cached(model)
    with torch.no_grad():
        model(input_ids=ids[:, :-queries], **cache)
    return partial(model, input_ids=ids[:, -queries:], **cache)


def counted(model: PreTrainedModel, call: Callable[[], Any]) -> Counts:
    with exposed_attention(model, partial=True):
        return count_pass(model, call, variant="asa", label=naming(model), loose=True)


def compare(model: PreTrainedModel, ids: Tensor, queries: int) -> tuple[str, str]:
    """Whether both counters see the same, and what of it no module multiplies."""
    if queries < TOKENS:
        try:
            check_cache(model, "it")
        except PlanError:
            return "refused: no key-value cache", ""
    try:
        counts = counted(model, run(model, ids, queries))
    except UncountedOperation as error:
        return f"refused: {str(error).splitlines()[0]}", ""
    theirs, ours, otherwise = macs_by_torch(model, run(model, ids, queries), counts)
    apart = {row.kind for row in counts.layers if ".(" in row.name}
    named = ["attention"] if "scores" in apart else []
    named += sorted(apart - {"scores", "softmax", "mix"})
    named += ["runs otherwise"] if otherwise else []
    return ("exact" if ours == theirs else f"differs: {ours} and {theirs}"), ", ".join(named)


def walk(kind: str) -> Found:
    try:
        config = tiny(kind)
        with torch.device("meta"):
            size = model_of(config).num_parameters()
        if size > MOST:
            return Found(kind, f"not tried: {size:,} parameters at the least", "not tried", "")
        model = model_of(config)
    # Whatever code of transformers raises without a size that it needs: the table says it, and the
    # golden file and the least number of exact classes notice one that is lost.
    except Exception as error:
        return Found(kind, f"not tried: {_line(error)}", "not tried", "")
    model.set_attn_implementation("eager")
    if getattr(model.config, "_experts_implementation", None) not in (None, "eager"):
        model.set_experts_implementation("eager")
    ids = torch.randint(3, 90, (BATCH, TOKENS), generator=torch.Generator().manual_seed(1))
    try:
        prefill, apart = compare(model, ids, TOKENS)
        decode, more = compare(model, ids, 1)
    except Exception as error:  # the same, of its forward
        return Found(kind, f"not tried: {_line(error)}", "not tried", "")
    return Found(kind, prefill, decode, apart or more)


def _line(error: Exception) -> str:
    words = " ".join(str(error).split()).partition(". ")[0]
    return f"{type(error).__name__}, {words[:90]}".replace("|", "/")


HEAD = """# Decoders of transformers

All {total} classes of causal language models of transformers {version}, each with a tiny random
configuration: a prefill of 11 tokens and a decode step at context 11 (2 sequences; windows and
chunks of 4 tokens). *Exact*: the MACs that hooks count are those of torch's FlopCounterMode on
eager attention and experts. {both} are exact in both; the others say why in a line.
`pytest --rewrite-golden tests/neurt/measure/test_decoders.py` writes this table.

*Outside of modules*: products that no module of a known kind multiplies, which are counted from
their operands ([method](../method/counting.md#architectures)): `attention` of the model's own, or
operations of torch. *Runs otherwise*: modules that are counted as what they do and not as
transformers runs it (the experts of Llama 4 on all tokens, a recurrence in chunks); their own
products are not compared.

| `model_type` | prefill | decode | outside of modules |
|---|---|---|---|
"""


def line(row: Found) -> str:
    return f"| `{row.kind}` | {row.prefill} | {row.decode} | {row.apart} |\n"


def table(lines: list[str]) -> str:
    both = sum("| exact | exact |" in row for row in lines)
    head = HEAD.format(total=len(lines), version=transformers.__version__, both=both)
    return head + "".join(lines)


def written() -> list[str]:
    """The lines of decoders in the table as it stands in the docs."""
    rows = TABLE.read_text(encoding="utf-8").splitlines(keepends=True)
    return rows[rows.index("|---|---|---|---|\n") + 1 :]


@pytest.mark.parametrize("kind", COMMON)
def test_a_common_decoder_is_exact(kind: str) -> None:
    found = walk(kind)
    assert (found.prefill, found.decode) == ("exact", "exact")


def test_the_table_has_all_decoders_and_says_how_many_are_exact(
    request: pytest.FixtureRequest,
) -> None:
    if request.config.getoption("--rewrite-golden"):
        TABLE.write_text(table([line(walk(kind)) for kind in KINDS]), encoding="utf-8")
    lines = written()
    assert TABLE.read_text(encoding="utf-8") == table(lines)
    assert [row.split("`")[1] for row in lines] == KINDS
    assert sum("| exact | exact |" in row for row in lines) >= 160
    assert [row for row in lines if "differs" in row] == []


# One test each, so that several workers share them.
@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_decoder_is_counted_as_the_table_says(kind: str) -> None:
    assert line(walk(kind)) in written()


def test_torch_sees_the_whole_prefill() -> None:
    model = model_of(tiny("llama"))
    ids = torch.arange(22).reshape(2, 11)
    call = run(model, ids, TOKENS)
    counts = counted(model, call)
    assert macs_by_torch(model, call, counts) == (counts.dense_macs, counts.dense_macs, ())
