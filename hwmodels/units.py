"""Numbers with a unit, as a data sheet prints them: "81e-12 J", "512 pJ / 64 bit", "0.9 pJ/SOP".

A plain number is in the unit that its key names. Only a string costs the import of pint.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache
from math import log10
from typing import TYPE_CHECKING, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core.core_schema import (
    CoreSchema,
    ValidatorFunctionWrapHandler,
    no_info_wrap_validator_function,
)

if TYPE_CHECKING:
    from pint import UnitRegistry

_NUMBER = r"[+-]?(?:[0-9]{1,30}\.?[0-9]{0,30}|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,3})?"
_NAME = r"[A-Za-zµμ]{1,30}(?:\s?(?:\^|\*\*)\s?-?[0-9])?"
#: Names of units joined by * and /. Narrower than what pint reads, which is arithmetic at will.
_UNIT = rf"(?:1?\s?/\s?)?{_NAME}(?:\s?[*/]\s?{_NAME}){{0,4}}"
#: An amount, and what it is for: `512 pJ / 64 bit`, `512 pJ per 64 bit`.
_QUANTITY = re.compile(
    rf"\s*({_NUMBER})\s*({_UNIT})(?:\s*(?:/|\bper\b)\s*({_NUMBER})\s*({_NAME}))?\s*"
)
#: What an energy is for, where that is an operation: `0.9 pJ/SOP`, `4.6 pJ per MAC`.
_EACH = re.compile(
    r"(?<=[A-Za-z0-9])\s*(?:/|\bper\b)\s*(?:1\s?)?([A-Za-z][A-Za-z_ ]{0,30}?)s?\s*\Z"
)
#: What an access of a memory is called; none of them says how many bits it has.
_ACCESSES = re.compile(r"(?i)(?:/|\bper\b)\s*(access|word|line|read|write|transaction)\b")


@dataclass(frozen=True)
class Quantity:
    """What a number of a profile measures."""

    unit: str  #: the unit that the key of a plain number names
    kind: str  #: the quantity in words, with an article
    example: str  #: a string that may be written
    #: a further unit that says the same, such as 1/s of what else is in bytes/s
    also: str = ""
    #: operations by which it may be divided, in small letters; which of them fit, its key says
    each: frozenset[str] = frozenset()

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of a string with a unit."""
        return {"type": "string", "pattern": r"^\s*[+-]?[\d.]", "examples": [self.example]}

    def read(self, value: Any) -> Any:
        """Turn a string with a unit into a number of this quantity's unit; pass on all else.

        Raises:
            ValueError: If a string is no number with a unit of this quantity.
        """
        return _amount(self, value) if isinstance(value, str) else value


def operation_of(text: str) -> str:
    """The operation that an energy is divided by, in small letters: `sop` of `0.9 pJ/SOP`."""
    found = _EACH.search(text)
    return "" if found is None else found[1].lower()


@lru_cache(maxsize=10_000)  # the precisions of a file repeat what it says
def _amount(quantity: Quantity, text: str) -> int | float:
    """The number of a text, in the unit of a quantity; errors as those of `Quantity.read`."""
    rule = f'must be a number, or {quantity.kind} with its unit such as "{quantity.example}"'
    if operation_of(text) in quantity.each:
        text = _EACH.sub("", text)
    elif (access := _ACCESSES.search(text)) is not None:
        raise ValueError(f"one {access[1]} may have any number of bits; it {rule}")
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(rule)
    number, unit, count, counted = match.groups()
    given = _with_unit(number, unit, rule)
    if count is not None:
        share = _with_unit(count, counted, rule)
        if share.magnitude <= 0:
            raise ValueError(rule)
        given = given / share
    wanted = quantity.unit
    if quantity.also and given.is_compatible_with(quantity.also):
        wanted = quantity.also
    if not given.is_compatible_with(wanted):
        raise ValueError(rule)
    amount: Decimal = given.to(wanted).magnitude
    whole = amount == amount.to_integral_value() and abs(amount) < 1 << 63
    if amount and not float(amount):  # 1e-400 is no zero
        raise ValueError(rule)
    return int(amount) if whole else float(amount)


def _with_unit(number: str, unit: str, rule: str) -> Any:
    """A number of a unit, as pint has it."""
    registry = _registry()
    try:
        parsed = registry.parse_units(f"1{unit}" if unit.startswith("/") else unit)
    except (AttributeError, ValueError) as error:  # not defined, or a number like "nan"
        raise ValueError(f"its unit '{unit}' is not known; it {rule}") from error
    return registry.Quantity(Decimal(number), parsed)


ENERGY = Quantity("pJ", "an energy", "0.9 pJ")
ENERGY_PER_BYTE = Quantity("pJ/byte", "an energy per byte", "512 pJ / 64 bit")
DATA = Quantity("bytes", "an amount of data", "1 MiB")
POWER = Quantity("W", "a power", "104 mW")
RATE = Quantity("1/s", "a rate", "1e12/s")
DATA_RATE = Quantity("bytes/s", "an amount of data per second", "34 GB/s", also="1/s")
LENGTH = Quantity("nm", "a length", "45 nm")


@dataclass(frozen=True)
class Magnitude:
    """Which numbers a field may hold: an annotation that pydantic asks for its rule and its schema.

    A number outside is a slip of the unit or of the keyboard, which a bill would carry on unseen.
    """

    low: float  #: the least
    high: float  #: the most
    quantity: Quantity | None = None  #: what it measures, where it may be written with a unit
    zero: bool = False  #: whether it may be zero as well, which is less than `low`
    #: units that such numbers are often given in: an error asks whether that was meant
    mistaken: tuple[str, ...] = ()

    def _check(self, value: Any, valid: ValidatorFunctionWrapHandler) -> Any:
        number = self.quantity.read(value) if self.quantity else value
        is_int = isinstance(number, int) and not isinstance(number, bool)
        # Looked at here first: a float cannot hold an integer of hundreds of digits.
        if not (is_int and not self._holds(number)) and self._holds(number := valid(number)):
            return number
        zero = "0, or " if self.zero else ""
        unit = f" {self.quantity.unit}" if self.quantity else ""
        meant = "" if isinstance(value, str) else self._meant(number)
        raise ValueError(f"must be {zero}from {self.low:g} to {self.high:g}{unit}{meant}")

    def _holds(self, number: float) -> bool:
        return self.low <= number <= self.high or (self.zero and not number)

    def _meant(self, number: float) -> str:
        """The question whether a plain number is in another unit than the key names."""
        if self.quantity is None or not 0 < number < 1e30:
            return ""
        read = ((self.quantity.read(f"{number!r} {unit}"), unit) for unit in self.mistaken)
        fit = [(amount, unit) for amount, unit in read if self._holds(amount)]
        if not fit:
            return ""
        amount, unit = min(fit, key=lambda one: abs(log10(one[0])))  # the most usual
        return f"; did you mean {amount:g} {self.quantity.unit}, which is {number:g} {unit}?"

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """The rule, around that of the type."""
        return no_info_wrap_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """The JSON Schema, for editors."""
        number = handler(schema) | {"minimum": self.low, "maximum": self.high}
        zero = [{"const": 0}] if self.zero else []
        text = [self.quantity.schema] if self.quantity else []
        return {"anyOf": [number, *zero, *text]} if zero or text else number


@cache
def _registry() -> UnitRegistry[Any]:
    from pint import UnitRegistry

    # Decimal: 81e-12 J is 81 pJ, not 81.00000000000001. Not pint's own list of units: there, a
    # bit is a pure number, by which a price per bit would pass for one per operation.
    registry: UnitRegistry[Any] = UnitRegistry(None, non_int_type=Decimal)
    registry.load_definitions(_DEFINITIONS.splitlines())
    return registry


_DEFINITIONS = """\
femto- = 1e-15 = f-
pico- = 1e-12 = p-
nano- = 1e-9 = n-
micro- = 1e-6 = µ- = μ- = u-
milli- = 1e-3 = m-
kilo- = 1e3 = k-
mega- = 1e6 = M-
giga- = 1e9 = G-
tera- = 1e12 = T-
peta- = 1e15 = P-
kibi- = 1024 = Ki-
mebi- = 1048576 = Mi-
gibi- = 1073741824 = Gi-
meter = [length] = m = metre
second = [time] = s
joule = [energy] = J
watt = joule / second = W
hour = 3600 * second = h
bit = [information]
byte = 8 * bit = B
hertz = 1 / second = Hz
"""
