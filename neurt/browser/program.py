"""A program in JavaScript: what some functions of Python need, and nothing else.

Functions and classes are translated from their source. All other globals, such as the declarations
of families, are written as the values that they have in Python when the page is made.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import sys
import textwrap
from collections.abc import Iterable
from enum import Enum
from types import FunctionType, MappingProxyType, ModuleType
from typing import Any

from neurt.browser.expressions import defaults_of
from neurt.browser.live import called, fields_of, last_word, members_of, named, unwrapped
from neurt.browser.names import UntranslatedError, parameters, safe
from neurt.browser.statements import Statements


class Translation:
    """Collects what is needed, and writes it."""

    def __init__(self, instead: Iterable[tuple[object, str]]) -> None:
        """Begin without anything.

        Args:
            instead: What is written by hand, and its name in JavaScript.
        """
        self.attributes: set[str] = set()
        self._instead = {id(live): (live, text) for live, text in instead}
        self._names: dict[str, object] = {}
        self._functions: dict[str, str] = {}
        self._classes: dict[str, type] = {}
        self._methods: dict[str, dict[str, str]] = {}
        self._enums: dict[str, type[Enum]] = {}
        self._constants: dict[int, tuple[object, str]] = {}
        self._written: dict[str, str] = {}
        self._last: dict[str, str] = {}

    # What a name stands for ------------------------------------------------------------------

    def reference(self, module: ModuleType, name: str) -> str:
        """The JavaScript of a global of a module."""
        return self.of(getattr(module, name), f"{last_word(module.__name__)}${name}")

    def of_module(self, module: ModuleType, attribute: str) -> str:
        """The JavaScript of what a module has under a name."""
        return self.reference(module, attribute)

    def of(self, live: object, name: str = "") -> str:
        """The JavaScript of a value; a constant that has a name is written once."""
        if id(live) in self._instead:
            return self._instead[id(live)][1]
        if isinstance(live, type):
            return self._enum(live) if issubclass(live, Enum) else self._class(live)
        if isinstance(inspect.unwrap(live), FunctionType):  # type: ignore[arg-type]
            return self._function(live)
        if not name or live is None or isinstance(live, (bool, int, float, str, Enum)):
            return self._literal(live)
        if id(live) not in self._constants:
            text = self._literal(live)
            self._constants[id(live)] = live, self._own(name, live)
            self._written[self._constants[id(live)][1]] = text
        return self._constants[id(live)][1]

    def _own(self, name: str, live: object) -> str:
        if self._names.setdefault(name, live) is not live:
            return self._own(f"{name}_", live)
        return name

    def _literal(self, live: Any) -> str:
        if isinstance(live, Enum):
            return f"{self._enum(type(live))}.{live.name}"
        if live is None or isinstance(live, (bool, int, str)):
            return json.dumps(live)
        if isinstance(live, float):
            return json.dumps(live)
        if dataclasses.is_dataclass(live) and not isinstance(live, type):
            given = [getattr(live, each.name) for each in dataclasses.fields(live)]
            return f"new {self.of(type(live))}({', '.join(map(self.of, given))})"
        if isinstance(live, tuple) and hasattr(live, "_fields"):
            return f"new {self.of(type(live))}({', '.join(map(self.of, live))})"
        if isinstance(live, (tuple, list)):
            return f"[{', '.join(map(self.of, live))}]"
        if isinstance(live, (dict, MappingProxyType)):
            pairs = [f"[{self.of(key)}, {self.of(value)}]" for key, value in live.items()]
            return f"new py.Dict([{', '.join(pairs)}])"
        if isinstance(live, (set, frozenset)):
            return f"py.set([{', '.join(sorted(map(self.of, live)))}])"
        raise UntranslatedError(
            f"the page of configurations cannot hold a {type(live).__name__}; write it otherwise, "
            "or teach neurt/browser"
        )

    def positions(self, live: object) -> list[str] | None:
        """Names of the parameters of a function or class in their order; None where it has none."""
        if id(live) in self._instead or (isinstance(live, type) and issubclass(live, Enum)):
            return None
        if isinstance(live, type):
            if live.__module__ == "builtins":
                return None
            if issubclass(live, Exception):
                return ["message"]
            return [*fields_of(live)] or named(vars(live)["__init__"])[1:]
        inner = inspect.unwrap(live)  # type: ignore[arg-type]
        return named(inner) if isinstance(inner, FunctionType) else None

    def write_as(self, live: object, kind: type, *given: object) -> None:
        """Write an object that keeps nothing of what it was made of as what made it."""
        name = self._own(f"{called(kind)}$made", live)
        self._constants[id(live)] = live, name
        self._last[name] = f"new {self.of(kind)}({', '.join(map(self.of, given))})"

    # What is needed ---------------------------------------------------------------------------

    def _function(self, live: Any) -> str:
        inner = inspect.unwrap(live)
        name = self._own(f"{last_word(inner.__module__)}${inner.__qualname__}", inner)
        if name not in self._functions:
            self._functions[name] = ""  # it may call itself
            shown, body = self._translated(inner)
            text = f"function {name}({shown}) {body}\npy.named({json.dumps(named(inner))}, {name});"
            if live is not inner:
                text = text.replace(f"function {name}(", f"function {name}$(", 1)
                text = text.replace(
                    f", {name});", f", {name}$);\nconst {name} = py.cache({name}$);"
                )
            self._functions[name] = text
        return name

    def _translated(self, function: FunctionType, owner: type | None = None) -> tuple[str, str]:
        """Parameters and body of a function."""
        lines, first = inspect.getsourcelines(function)
        module = ast.parse(textwrap.dedent("".join(lines)))
        [source] = ast.increment_lineno(module, first - 1).body
        if not isinstance(source, ast.FunctionDef):
            raise UntranslatedError(f"{function.__qualname__} is no function; name it with def")
        names = named(function)
        scope = Statements(self, sys.modules[function.__module__], set(), owner)
        defaults = defaults_of(source.args, scope)
        body = scope.body(source, set(names))
        if owner:
            body = "{ const self = this; " + body.removeprefix("{")
        shown = parameters(names[1:] if owner else names, defaults)
        many = source.args.vararg
        if many is not None:
            if names[-1] != many.arg:
                raise scope.fail(source, f"parameters behind *{many.arg}")
            shown = f"{shown.removesuffix(many.arg)}...{many.arg}"
        return shown, body

    def _class(self, live: type) -> str:
        name = self._own(f"{last_word(live.__module__)}${live.__qualname__}", live)
        if name not in self._classes:
            for base in live.__bases__:
                if base.__module__.partition(".")[0] in ("neurt", "energy"):
                    self._class(base)
            self._classes[name] = live
            self._methods[name] = {}
        return name

    def _enum(self, live: type[Enum]) -> str:
        name = self._own(f"{last_word(live.__module__)}${live.__qualname__}", live)
        self._enums[name] = live
        return name

    # What is written --------------------------------------------------------------------------

    def text(self) -> str:
        """The whole program."""
        before = -1
        attached: dict[str, list[str]] = {}
        while before != (before := self._size()):
            for name, live in [*self._classes.items()]:
                self._add_methods(name, live)
            attached = {name: self._attached(name, live) for name, live in [*self._enums.items()]}
            classes = {name: self._class_text(name, x) for name, x in [*self._classes.items()]}
        return "\n".join(
            (
                *(f"const {name} = {members_of(live)};" for name, live in self._enums.items()),
                *(line for lines in attached.values() for line in lines),
                *classes.values(),
                *self._functions.values(),
                *(f"const {name} = {text};" for name, text in (self._written | self._last).items()),
                "",
            )
        )

    def _size(self) -> int:
        methods = sum(map(len, self._methods.values()))
        return methods + len(self._names) + len(self.attributes)

    def _add_methods(self, name: str, live: type) -> None:
        for key, member in [*vars(live).items()]:
            used = key in self.attributes or key in ("__post_init__", "__init__")
            if not used or key in self._methods[name]:
                continue
            kind, function = unwrapped(member)
            if function is None:
                continue
            shown, body = self._translated(function, None if kind == "static" else live)
            written = safe(key)
            if key == "__init__":
                written, body = "constructor", body.replace("{", "{ super();", 1)
            self._methods[name][key] = f"{kind} {written}({shown}) {body}".lstrip()

    def _class_text(self, name: str, live: type) -> str:
        bases = [base for base in live.__bases__ if self._names.get(called(base)) is base]
        is_error = issubclass(live, Exception)
        base = called(bases[0]) if bases else "py.UserError" if is_error else "py.Record"
        fields, inherited = fields_of(live), fields_of(bases[0]) if bases else {}
        methods = [*self._methods[name].values()]
        own = fields.keys() - inherited.keys()
        if own:
            defaults = {key: self.of(x[0]) for key, x in fields.items() if x}
            lines = [f"super({', '.join(map(safe, inherited))});"]
            lines += [f"this.{safe(key)} = {safe(key)};" for key in fields if key in own]
            lines += ["this.__post_init__();"] if hasattr(live, "__post_init__") else []
            shown = parameters([*fields], defaults)
            methods.insert(0, f"constructor({shown}) {{ {' '.join(lines)} }}")
        known = {
            key: named(member)[1:]
            for key, member in vars(live).items()
            if isinstance(member, FunctionType) and key in self._methods[name]
        }
        said = json.dumps(live.__name__), json.dumps([*fields]), json.dumps(known)
        inside = "\n".join(methods)
        return (
            f"class {name} extends {base} {{ {inside} }}\npy.described({name}, {', '.join(said)});"
        )

    def _attached(self, name: str, live: type[Enum]) -> list[str]:
        """What members of an enumeration have beside their values."""
        properties = {
            key for one in live.__mro__ for key, x in vars(one).items() if isinstance(x, property)
        }
        lines = []
        for member in live:
            keys = (properties | vars(member).keys()) & self.attributes - {"value", "name"}
            parts = [f"{key}: {self.of(getattr(member, key))}" for key in sorted(keys)]
            if parts:
                lines.append(f"Object.assign({name}.{member.name}, {{ {', '.join(parts)} }});")
        return lines
