"""The grammar of a filter's text, and what is wrong with a text that is not of it, in words."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from graphql_runs.model.errors import InvalidText

if TYPE_CHECKING:
    from lark import Lark, Token, Tree
    from lark.exceptions import UnexpectedInput

_GRAMMAR = r"""
start: _any
_any: any | _all
any: _all (_OR _all)+
_all: all | _one
all: _one (_AND _one)+
_one: negated | _condition
negated: _NEGATED _one
_condition: "(" _any ")" | child | ancestor | below | constant | compare | member | found | null

child: _CHILD "(" _any ")"
ancestor: _ANCESTOR "(" _any ")"
below: _BELOW "(" _text "," _text ")"
constant: TRUE | FALSE
compare: _field COMPARE _value
member: _field NOT? _IN "(" (_value ("," _value)* ","?)? ")"
found: _field NOT? (LIKE | ILIKE | RLIKE | CONTAINS) _text
     | _field (MATCH | NO_MATCH) _text
null: _field _IS NOT? _NULL

_field: field | number
field: NAME | QUOTED | MARKED | (NAME | MARKED) "." (KEY | QUOTED | MARKED)
number: STAT "(" field ")"
_value: TEXT | QUOTED | NUMBER | TRUE | FALSE
_text: TEXT | QUOTED

_AND.2: /and\b/i
_OR.2: /or\b/i
_NEGATED.2: /not\b/i
NOT.2: /not\b/i
_IN.2: /in\b/i
_IS.2: /is\b/i
_NULL.2: /null\b/i
LIKE.2: /like\b/i
ILIKE.2: /ilike\b/i
RLIKE.2: /(rlike|regexp)\b/i
CONTAINS.2: /contains\b/i
TRUE.2: /true\b/i
FALSE.2: /false\b/i
_CHILD.2: /child(?=\s*\()/i
_ANCESTOR.2: /ancestor(?=\s*\()/i
_BELOW.2: /below(?=\s*\()/i
STAT.2: /(last|min|max|mean|avg|count|first_non_finite_step)(?=\s*\()/i
COMPARE: "=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">="
MATCH: "~"
NO_MATCH: "!~"
NAME: /[a-z_][a-z0-9_]*/i
KEY: /[\w$\/:@.-]+/
NUMBER.3: /[+-]?((\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?|inf(inity)?|nan)(?![\w.])/i
TEXT: /'(''|[^'])*'/
QUOTED: /"(""|[^"])*"/
MARKED: /`(``|[^`])*`/
%import common.WS
%ignore WS
"""

# By a terminal that only this place takes: what is expected there. The first one that fits is said.
_EXPECTED = (
    ("_NEGATED", "a condition, such as metrics.loss < 0.1"),
    ("COMPARE", "an operator: = != < <= > >= ~ !~, [NOT] IN, [NOT] LIKE, [NOT] ILIKE, [NOT] RLIKE, [NOT] CONTAINS, IS [NOT] NULL"),
    ("KEY", "a name; one with spaces or other signs goes in `backquotes`"),
    ("NUMBER", "a 'text' in quotes or a number"),
    ("TEXT", "a 'text' in quotes"),
    ("MATCH", "IN, LIKE, ILIKE, RLIKE or CONTAINS"),
    ("LIKE", "IN, LIKE, ILIKE, RLIKE or CONTAINS"),
    ("_NULL", "NULL or NOT NULL"),
    ("NAME", "a metric, such as metrics.loss"),
    ("_AND", "AND, OR or the end"),
    ("LPAR", "an opening parenthesis"),
    ("COMMA", "a comma or a closing parenthesis"),
    ("RPAR", "a closing parenthesis"),
)  # fmt: skip


def tree_of(text: str) -> Tree[Token]:
    """The tree of a text that is not blank. Raises InvalidText with the place of what does not fit and what would."""
    # A server starts without it, and only who filters by a text pays for it.
    from lark.exceptions import UnexpectedInput

    try:
        return _parser().parse(text)
    except UnexpectedInput as error:
        raise _problem(text, error) from error


def at(text: str, place: int, message: str) -> InvalidText:
    """The error about a place in a text."""
    line = text.count("\n", 0, place) + 1
    column = place - text.rfind("\n", 0, place)
    return InvalidText(
        f"where, line {line}, column {column}: {message}", line=line, column=column, field="where"
    )


@cache
def _parser() -> Lark:
    from lark import Lark

    return Lark(_GRAMMAR, parser="lalr", lexer="contextual", maybe_placeholders=False)


def _problem(text: str, error: UnexpectedInput) -> InvalidText:
    from lark.exceptions import UnexpectedCharacters, UnexpectedToken

    match error:
        case UnexpectedToken(token=token):
            place = len(text) if token.type == "$END" else token.start_pos or 0
            wanted = set(error.accepts or error.expected)
        case UnexpectedCharacters():
            place, wanted = error.pos_in_stream or 0, set(error.allowed or ())
        case _:
            place, wanted = len(text), set()
    found = text[place : place + 40].split("\n")[0]
    if found and found[0] in "'\"`" and found[0] not in text[place + 1 :]:
        return at(text, place, f"this {found[0]} is not closed")
    if found[:1] == ")" and wanted == {"$END"}:
        return at(text, place, "this parenthesis closes nothing")
    word = found.split()[0] if found.split() else ""
    expected = next((words for name, words in _EXPECTED if name in wanted), "the end")
    return at(text, place, f"expected {expected}; {f'found {word!r}' if word else 'the text ends here'}")
