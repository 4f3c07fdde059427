"""Expressions of Python as JavaScript: the part of the language that the closed form is written in.

What is not known here is an error when a page is made, and never a guess.
"""

from __future__ import annotations

import ast
import builtins
import json
from types import FunctionType, ModuleType
from typing import Any, Self

from neurt.browser.names import Program, UntranslatedError, parameters, safe

_BINARY = {
    ast.Add: "py.add",
    ast.Mult: "py.mul",
    ast.FloorDiv: "py.floordiv",
    ast.Mod: "py.mod",
    ast.Pow: "py.pow",
    ast.BitOr: "py.or",
    ast.Sub: "py.sub",
    ast.Div: "py.div",
}
_COMPARED: dict[type[ast.cmpop], str] = {
    ast.Eq: "py.eq({}, {})",
    ast.NotEq: "!py.eq({}, {})",
    ast.Is: "py.is({}, {})",
    ast.IsNot: "!py.is({}, {})",
    ast.In: "py.has({1}, {0})",
    ast.NotIn: "!py.has({1}, {0})",
    ast.Lt: "py.lt({}, {})",
    ast.LtE: "py.le({}, {})",
    ast.Gt: "py.lt({1}, {0})",
    ast.GtE: "py.le({1}, {0})",
}


class Expressions:
    """Translates the expressions of one function."""

    def __init__(
        self, program: Program, module: ModuleType, names: set[str], owner: type | None = None
    ) -> None:
        self.program, self.module, self.names, self.owner = program, module, names, owner

    def inside(self, names: set[str]) -> Self:
        """What translates a function inside of this one, with names of its own."""
        return type(self)(self.program, self.module, self.names | names, self.owner)

    def fail(self, node: ast.AST, what: str = "") -> UntranslatedError:
        """The error about a construct that is not known."""
        where = f"{self.module.__name__}, line {getattr(node, 'lineno', '?')}"
        return UntranslatedError(
            f"{where}: the page of configurations cannot be made of {what or type(node).__name__}; "
            "write it in other words, or teach neurt/browser"
        )

    def text(self, node: ast.expr) -> str:
        """The JavaScript of an expression."""
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            raise self.fail(node)
        return str(method(node))

    def test(self, node: ast.expr) -> str:
        """The same where only its truth matters."""
        if isinstance(node, ast.BoolOp):
            sign = " && " if isinstance(node.op, ast.And) else " || "
            return f"({sign.join(map(self.test, node.values))})"
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return f"!{self.test(node.operand)}"
        text = self.text(node)
        return text if isinstance(node, ast.Compare) else f"py.truth({text})"

    def _constant(self, node: ast.Constant) -> str:
        if node.value is None:
            return "null"
        if isinstance(node.value, bool):
            return "true" if node.value else "false"
        if isinstance(node.value, (int, float, str)):
            return json.dumps(node.value)
        raise self.fail(node)

    def _name(self, node: ast.Name) -> str:
        if node.id in self.names:
            return safe(node.id)
        if hasattr(self.module, node.id):
            return self.program.reference(self.module, node.id)
        if hasattr(builtins, node.id):
            return f"py.{node.id}"
        raise self.fail(node, f"the name {node.id}")

    def live(self, node: ast.expr) -> Any:
        """The global that an expression names; None for what is no global."""
        if isinstance(node, ast.Name) and node.id not in self.names:
            return getattr(self.module, node.id, getattr(builtins, node.id, None))
        if isinstance(node, ast.Attribute):
            inner = self.live(node.value)
            return (
                getattr(inner, node.attr, None) if isinstance(inner, (ModuleType, type)) else None
            )
        return None

    def _attribute(self, node: ast.Attribute) -> str:
        self.program.attributes.add(node.attr)
        owner = self.live(node.value)
        if isinstance(owner, ModuleType):
            return self.program.of_module(owner, node.attr)
        text = f"{self.text(node.value)}.{safe(node.attr)}"
        is_own = isinstance(node.value, ast.Name) and node.value.id == "self"
        is_method = is_own and isinstance(getattr(self.owner, node.attr, None), FunctionType)
        return f"{text}.bind(self)" if is_method else text

    def _subscript(self, node: ast.Subscript) -> str:
        if isinstance(node.slice, ast.Slice):
            ends = [self.text(x) if x else "null" for x in (node.slice.lower, node.slice.upper)]
            return f"py.slice({self.text(node.value)}, {', '.join(ends)})"
        return f"py.at({self.text(node.value)}, {self.text(node.slice)})"

    def _binop(self, node: ast.BinOp) -> str:
        if type(node.op) not in _BINARY:
            raise self.fail(node.op)
        return f"{_BINARY[type(node.op)]}({self.text(node.left)}, {self.text(node.right)})"

    def binary(self, op: ast.operator, left: str, right: str) -> str:
        """An operation on two texts."""
        if type(op) not in _BINARY:
            raise self.fail(op)
        return f"{_BINARY[type(op)]}({left}, {right})"

    def _unaryop(self, node: ast.UnaryOp) -> str:
        if isinstance(node.op, ast.Not):
            return f"!{self.test(node.operand)}"
        if isinstance(node.op, ast.USub):
            return f"py.neg({self.text(node.operand)})"
        raise self.fail(node.op)

    def _boolop(self, node: ast.BoolOp) -> str:
        *before, text = map(self.text, node.values)
        is_and = isinstance(node.op, ast.And)
        for value in reversed(before):
            then, other = (text, "v") if is_and else ("v", text)
            text = f"((v) => (py.truth(v) ? {then} : {other}))({value})"
        return text

    def _ifexp(self, node: ast.IfExp) -> str:
        return f"({self.test(node.test)} ? {self.text(node.body)} : {self.text(node.orelse)})"

    def _compare(self, node: ast.Compare) -> str:
        texts = [self.text(x) for x in (node.left, *node.comparators)]
        pairs = zip(node.ops, texts, texts[1:], strict=False)
        found = [_COMPARED[type(op)].format(left, right) for op, left, right in pairs]
        return found[0] if len(found) == 1 else f"({' && '.join(found)})"

    def _namedexpr(self, node: ast.NamedExpr) -> str:
        return f"({self.text(node.target)} = {self.text(node.value)})"

    def _starred(self, node: ast.Starred) -> str:
        return f"...{self.text(node.value)}"

    def _list(self, node: ast.List | ast.Tuple) -> str:
        # A place that is thrown away may stand twice in a list, and a name not.
        stored = isinstance(node.ctx, ast.Store)
        thrown = [stored and isinstance(x, ast.Name) and x.id == "_" for x in node.elts]
        parts = ("" if away else self.text(x) for x, away in zip(node.elts, thrown, strict=True))
        return f"[{', '.join(parts)}]"

    _tuple = _list

    def _set(self, node: ast.Set) -> str:
        return f"py.set([{', '.join(map(self.text, node.elts))}])"

    def _dict(self, node: ast.Dict) -> str:
        parts = [
            f"...py.pairs({self.text(value)})"
            if key is None
            else f"[{self.text(key)}, {self.text(value)}]"
            for key, value in zip(node.keys, node.values, strict=True)
        ]
        return f"new py.Dict([{', '.join(parts)}])"

    def _joinedstr(self, node: ast.JoinedStr) -> str:
        return f"[{', '.join(map(self.text, node.values))}].join('')"

    def _formattedvalue(self, node: ast.FormattedValue) -> str:
        spec = node.format_spec
        given = ast.literal_eval(spec.values[0]) if isinstance(spec, ast.JoinedStr) else ""
        if given not in ("", ",") or node.conversion not in (-1, ord("r")):
            raise self.fail(node, "a format")
        name = "py.repr" if node.conversion == ord("r") else "py.grouped" if given else "py.str"
        return f"{name}({self.text(node.value)})"

    def _lambda(self, node: ast.Lambda) -> str:
        return self.closure(node.args, lambda inner: inner.text(node.body))

    def closure(self, arguments: ast.arguments, body: Any) -> str:
        """A function inside of another one; `body` translates its expression with its names."""
        given = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        names = [each.arg for each in given]
        if arguments.vararg or arguments.kwarg:
            raise self.fail(given[0] if given else arguments, "* of a function inside of another")
        inner = self.inside(set(names))
        shown = parameters(names, defaults_of(arguments, self))
        return f"py.named({json.dumps(names)}, ({shown}) => {body(inner)})"

    def _listcomp(self, node: ast.ListComp | ast.GeneratorExp | ast.SetComp) -> str:
        return self._comprehended(node, "[]", lambda inner: f"out.push({inner.text(node.elt)});")

    _generatorexp = _listcomp

    def _setcomp(self, node: ast.SetComp) -> str:
        return f"py.set({self._listcomp(node)})"

    def _dictcomp(self, node: ast.DictComp) -> str:
        return self._comprehended(
            node,
            "new py.Dict()",
            lambda inner: f"out.put({inner.text(node.key)}, {inner.text(node.value)});",
        )

    def _comprehended(self, node: Any, start: str, store: Any) -> str:
        bound = {
            x.id for g in node.generators for x in ast.walk(g.target) if isinstance(x, ast.Name)
        }
        inner = self.inside(bound)
        text = store(inner)
        for at, each in reversed([*enumerate(node.generators)]):
            for test in each.ifs:
                text = f"if ({inner.test(test)}) {{ {text} }}"
            reader = inner if at else self
            text = f"for (const {inner.text(each.target)} of {reader.text(each.iter)}) {{ {text} }}"
        return f"(() => {{ const out = {start}; {text} return out; }})()"


def defaults_of(arguments: ast.arguments, scope: Expressions) -> dict[str, str]:
    """The defaults of the parameters that have one."""
    places = arguments.posonlyargs + arguments.args
    given = [
        *zip(places[len(places) - len(arguments.defaults) :], arguments.defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    return {name.arg: scope.text(value) for name, value in given if value is not None}
