"""The plugin that the docs show passes the contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from graphql_runs.ingest.testing import IngesterContract
from tests.docs.pages import blocks


def shown() -> dict[str, Any]:
    """What the Python blocks of the page define."""
    found: dict[str, Any] = {}
    for block in blocks("python"):
        if block.page == Path("docs/ingesters.md"):
            exec(compile(block.code, block.where, "exec"), found)
    return found


class TestExample(IngesterContract):
    ingester = shown()["ingester"]
    growing = "loss.txt"

    def write(self, folder: Path, part: int) -> None:
        with (folder / "loss.txt").open("a") as file:
            file.writelines(f"{1 / (part * 100 + line + 1)}\n" for line in range(100))
