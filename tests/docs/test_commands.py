"""Command lines of the docs work: the programs, recipes, modules and options they name are there."""

import importlib.util
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import typer.main

from graphql_runs.cli import app
from tests.docs.commands import Command, commands, lines, simple_commands
from tests.docs.pages import Block, blocks
from tests.repo.tree import ROOT


def complaint(command: Any, arguments: Iterable[str]) -> str | None:
    """What a command of the `graphql-runs` program would refuse in these arguments, None if nothing.

    `command` is Typer's command or group; Typer keeps the types of both to itself.
    """
    places = 0
    rest = iter(arguments)
    options = {name: option for option in command.params for name in (*option.opts, *option.secondary_opts)}
    for word in rest:
        name, equals, _ = word.partition("=")
        if word.startswith("-") and word != "-":
            if name in {"--help", "--install-completion", "--show-completion"}:
                continue
            option = options.get(name)
            if option is None or option.param_type_name != "option":
                return f"`{command.name}` has no option {name}"
            if not (option.is_flag or option.count or equals) and next(rest, None) is None:
                return f"{name} wants a value"
        elif hasattr(command, "commands"):
            if word not in command.commands:
                return f"there is no command {word}"
            return complaint(command.commands[word], rest)
        else:
            places += 1
    arguments_taken = [
        parameter.nargs for parameter in command.params if parameter.param_type_name == "argument"
    ]
    if -1 not in arguments_taken and places > sum(arguments_taken):
        return f"`{command.name}` takes {sum(arguments_taken)} arguments, not {places}"
    return None


def problem(command: Command, recipes: set[str]) -> str | None:
    """What is wrong with a command line of the docs, None if nothing is or its program is not ours."""
    arguments = command.arguments
    match command.program:
        case "graphql-runs":
            return complaint(typer.main.get_command(app), arguments)
        case "just":
            name = next((word for word in arguments if not word.startswith("-")), None)
            return f"there is no recipe {name}" if name and name not in recipes else None
        case "python" | "python3" if arguments[:1] == ("-m",):
            return None if importlib.util.find_spec(arguments[1]) else f"there is no module {arguments[1]}"
        case "python" | "python3" | "bash" | "pytest":
            missing = [
                word for word in arguments if not word.startswith("-") and "/" in word and not is_there(word)
            ]
            return f"there is no {missing[0]}" if missing else None
    return None


def is_there(word: str) -> bool:
    """Whether a path of the repository, maybe with a test's name after it, exists."""
    return (ROOT / word.partition("::")[0]).exists()


@pytest.fixture(scope="module")
def recipes() -> set[str]:
    just = Path(sys.executable).with_name("just")
    return set(
        subprocess.run(
            [just, "--summary"], cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE
        ).stdout.split()
    )


def test_command_lines_name_what_there_is(recipes: set[str]) -> None:
    found = commands()
    assert "graphql-runs" in {command.program for command in found}
    assert "just" in {command.program for command in found}
    problems = [f"{command.where}: {what}" for command in found if (what := problem(command, recipes))]
    assert problems == []


@pytest.mark.parametrize(
    "line",
    [
        "graphql-runs nothing-like-this",
        "uv run graphql-runs serve --nothing-like-this folder",
        "graphql-runs serve --port",
        "cd folder && A=1 graphql-runs demo one two three four",
        "uv run just nothing-like-this",
        "python -m nothing_like_this",
        "pytest tests/nothing_like_this",
    ],
)
def test_a_wrong_command_line_is_found_out(line: str, recipes: set[str]) -> None:
    found = [Command("here", words[0], tuple(words[1:])) for words in simple_commands(line)]
    assert any(problem(command, recipes) for command in found)


def test_transcripts_and_continued_lines_are_read() -> None:
    block = Block(
        Path("page.md"), 10, "console", "$ graphql-runs serve \\\n>   folder  # a comment\nserving …\n$ ls\n"
    )
    assert [(number, list(simple_commands(line))) for number, line in lines(block)] == [
        (10, [["graphql-runs", "serve", "folder"]]),
        (13, [["ls"]]),
    ]


@pytest.mark.parametrize(
    "wanted",
    [["pip", "install", "uv"], ["uv run", "graphql-runs", "demo"], ["uv run", "graphql-runs", "serve"]],
)
def test_the_readme_shows_how_to_start(wanted: list[str]) -> None:
    shown = [block.code for block in blocks("bash", "console", "sh") if block.page == Path("README.md")]
    assert any(" ".join(wanted) in code for code in shown)
