"""The table of a measured analog run, in closed form from shapes alone. No torch, no weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Unpack

from energy import formulas
from energy.counts import About, Counts, LayerCount, Tally
from energy.formulas import Conventions, nonlinear
from hwmodels import Op
from neurt.closed_form.analog_rows import analog_layer, norms_named
from neurt.closed_form.passes import Pass
from neurt.closed_form.row import Row
from neurt.families import Head, SelfAttention, Shape, layout, names_of


def plan_asa(
    shape: Shape,
    what: Pass,
    conventions: Conventions = Conventions(),  # noqa: B008 - frozen
    **about: Unpack[About],
) -> Counts:
    """Counts of the analog model."""
    kinds = {kind: analog_layer(shape, kind, what, conventions) for kind in set(shape.each)}
    layers = [kinds[kind] for kind in shape.each]
    return whole_model("asa", shape, what, lambda depth, _prefix: layers[depth], conventions, about)


def plan_passes(
    shape: Shape,
    passes: Iterable[Pass],
    phase: str,
    conventions: Conventions = Conventions(),  # noqa: B008 - frozen
    **about: Unpack[About],
) -> Counts:
    """Counts of the analog model in several passes, added up under one name.

    Layers that are alike are planned once for each pass, and written out when all are added.
    """
    kinds = tuple(dict.fromkeys(shape.each))
    small = replace(shape, layers=len(kinds), kinds=kinds)
    planned = (plan_asa(small, what, conventions, **about) for what in passes)
    counts = reduce(add, (replace(each, phase=phase) for each in planned))
    inside: dict[int | None, list[LayerCount]] = {}
    for row in counts.layers:
        inside.setdefault(row.label.depth, []).append(row)
    outside = inside.pop(None)
    first = counts.layers.index(inside[0][0])
    layers = (
        _moved(row, at, depth, shape)
        for depth, kind in enumerate(shape.each)
        for at in [kinds.index(kind)]
        for row in inside[at]
    )
    return replace(counts, layers=(*outside[:first], *layers, *outside[first:]))


def _moved(row: LayerCount, at: int, depth: int, shape: Shape) -> LayerCount:
    """A row of one layer as that of another one."""
    layers = layout(shape).layers
    name = f"{layers}.{depth}.{row.name.removeprefix(f'{layers}.{at}.')}"
    return replace(row, name=name, label=replace(row.label, depth=depth))


def whole_model(
    variant: str,
    shape: Shape,
    what: Pass,
    layer: Callable[[int, str], Sequence[Row]],
    conventions: Conventions,
    about: About,
    head: Sequence[Row] = (),
) -> Counts:
    """Counts of all layers.

    Args:
        layer: Gives the rows of a transformer layer by its place and by its name and a dot; a
            layer that runs twice has two of them.
        head: The language-model head where it is not the analog one.
    """
    family, rows = layout(shape), what.batch * what.queries
    into, out = _projections(shape, rows)
    prefixes = [f"{family.layers}.{depth}." for depth in range(shape.layers)]
    named = [
        *_embeddings(shape, what),
        *into,
        *(
            (prefix + name, kind, tally)
            for depth, prefix in enumerate(prefixes)
            for name, kind, tally in layer(depth, prefix)
        ),
        *norms_named(family.final_norm, shape, rows),
        *_positions_added(shape, what),
        *out,
        *(head or [_head(shape, rows)]),
    ]
    whole: About = {**about, "batch": what.batch}
    label = names_of(shape.model_type).label
    called: dict[str, list[Row]] = {}
    for row in named:
        called.setdefault(row[0], []).append(row)
    return Counts(
        variant,
        tuple(
            LayerCount(
                name,
                rows[0][1],
                label(name),
                what.repeats * len(rows),
                _times([tally for _, _, tally in rows], what.repeats),
            )
            for name, rows in called.items()
        ),
        phase=what.phase,
        tokens=what.tokens,
        attention=str(conventions.attention),
        **whole,
    )


def _head(shape: Shape, rows: int) -> Row:
    """What the model ends in, which transformers runs on every token."""
    tokens = shape.head is Head.TOKENS
    made = shape.vocabulary if tokens else shape.labels
    tally = formulas.linear(rows, shape.entries, made, bias=shape.head_bias)
    scores = {Head.TOKENS: "lm_head", Head.SEQUENCE: "score"}
    return scores.get(shape.head, layout(shape).token_scores), "Linear", tally


def _projections(shape: Shape, rows: int) -> tuple[list[Row], list[Row]]:
    """The layers between the table of tokens and the layers, and back before the head, if any."""
    names, width = layout(shape).projections, shape.width
    if names is None or not shape.table_width:
        return [], []
    into = formulas.linear(rows, shape.table_width, width, bias=False)
    out = formulas.linear(rows, width, shape.table_width, bias=False)
    return [(names[0], "Linear", into)], [(names[1], "Linear", out)]


def _positions_added(shape: Shape, what: Pass) -> list[Row]:
    """The addition of learned positions to the token embeddings, where there are any."""
    family, rows = layout(shape), what.batch * what.queries
    if len(family.embeddings) == 1:
        return []
    positions = rows if family.positions_by_sequence else what.queries
    tally = nonlinear.residual(rows * shape.width, positions * shape.width)
    return [(f"{family.layers.rpartition('.')[0]}.residual.0", "Residual", tally)]


def _embeddings(shape: Shape, what: Pass) -> list[Row]:
    """Look-ups of tokens, and of positions or of the angles of rotary ones."""
    family, rows = layout(shape), what.batch * what.queries
    # One look-up of positions serves the whole batch, unless each sequence has its own.
    positions = rows if family.positions_by_sequence else what.queries
    found = [
        (name, kind, formulas.embedding(positions, shape.width) if at else tokens)
        for tokens in [formulas.embedding(rows, shape.entries)]
        for at, (name, kind) in enumerate(family.embeddings)
    ]
    if family.embedding_scaled:
        name, kind, tally = found[0]
        found[0] = name, kind, tally._replace(ops={**tally.ops, Op.MUL: rows * shape.width})
    found += norms_named(family.embedding_norm, shape, rows)
    if family.angles is not None:
        angles = nonlinear.rotary_angles(positions, shape.rotary_width)
        kind = family.classes[shape.model_type] + family.rotary_class
        found += [(family.angles, kind, angles)] * _rotations(shape)
    return found


def _rotations(shape: Shape) -> int:
    """How many tables of angles a pass looks up."""
    if not layout(shape).angles_apart:
        return 1
    mixers = (kind.mixer for kind in shape.each)
    return len({mixer.window is None for mixer in mixers if isinstance(mixer, SelfAttention)})


def _times(tallies: Sequence[Tally], repeats: int) -> Tally:
    """What the calls of a layer in one pass do in so many of them."""
    tally = tallies[0] if len(tallies) == 1 else Tally.total(tallies)
    ops: dict[Op, float] = {op: n * repeats for op, n in tally.ops.items() if n}
    return tally._replace(
        ops=ops,
        dense_macs=tally.dense_macs * repeats,
        spikes=tally.spikes * repeats,
        slots=tally.slots * repeats,
    ).seen(*(n if n is None else n * repeats for n in tally.looked))
