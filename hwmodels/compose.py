"""A profile made of another: what a file that says `extends`, or one of its precisions, changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from hwmodels.given import check_kind
from hwmodels.ops import Buffer, Op
from hwmodels.prices import Price, Record
from hwmodels.profile import HardwareProfile, ProfileError

#: Keys of a file that say how it is composed; they are not part of the profile.
DIRECTIVES = ("extends", "precisions", "unpriced")

#: Tables of named entries. Entries are replaced one by one and whole: half of a price with half of
#: another's citation would be a number that nobody printed.
TABLES = ("prices", "memory", "placement", "included", "throughput", "bandwidth", "widths")

_CITED_TABLES = ("prices", "memory", "throughput", "bandwidth")
_CITED_RECORDS = ("static_power", "core", "delivery")


class Whole(NamedTuple):
    """A profile that is composed, not yet validated."""

    table: dict[str, Any]
    #: prices of arithmetic that were taken over from another precision, and from which
    foreign: Mapping[str, str] = MappingProxyType({})
    #: who said each key, entries of tables (`prices.mac`) one by one: a file, or one of its
    #: precisions
    origins: Mapping[str, str] = MappingProxyType({})

    def overlaid(self, change: Mapping[str, Any], *, name: str, onto: str) -> Whole:
        """The same with a partial profile laid over it; errors as those of `overlay`."""
        table, said = overlay(self.table, change, name=name, onto=onto), set(_keys_of(change))
        origins = {
            key: name if key in said else self.origins.get(key, name) for key in _keys_of(table)
        }
        old, new = self.table.get("prices"), table.get("prices")
        if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
            return Whole(table, {}, origins)
        before = str(self.table.get("precision"))  # not yet validated
        kept = {
            op: self.foreign.get(op, before)
            for op in new
            if old.get(op) is new[op] and op in list(Op) and Op(op).group != "routing"
        }
        foreign = {op: of for op, of in kept.items() if of != table.get("precision")}
        return Whole(table, foreign, origins)


def _keys_of(table: Mapping[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        if key in TABLES and isinstance(value, Mapping):
            yield from (f"{key}.{entry}" for entry in value)
        elif key not in DIRECTIVES:
            yield key


def overlay(
    base: Mapping[str, Any], change: Mapping[str, Any], *, name: str, onto: str
) -> dict[str, Any]:
    """Lay a partial profile over a whole one.

    Entries of tables and all other keys are replaced whole, assumptions are appended, `unpriced`
    takes prices out, and an operation that the change prices is no longer included, or the other
    way round. The result still has to be validated.

    Error messages call the change `name`, and the base `onto`.

    Raises:
        ProfileError: If the change replaces a number without a citation of its own, or contradicts
            itself in what it leaves unpriced.
    """
    replaceable = dict(_cited(base))
    for key, record in _cited(change):
        lacks = [f"'{part}'" for part in ("source", "evidence") if part not in record]
        if lacks and key in replaceable:
            raise ProfileError(
                f"hardware profile '{name}': {key} replaces that of '{onto}' whole, so it must "
                f"bring its own {' and '.join(lacks)}"
            )
    whole = _without(base, change, name)
    for key, value in change.items():
        if key in DIRECTIVES:
            continue
        if key in TABLES and isinstance(value, Mapping) and isinstance(whole.get(key), dict):
            whole[key] |= value
        elif key == "assumptions" and isinstance(value, list | tuple):
            whole[key] = [*whole.get(key, ()), *value]
        else:
            whole[key] = value
    return whole


def with_prices(
    profile: HardwareProfile, prices: Mapping[Op, Price], *, name: str, **others: Any
) -> HardwareProfile:
    """A profile with other prices: what a plug-in returns that computes them.

    The prices replace those of `profile` or are added to them. `others` are other fields: tables
    are laid over those of `profile`, assumptions are appended.

    Raises:
        pydantic.ValidationError: If the result is not a valid profile.
    """
    check_kind("profile", profile, HardwareProfile, "`load_profile` makes one of a name or a file")
    check_kind("prices", prices, Mapping, "give a `Price` by its operation")
    change = {"title": derived_title(profile.title, name), **others, "name": name}
    change = {key: _plain(value) for key, value in change.items()} | {"prices": _plain(prices)}
    whole = overlay(as_table(profile), change, name=name, onto=profile.name)
    return HardwareProfile.model_validate(whole)


def derived_title(title: object, name: str) -> str:
    """The title of a profile that has none of its own."""
    return f"{title}, changed by {name}"


def as_table(profile: HardwareProfile) -> dict[str, Any]:
    """A profile as TOML would have it, without what is at its default."""
    return dict(_plain(profile))


def _plain(value: Any) -> Any:
    # Records become tables, so that a price made without validation is validated after all.
    if isinstance(value, Record):
        return value.model_dump(mode="json", exclude_defaults=True, warnings=False)
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value


def _cited(table: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for outer in _CITED_TABLES:
        entries = table.get(outer)
        if isinstance(entries, Mapping):
            for key, record in entries.items():
                if isinstance(record, Mapping):
                    yield f"{outer}.{key}", record
    for key in _CITED_RECORDS:
        if isinstance(record := table.get(key), Mapping):
            yield key, record


def _without(base: Mapping[str, Any], change: Mapping[str, Any], name: str) -> dict[str, Any]:
    # The base without what the change prices in another way, or not at all.
    whole = {k: dict(v) if k in TABLES and isinstance(v, Mapping) else v for k, v in base.items()}
    for table, keys in _replaced(change, name).items():
        if isinstance(entries := whole.get(table), dict):
            whole[table] = {key: entry for key, entry in entries.items() if key not in keys}
    return whole


def _replaced(change: Mapping[str, Any], name: str) -> dict[str, set[str]]:
    """Keys of each table that the change prices in another way, or not at all."""
    prices, included, placement = (_keys(change, k) for k in ("prices", "included", "placement"))
    unpriced = _unpriced(change, name)
    for op in sorted(unpriced & (prices | included | placement)):
        raise ProfileError(
            f"hardware profile '{name}': '{op}' is unpriced and priced as well: keep one of the two"
        )
    paid = {op for op in Op if {op, op.buffer} & (prices | placement)}
    free = {b for b in Buffer if included.issuperset(op for op in Op if op.buffer is b)}
    dropped = {op for op in Op if unpriced & {op, op.buffer}}
    return {
        "prices": included | unpriced,
        "included": paid - included | dropped,
        "placement": free - placement | unpriced,
    }


def _keys(table: Mapping[str, Any], key: str) -> set[str]:
    return set(table[key]) if isinstance(table.get(key), Mapping) else set()


def _unpriced(change: Mapping[str, Any], name: str) -> set[str]:
    listed = change.get("unpriced", [])
    if not isinstance(listed, list) or not all(isinstance(entry, str) for entry in listed):
        raise ProfileError(
            f"hardware profile '{name}': key 'unpriced' (= {listed!r}) must be a list of "
            'operations and buffers, such as ["exp", "kv_cache"]'
        )
    for entry in listed:
        if entry not in (*Op, *Buffer):
            rule = f"neither an operation nor a buffer ({', '.join(Buffer)})"
        elif entry in list(Op) and (buffer := Op(entry).buffer) is not None:
            rule = f"memory traffic: name its buffer '{buffer}' instead"
        else:
            continue
        raise ProfileError(f"hardware profile '{name}': unpriced names '{entry}', which is {rule}")
    return set(listed)
