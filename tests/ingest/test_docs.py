"""The plugins that the docs show pass the contract."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from graphql_runs.ingest.testing import IngesterContract, RemoteContract
from tests.docs.pages import blocks


def shown() -> dict[str, Any]:
    """What the Python blocks of the page define."""
    found: dict[str, Any] = {}
    for block in blocks("python"):
        if block.page == Path("docs/write-an-ingester.md"):
            exec(compile(block.code, block.where, "exec"), found)
    return found


class TestIngester(IngesterContract):
    ingester = shown()["ingester"]
    growing = "loss.txt"

    def write(self, folder: Path, part: int) -> None:
        with (folder / "loss.txt").open("a") as file:
            file.writelines(f"{1 / (part * 100 + line + 1)}\n" for line in range(100))


class TestRemote(RemoteContract):
    remote = shown()["remote"]

    @contextmanager
    def place(self, folder: Path) -> Iterator[str]:
        (folder / "tally.json").write_text("{}")
        yield f"tally:{folder / 'tally.json'}"
        (folder / "tally.json").unlink()

    def write(self, folder: Path, part: int) -> None:
        numbers = {f"run-{number}": list(range(part * 10 + number + 1)) for number in range(part + 1)}
        (folder / "tally.json").write_text(json.dumps(numbers))
