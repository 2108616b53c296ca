"""The plugin that the docs show is a plugin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from graphql_runs.ingest.testing import IngesterContract
from tests.docs.pages import blocks

PAGE = Path("docs/ingesters.md")


def shown() -> dict[str, Any]:
    """What the Python blocks of the page define."""
    found: dict[str, Any] = {}
    for block in blocks("python"):
        if block.page == PAGE:
            exec(compile(block.code, block.where, "exec"), found)
    return found


DEFINED = shown()
DEFINED["TestContract"].__test__ = False


class TestExample(IngesterContract):
    ingester = DEFINED["ingester"]
    growing = DEFINED["TestContract"].growing
    write = DEFINED["TestContract"].write
