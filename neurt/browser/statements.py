"""Functions of Python as functions of JavaScript, statement by statement."""

from __future__ import annotations

import ast

from neurt.browser.calls import Calls
from neurt.browser.names import safe


class Statements(Calls):
    """Translates the body of one function."""

    def body(self, node: ast.FunctionDef, given: set[str]) -> str:
        """The statements of a function in braces; `given` are its parameters."""
        assigned = _assigned(node)
        self.names |= assigned | given
        let = ", ".join(safe(name) for name in sorted(assigned - given))
        lines = [f"let {let};" if let else "", *map(self.statement, node.body)]
        return "{ " + "\n".join(filter(None, lines)) + " }"

    def statement(self, node: ast.stmt) -> str:
        """The JavaScript of a statement."""
        match node:
            case ast.Return():
                return f"return {self.text(node.value) if node.value else 'null'};"
            case ast.Expr(value=ast.Constant()) | ast.Pass() | ast.Assert():
                return ""
            case ast.Expr():
                return f"{self.text(node.value)};"
            case ast.Assign():
                return self._assign(node)
            case ast.AnnAssign():
                if node.value is None:
                    return ""
                return self._stored(node.target, self.text(node.value))
            case ast.AugAssign():
                changed = self.binary(node.op, self.text(node.target), self.text(node.value))
                return self._stored(node.target, changed)
            case ast.If():
                other = f" else {self._block(node.orelse)}" if node.orelse else ""
                return f"if ({self.test(node.test)}) {self._block(node.body)}{other}"
            case ast.For(orelse=[]):
                target, source = self.text(node.target), self.text(node.iter)
                return f"for ({target} of {source}) {self._block(node.body)}"
            case ast.Raise() if node.exc is not None:
                return f"throw {self.text(node.exc)};"
            case ast.FunctionDef(decorator_list=[]):
                own = {each.arg for each in (*node.args.args, *node.args.kwonlyargs)}
                function = self.closure(node.args, lambda inner: inner.body(node, own))
                return f"{safe(node.name)} = {function};"
            case ast.Try(handlers=[ast.ExceptHandler() as only], orelse=[], finalbody=[]):
                caught = f"catch ({safe(only.name or '_')}) {self._block(only.body)}"
                return f"try {self._block(node.body)} {caught}"
            case ast.Match():
                return self._match(node)
        raise self.fail(node)

    def _block(self, body: list[ast.stmt]) -> str:
        return "{ " + "\n".join(filter(None, map(self.statement, body))) + " }"

    def _assign(self, node: ast.Assign) -> str:
        value = self.text(node.value)
        if len(node.targets) > 1:
            raise self.fail(node, "a chain of assignments")
        return self._stored(node.targets[0], value)

    def _stored(self, target: ast.expr, value: str) -> str:
        if isinstance(target, ast.Subscript):
            return f"py.put({self.text(target.value)}, {self.text(target.slice)}, {value});"
        # A statement that begins with a bracket needs the end of the one before it.
        return f";{self.text(target)} = {value};"

    def _match(self, node: ast.Match) -> str:
        """A choice among texts."""
        parts = []
        for case in node.cases:
            if not isinstance(case.pattern, ast.MatchValue) or case.guard:
                raise self.fail(case.pattern)
            test = f"py.eq({self.text(node.subject)}, {self.text(case.pattern.value)})"
            parts.append(f"if ({test}) {self._block(case.body)}")
        return " else ".join(parts)


def _assigned(node: ast.FunctionDef) -> set[str]:
    """The names that a function gives values to, without those of functions inside of it."""
    found: set[str] = set()
    waiting: list[ast.AST] = [*node.body]
    while waiting:
        one = waiting.pop()
        if isinstance(one, ast.FunctionDef):
            found.add(one.name)
            continue
        if isinstance(one, (ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp)):
            # Of what is inside, only `:=` gives a value to a name of the function.
            named = (x.target.id for x in ast.walk(one) if isinstance(x, ast.NamedExpr))
            found.update(named)
            continue
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store):
            found.add(one.id)
        if isinstance(one, ast.ExceptHandler) and one.name:
            found.add(one.name)
        waiting += ast.iter_child_nodes(one)
    return found
