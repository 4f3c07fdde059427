"""The plan as a script of a page: configurations are read, counted and checked as here."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
import re
from collections import Counter
from collections.abc import Mapping
from importlib.resources import files

from energy.counts import Counts, Tally
from energy.formulas import Attention, Conventions
from hwmodels import Op
from hwmodels.errors import UserError
from hwmodels.plain import quoted
from neurt import families
from neurt.browser.program import Translation
from neurt.closed_form import expert_rows, passes, plan, plan_spiking
from neurt.families import declared
from neurt.families.labels import Names
from neurt.families.parameters import parameters
from neurt.loading.widths import of_config
from neurt.spiking.config import DeadZone, SpikingConfig


def _conversion(timesteps: int) -> SpikingConfig:
    """What a plan takes for the conversion of a model, in so many time steps."""
    return SpikingConfig(timesteps=timesteps, dead_zone=DeadZone.OUTPUT)


#: What pages call, by its name there.
_ROOTS = {
    "read_shape": families.read_shape,
    "parameters": parameters,
    "plan_asa": plan.plan_asa,
    "plan_ssa": plan_spiking.plan_ssa,
    "Pass": passes.Pass,
    "check_length": passes.check_length,
    "beyond": passes.beyond,
    "has_conversion": families.has_conversion,
    "not_converted": families.not_converted,
    "layout": families.layout,
    "conversion": _conversion,
    "Tally": Tally,
    "checkpoint": of_config,
    "Conventions": Conventions,
    "Attention": Attention,
    "Experts": families.Experts,
    "EXPERTS_ASSUMED": expert_rows.ASSUMED,
    "Op": Op,
}

#: What is written by hand in `python.js` and `builtins.js`, or is a part of JavaScript.
_BY_HAND: tuple[tuple[object, str], ...] = (
    (dataclasses.replace, "py.replace"),
    (functools.partial, "py.partial"),
    (functools.cache, "py.cache"),
    (itertools.count, "py.count"),
    (Counter, "py.Counter"),
    (Counts, "py.Counts"),
    (Mapping, "py.Mapping"),
    (math.expm1, "py.expm1"),
    (math.log1p, "py.log1p"),
    (math.ceil, "py.ceil"),
    (re.sub, "py.re_sub"),
    (re.compile, "py.re_compile"),
    (re.error, "SyntaxError"),
    (quoted, "py.quoted"),
    (UserError, "py.UserError"),
)

#: Scripts that the translated one needs, and those that need it, each in the order of their needs.
_BEFORE = ("python.js", "operators.js", "builtins.js")
_BEHIND = ("rows.js", "plan.js")


@functools.cache
def script() -> str:
    """The closed form of all families as one script, which makes `plan`.

    Raises:
        UntranslatedError: If the closed form has Python for which there is no translation.
    """
    program = Translation(_BY_HAND)
    # The names of layers that any model may have: the one object that keeps no declaration.
    program.write_as(declared._ANY, Names, declared.OWN)
    roots = {name: program.of(live) for name, live in _ROOTS.items()}
    exported = ", ".join(f"{name}: {text}" for name, text in roots.items())
    made = (
        f'const closed = (() => {{\n"use strict";\n{program.text()}return {{ {exported} }};\n}})();'
    )
    return "\n".join((*map(_written, _BEFORE), made, *map(_written, _BEHIND)))


def _written(name: str) -> str:
    return (files("neurt") / "browser" / name).read_text(encoding="utf-8")
