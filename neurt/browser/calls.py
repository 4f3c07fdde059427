"""Calls of Python as calls of JavaScript, whose arguments have places and no names."""

from __future__ import annotations

import ast
import json
from typing import Any

from neurt.browser.expressions import Expressions
from neurt.browser.names import safe

#: Methods of texts and lists, which are no objects of ours.
_PLAIN = frozenset(
    [
        "append",
        "endswith",
        "format",
        "isdecimal",
        "join",
        "lower",
        "partition",
        "removeprefix",
        "rpartition",
        "split",
        "startswith",
        "get",
        "items",
        "keys",
        "values",
        "setdefault",
        "update",
        "pop",
    ]
)


class Calls(Expressions):
    """Translates calls, beside other expressions."""

    def _call(self, node: ast.Call) -> str:
        live = self.live(node.func)
        if isinstance(node.func, ast.Attribute):
            special = self._special(node, node.func)
            if special is not None:
                return special
        named = {word.arg: self.text(word.value) for word in node.keywords if word.arg}
        spread = [self.text(word.value) for word in node.keywords if word.arg is None]
        given = [self.text(one) for one in node.args]
        starred = any(isinstance(one, ast.Starred) for one in node.args)
        places = None if live is None or spread else self.program.positions(live)
        if places is not None and not (starred and named):
            return self._placed(node, live, given, named, places)
        new = "new " if isinstance(live, type) and places is not None else ""
        if not named and not spread:
            return f"{new}{self._callee(node.func)}({', '.join(given)})"
        words = ", ".join(f"[{json.dumps(name)}, {text}]" for name, text in named.items())
        pairs = [f"...py.pairs({one})" for one in spread]
        every = f"[{', '.join(filter(None, (words, *pairs)))}]"
        if isinstance(node.func, ast.Attribute) and live is None:
            owner, name = self.text(node.func.value), json.dumps(safe(node.func.attr))
            self.program.attributes.add(node.func.attr)
            return f"py.invoke({owner}, {name}, [{', '.join(given)}], {every})"
        return f"py.call({self.text(node.func)}, [{', '.join(given)}], {every})"

    def _callee(self, node: ast.expr) -> str:
        return self.text(node).removesuffix(".bind(self)")

    def _placed(
        self, node: ast.Call, live: Any, given: list[str], named: dict[str, str], places: list[str]
    ) -> str:
        """A call of what is known when the page is made: each argument goes to its place."""
        if unknown := named.keys() - set(places):
            raise self.fail(node, f"a call with {', '.join(unknown)}")
        last = max((places.index(name) + 1 for name in named), default=len(given))
        rest = [named.get(name, "undefined") for name in places[len(given) : last]]
        new = "new " if isinstance(live, type) else ""
        return f"{new}{self.text(node.func)}({', '.join((*given, *rest))})"

    def _special(self, node: ast.Call, func: ast.Attribute) -> str | None:
        """Methods of what is no object of ours; None for others."""
        owner, name = func.value, func.attr
        given = ", ".join(map(self.text, node.args))
        if self.live(owner) is object and name == "__setattr__":
            return f"py.assign({given})"
        if self.live(owner) is dict and name == "fromkeys":
            return f"py.fromkeys({given})"
        if name == "format" and node.keywords:
            words = ", ".join(f"{x.arg}: {self.text(x.value)}" for x in node.keywords if x.arg)
            return f"py.filled({self.text(owner)}, {{ {words} }})"
        if name == "_replace":
            return self._replaced(node, self.text(owner))
        if name in _PLAIN and self.live(func) is None and not node.keywords:
            return f"py.method.{name}({self.text(owner)}{', ' if given else ''}{given})"
        return None

    def _replaced(self, node: ast.Call, owner: str) -> str:
        words = ", ".join(f"[{json.dumps(x.arg)}, {self.text(x.value)}]" for x in node.keywords)
        return f"py.replaced({owner}, [{words}])"
