"""Execute a parsed template: scopes, branches, pipelines, and errors with their position."""

from __future__ import annotations

from typing import Any

from sandbox.standins.go.template import Functions, Node, Operand, Pipe, Template, TemplateError


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class Raised(Exception):
    """A function (`required`, `fail`) stopped the execution, with its text and position."""

    def __init__(self, text: str, where: str = "") -> None:
        super().__init__(text)
        self.text, self.where = text, where


class Run:
    """One execution of one file. defines: the named templates of all files, each with its file."""

    def __init__(self, functions: Functions, defines: dict[str, tuple[Template, list[Node]]]) -> None:
        self.functions, self.defines = functions, defines
        self.depth = 0

    def text(self, template: Template, data: Any) -> str:
        """The output of the file itself."""
        return _Scope(self, template, data).block(template.nodes, data)

    def named(self, name: str, data: Any) -> str:
        """The output of a named template, for `include` and `template`."""
        if name not in self.defines:
            raise Raised(f'template: no template "{name}" associated with template "gotpl"')
        if self.depth > 1000:
            raise Raised(f"rendering template has a nested reference name: {name}: unable to execute template")
        template, nodes = self.defines[name]
        self.depth += 1
        try:
            return _Scope(self, template, data).block(nodes, data)
        finally:
            self.depth -= 1


class _Scope:
    def __init__(self, run: Run, template: Template, data: Any) -> None:
        self.run, self.template = run, template
        self.variables: list[dict[str, Any]] = [{"$": data}]

    def block(self, nodes: list[Node], dot: Any) -> str:
        self.variables.append({})
        try:
            return "".join(self.node(node, dot) for node in nodes)
        finally:
            self.variables.pop()

    def node(self, node: Node, dot: Any) -> str:
        if node.kind == "text":
            return node.text
        if node.kind == "break":
            raise _Break
        if node.kind == "continue":
            raise _Continue
        if node.kind == "template":
            return self.run.named(node.text, self.pipe(node.pipe, dot) if node.pipe else None)
        assert node.pipe is not None
        if node.kind == "action":
            value = self.pipe(node.pipe, dot)
            return "" if node.pipe.variables else printed(value)
        self.variables.append({})
        try:
            if node.kind == "range":
                return self.range(node, dot)
            value = self.pipe(node.pipe, dot)
            if truth(value):
                return self.block(node.body, value if node.kind == "with" else dot)
            return self.block(node.other, dot)
        finally:
            self.variables.pop()

    def range(self, node: Node, dot: Any) -> str:
        assert node.pipe is not None
        value = self.pipe(Pipe(node.pipe.commands), dot)
        if isinstance(value, dict):
            pairs: list[tuple[Any, Any]] = [(key, value[key]) for key in sorted(value, key=str)]
        elif isinstance(value, int) and not isinstance(value, bool):
            pairs = [(n, n) for n in range(value)]
        elif isinstance(value, list | tuple):
            pairs = list(enumerate(value))
        elif value is None:
            pairs = []
        else:
            raise self.error(node.pipe.commands[0][0], f"range can't iterate over {printed(value)}")
        if not pairs:
            return self.block(node.other, dot)
        names, out = node.pipe.variables, []
        for key, element in pairs:
            self.variables.append(dict(zip(names, (element,) if len(names) == 1 else (key, element), strict=False)))
            try:
                out.append(self.block(node.body, element))
            except _Continue:
                pass
            except _Break:
                break
            finally:
                self.variables.pop()
        return "".join(out)

    def pipe(self, pipe: Pipe, dot: Any) -> Any:
        value: Any = None
        for number, command in enumerate(pipe.commands):
            value = self.command(command, dot, (value,) if number else ())
        for name in pipe.variables:
            if pipe.declares:
                self.variables[-1][name] = value
            else:
                scope = next((s for s in reversed(self.variables) if name in s), None)
                if scope is None:
                    raise TemplateError(f"parse error at ({self.template.name}): undefined variable {name!r}")
                scope[name] = value
        return value

    def command(self, operands: list[Operand], dot: Any, piped: tuple[Any, ...]) -> Any:
        first, rest = operands[0], operands[1:]
        if first.kind == "function":
            return self.call(first, rest, dot, piped)
        value = self.operand(first, dot)
        if callable(value):
            return value(*(self.operand(argument, dot) for argument in rest), *piped)
        if rest or piped:
            raise self.error(first, f"can't give argument to non-function {_shown(first)}")
        return value

    def call(self, first: Operand, rest: list[Operand], dot: Any, piped: tuple[Any, ...]) -> Any:
        name = first.value
        if name in ("and", "or"):  # only these do not evaluate all their arguments
            value: Any = None
            for argument in [*rest, *piped]:
                value = self.operand(argument, dot) if isinstance(argument, Operand) else argument
                if truth(value) == (name == "or"):
                    return value
            return value
        function = self.run.functions.get(name)
        if function is None:
            line = self.template.where(first.place).rsplit(":", 1)[0]
            raise TemplateError(f'parse error at ({line}): function "{name}" not defined')
        arguments = [self.operand(argument, dot) for argument in rest]
        try:
            return self.taken(function(*arguments, *piped), first)
        except Raised as why:
            why.where = why.where or self.template.where(first.place)
            raise
        except (TypeError, ValueError, KeyError, IndexError, AttributeError, ZeroDivisionError) as why:
            raise self.error(first, f"error calling {name}: {why}") from None

    def operand(self, operand: Operand, dot: Any) -> Any:
        match operand.kind:
            case "literal":
                value = operand.value
            case "dot":
                value = dot
            case "variable":
                scope = next((s for s in reversed(self.variables) if operand.value in s), None)
                if scope is None:
                    raise TemplateError(f"parse error at ({self.template.name}): undefined variable {operand.value!r}")
                value = scope[operand.value]
            case "function":
                return self.call(operand, [], dot, ())
            case _:
                value = self.pipe(operand.value, dot)
        return self.taken(value, operand)

    def taken(self, value: Any, operand: Operand) -> Any:
        """Evaluate the fields that follow an operand."""
        for number, name in enumerate(operand.fields):
            if isinstance(value, dict):
                value = value.get(name)
            elif value is None:
                if number == 0:
                    return None
                raise self.error(operand, f"nil pointer evaluating interface {{}}.{name}")
            else:
                raise self.error(operand, f"can't evaluate field {name} in type {_type(value)}")
        return value

    def error(self, operand: Operand, text: str) -> TemplateError:
        where = self.template.where(operand.place)
        return TemplateError(f'template: {where}: executing "{self.template.name}" at <{_shown(operand)}>: {text}')


def truth(value: Any) -> bool:
    """Go's truth: zero, empty and nil are false."""
    return bool(value)


def printed(value: Any) -> str:
    """A value as Go's %v prints it; nil as nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e21 else repr(value)
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{printed(value[key]) or '<nil>'}" for key in sorted(value, key=str)) + "]"
    if isinstance(value, list | tuple):
        return "[" + " ".join(printed(element) if element is not None else "<nil>" for element in value) + "]"
    return str(value)


def _type(value: Any) -> str:
    names = {bool: "bool", int: "float64", float: "float64", str: "string", list: "[]interface {}"}
    return f"{names.get(type(value), 'interface {}')}"


def _shown(operand: Operand) -> str:
    start = {"variable": str(operand.value), "function": str(operand.value), "literal": repr(operand.value)}
    return start.get(operand.kind, "") + "".join(f".{name}" for name in operand.fields) or "."
