"""Prices computed by hwcomponents: SRAM, DRAM, adders of CACTI, Aladdin, NeuroSim and others.

`pip install "neurt-energy[components]"`, and the model packages (hwcomponents-cacti, ...) that
have the component. Energies are joules per action there and picojoules here.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from hwmodels.errors import UserError
from hwmodels.prices import Evidence, MemoryLevel, Price

PJ_PER_JOULE = 1e12


class ComponentError(UserError, ValueError):
    """A component that hwcomponents does not have, or has no energy for."""


def component_price(
    component: str | Callable[..., Any],
    attributes: Mapping[str, Any],
    action: str,
    *,
    evidence: Evidence = Evidence.SIMULATED,
    note: str = "",
    **arguments: Any,
) -> Price:
    """The energy of one action of a component.

    Args:
        component: Name in hwcomponents ("IntAdder"), or a model class.
        attributes: What the component is made with, for example width and tech_node.
        action: What it does once, for example "add".
        evidence: How the model obtained its energies; "derived" where it scales published ones.
        note: What a reader must know to use the price.
        **arguments: Arguments of the action.

    Raises:
        ComponentError: If hwcomponents is missing, or has no energy for it.
    """
    model = _model(component, attributes)
    return Price(
        pj=_picojoules(model, action, arguments),
        source=_citation(model, attributes, {action: arguments}),
        evidence=evidence,
        note=note,
    )


def component_level(
    component: str | Callable[..., Any],
    attributes: Mapping[str, Any],
    *,
    access_bits: int | None = None,
    capacity_bytes: int | None = None,
    evidence: Evidence = Evidence.SIMULATED,
    note: str = "",
) -> MemoryLevel:
    """The memory level that a component with the actions "read" and "write" makes.

    Arguments and errors as of `component_price`, and:

    Args:
        access_bits: Bits of one read or write, where the model has accesses of one width only;
            None asks it for the energy of 8 bits.
        capacity_bytes: How much fits; None where that is no limit.
    """
    model = _model(component, attributes)
    arguments = {"bits_per_action": 8} if access_bits is None else {}
    accesses_per_byte = 1 if access_bits is None else 8 / access_bits
    read, write = (
        _picojoules(model, action, arguments) * accesses_per_byte for action in ("read", "write")
    )
    return MemoryLevel(
        read_pj_per_byte=read,
        write_pj_per_byte=write,
        capacity_bytes=capacity_bytes,
        source=_citation(model, attributes, {"read": arguments, "write": arguments}),
        evidence=evidence,
        note=note,
    )


def _model(component: str | Callable[..., Any], attributes: Mapping[str, Any]) -> Any:
    try:
        if not isinstance(component, str):
            return component(**attributes)
        return importlib.import_module("hwcomponents").get_model(component, dict(attributes))
    except (ImportError, SyntaxError) as error:  # its syntax is that of Python 3.12
        raise ComponentError(
            f"component '{component}' needs the package hwcomponents, which failed to import "
            f'({error}); pip install "neurt-energy[components]" with Python 3.12 or later'
        ) from error
    except Exception as error:  # models of many authors: whatever they raise, name the component
        raise _failed(component, attributes, error) from error


def _picojoules(model: Any, action: str, arguments: Mapping[str, Any]) -> float:
    try:
        joules = float(getattr(model, action)(**arguments).energy)
    except Exception as error:
        raise _failed(type(model), {action: dict(arguments)}, error) from error
    if not (math.isfinite(joules) and joules >= 0):
        raise ComponentError(
            f"component '{type(model).__name__}' has an energy of {joules} J for '{action}'; it "
            "must be finite and not negative"
        )
    return joules * PJ_PER_JOULE


def _failed(component: object, given: object, error: Exception) -> ComponentError:
    name = getattr(component, "__name__", component)
    said = " ".join(str(error).split())
    return ComponentError(
        f"component '{name}' with {given} has no energy: {type(error).__name__}: {said[:160]}"
    )


def _citation(model: Any, attributes: Mapping[str, Any], actions: Mapping[str, Any]) -> str:
    package = type(model).__module__.partition(".")[0]
    versions = [
        f"{name} {release}" for name in ("hwcomponents", package) if (release := _version(name))
    ]
    made = ", ".join(f"{key}={value!r}" for key, value in attributes.items())
    done = ", ".join(
        f"{action}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"
        for action, arguments in actions.items()
    )
    where = " with ".join(dict.fromkeys(versions)) or package
    return f"{where}, {type(model).__name__}({made}), {done}"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
