"""Energies of one operation with that operation in their unit: "0.9 pJ/SOP", "4.6 pJ per MAC"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hwmodels.ops import Op
from hwmodels.plain import quoted
from hwmodels.units import Quantity, operation_of

_EVENTS = (Op.AC, Op.SHIFT_AC)
_ANY = tuple(op for op in Op if op.buffer is None and op is not Op.DELIVERY)

#: What papers call an operation, in small letters without a plural s, and what may be meant. No
#: FLOP is among them: a multiply-accumulate is one to some and two to others.
EACH: Mapping[str, tuple[Op, ...]] = {op.value: (op,) for op in _ANY} | {
    "op": _ANY,
    "operation": _ANY,
    "multiply accumulate": (Op.MAC,),
    "accumulate": _EVENTS,
    "sop": _EVENTS,
    "synop": _EVENTS,
    "synaptic operation": _EVENTS,
    "synaptic event": _EVENTS,
    "event": _EVENTS,
    "update": (Op.NEURON_UPDATE,),
    "neuron update": (Op.NEURON_UPDATE,),
    "neuron": (Op.NEURON_UPDATE,),
    "hop": (Op.SPIKE_HOP,),
    "spike hop": (Op.SPIKE_HOP,),
    "addition": (Op.ADD, Op.NEURON_ADD),
    "multiplication": (Op.MUL, Op.NEURON_MUL),
    "multiply": (Op.MUL, Op.NEURON_MUL),
    "division": (Op.DIV,),
    "comparison": (Op.CMP, Op.NEURON_CMP),
    "add": (Op.ADD, Op.NEURON_ADD),
    "mul": (Op.MUL, Op.NEURON_MUL),
    "cmp": (Op.CMP, Op.NEURON_CMP),
}

#: The energy of an operation.
ENERGY_EACH = Quantity("pJ", "an energy", "0.9 pJ", each=frozenset(EACH))


def energy_of(op: Op, text: str) -> float:
    """The picojoules of an energy with its unit, as `0.9 pJ/SOP`.

    Raises:
        ValueError: If it is none, or that of another operation.
    """
    if fault := _misfit(op, text):
        raise ValueError(fault)
    return float(ENERGY_EACH.read(text))


def check_units(table: Any) -> Any:
    """The table of a profile, not yet validated, as it is.

    Raises:
        ValueError: If the unit of a price names another operation than its key; a line for each.
    """
    prices = table.get("prices") if isinstance(table, Mapping) else None
    if isinstance(prices, Mapping) and (faults := [*_misfits(prices)]):
        raise ValueError("\n".join(faults))
    return table


def _misfits(prices: Mapping[Any, Any]) -> Iterator[str]:
    for key, entry in prices.items():
        for where, text in _texts(entry):
            if key in list(Op) and (fault := _misfit(Op(key), text)):
                yield f"key 'prices.{key}.{where}' (= {quoted(text)}): {fault}"


def _misfit(op: Op, text: str) -> str:
    """Why a text is no energy of an operation, but of another one; empty if its unit fits."""
    named = EACH.get(operation_of(text), ())
    if not named or op in named:
        return ""
    return f"is the energy of another operation, {named[0]}; {op} is {op.definition}"


def _texts(entry: Any) -> Iterator[tuple[str, str]]:
    """The energies of a price that are texts, with where they stand."""
    if not isinstance(entry, Mapping):
        return
    others = entry.get("others", ())
    listed = others if isinstance(others, list | tuple) else ()
    pairs = [("pj", entry), *((f"others.{i}.pj", one) for i, one in enumerate(listed))]
    for where, one in pairs:
        if isinstance(one, Mapping) and isinstance(text := one.get("pj"), str):
            yield where, text
