"""Values that Python printed, read without running anything."""

from __future__ import annotations

import ast
import re

_NAMES = {
    "nan": float("nan"),
    "inf": float("inf"),
    "NaN": float("nan"),
    "Infinity": float("inf"),
    "true": True,
    "false": False,
}
_WRAPPERS = re.compile(r"(?:(?:np|numpy)\.)?(?:float\d*|int\d*|uint\d*|bool_?|array|str_|longdouble)|tensor")
_ARRAY = re.compile(r"\[[-+.\deEnaif\s]*\]")
_DEPTH = 20


class NotLiteral(ValueError):
    """The text is no value that can be read."""


def literal(text: str) -> object:
    """Numbers, texts, lists, dictionaries and what NumPy and PyTorch print for numbers and arrays.

    Raises NotLiteral for anything else.
    """
    text = text.strip()
    if _ARRAY.fullmatch(text) and "," not in text:
        text = f"[{','.join(text[1:-1].split())}]"  # an array as NumPy prints it
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise NotLiteral("not a value that can be read") from error
    return _value(tree.body, _DEPTH)


def _value(node: ast.expr, depth: int) -> object:
    if depth == 0:
        raise NotLiteral("nested too deeply")
    match node:
        case ast.Constant(value=None | bool() | int() | float() | str() as value):
            return value
        case ast.Name(id=name) if name in _NAMES:
            return _NAMES[name]
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
            inner = _value(operand, depth - 1)
            if isinstance(inner, int | float):
                return -inner if isinstance(sign, ast.USub) else inner
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_value(item, depth - 1) for item in items]
        case ast.Dict(keys=keys, values=values):
            return {
                _key(key, depth): _value(value, depth - 1) for key, value in zip(keys, values, strict=True)
            }
        case ast.Call(func=function, args=[first, *_]) if _WRAPPERS.fullmatch(ast.unparse(function)):
            return _value(first, depth - 1)
    raise NotLiteral("not a value that can be read")


def _key(key: ast.expr | None, depth: int) -> str:
    if key is None:
        raise NotLiteral("not a value that can be read")
    return str(_value(key, depth - 1))
