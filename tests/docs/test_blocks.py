"""Code blocks of the docs are code: each one of a known language, each parsed as what it says it is."""

import ast
import json
import tomllib
from collections.abc import Callable

from graphql_runs.model.errors import InvalidText
from graphql_runs.read.where import parse
from tests.docs.pages import blocks

CHECKED_ELSEWHERE = {"graphql", "graphql-schema", "sdl", "bash", "console", "sh"}
PROSE = {"mermaid", "text"}


def parse_python(code: str) -> None:
    compile(code, "<block>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)


def parse_jsonl(code: str) -> None:
    for line in code.splitlines():
        json.loads(line)


def parse_filters(code: str) -> None:
    """Each line is a filter as text, which is close to SQL's WHERE."""
    for line in code.splitlines():
        try:
            parse(line, 0)
        except InvalidText as error:
            raise ValueError(error.message) from error


PARSERS: dict[str, Callable[[str], object]] = {
    "json": json.loads,
    "jsonl": parse_jsonl,
    "python": parse_python,
    "sql": parse_filters,
    "toml": tomllib.loads,
}


def test_every_block_names_a_language_that_is_checked() -> None:
    known = CHECKED_ELSEWHERE | PROSE | set(PARSERS)
    assert [
        f"{block.where}: {block.language or 'no language'}"
        for block in blocks()
        if block.language not in known
    ] == []


def test_blocks_parse_as_their_language() -> None:
    problems = []
    for block in blocks(*PARSERS):
        try:
            PARSERS[block.language](block.code)
        except (SyntaxError, ValueError) as error:  # both decode errors are ValueErrors
            problems.append(f"{block.where}: {error}")
    assert problems == []
