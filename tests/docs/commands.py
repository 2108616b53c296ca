"""The command lines that the docs show, taken apart as a shell would."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from tests.docs.pages import Block, blocks

SHELLS = ("bash", "console", "sh")
SEPARATOR = re.compile(r"[();<>|&]+")
ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
# Programs that run the program named after them.
RUNNERS = {"exec", "nohup", "sudo", "time"}


@dataclass(frozen=True, slots=True)
class Command:
    """One program with its arguments, and the `page:line` where it stands."""

    where: str
    program: str
    arguments: tuple[str, ...]


def lines(block: Block) -> Iterator[tuple[int, str]]:
    """The command lines of a block with their line on the page; a transcript's are those after a `$`."""
    pending, first = "", 0
    for number, line in enumerate(block.code.splitlines(), block.line):
        if not pending:
            if block.language == "console" and not line.startswith("$ "):
                continue
            line = line.removeprefix("$ ")
            first = number
        elif block.language == "console":
            line = line.removeprefix("> ")
        if line.endswith("\\"):
            pending += line[:-1] + " "
        else:
            yield first, pending + line
            pending = ""


def simple_commands(line: str) -> Iterator[list[str]]:
    """The words of each program call of a line, without assignments, optional brackets and runners before it."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if not SEPARATOR.fullmatch(word):
            words.append(word)
            continue
        while words and (ASSIGNMENT.match(words[0]) or words[0] in RUNNERS):
            del words[0]
        if words[:2] == ["uv", "run"]:
            del words[:2]
            while words and words[0].startswith("-"):
                del words[0]
        if words:
            yield [word.strip("[]") or word for word in words]
        words = []


def commands() -> list[Command]:
    """Every program call in a shell block of the docs."""
    return [
        Command(f"{block.page}:{number}", words[0], tuple(words[1:]))
        for block in blocks(*SHELLS)
        for number, line in lines(block)
        for words in simple_commands(line)
    ]
