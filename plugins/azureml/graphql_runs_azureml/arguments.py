"""A script's command line as params."""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphql_runs_azureml.fields import Fields
from graphql_runs_azureml.text import as_text

_OPTION = re.compile(r"--?[A-Za-z_]")
"""`-0.1` is a value."""


def params_of(definition: Fields) -> dict[str, str]:
    """The params in a run definition's `arguments`: `--lr 0.1`, `--lr=0.1`, `--sizes 1 2` (one text), `--flag` (`true`).

    Arguments that belong to no option have no name and are left out.
    """
    arguments = definition.value.get("arguments")
    if arguments is None or arguments == []:
        return {}
    if not isinstance(arguments, list):
        definition.note("arguments", "is not a list")
        return {}
    reader = Fields({}, f"{definition.path}arguments.", definition.problems)
    found: dict[str, str] = {}
    for name, values in _options([_word(argument) for argument in arguments]):
        pair = reader.pair(name, " ".join(values) if values else "true")
        if pair is not None:
            found[pair[0]] = pair[1]
    return found


def _options(words: Sequence[str]) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for word in words:
        if _OPTION.match(word):
            name, equals, value = word.lstrip("-").partition("=")
            found.append((name, [value] if equals else []))
        elif found:
            found[-1][1].append(word)
    return found


def _word(argument: object) -> str:
    try:
        return as_text(argument)
    except ValueError:
        return "…"
