from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Store
from graphql_runs.store.sqlite import SqliteStore

# Suites live in modules that are not collected by their names; their assertions should explain themselves too.
pytest.register_assert_rewrite(
    "tests.store.suite",
    "tests.store.samples",
    "tests.store.reference",
    "tests.store.searching",
    "tests.store.meanings",
    "tests.store.changing",
)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An empty embedded store."""
    opened = await SqliteStore.open(tmp_path / "runs.sqlite")
    yield opened
    await opened.close()


@pytest.fixture
async def recorder(store: Store) -> AsyncIterator[Recorder]:
    """The write path of that store."""
    recording = Recorder(store)
    yield recording
    await recording.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What is not there to be tested on, in one line each: pytest says it for every place it is asked at."""
    reasons = Counter(str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", []))
    for reason, times in reasons.most_common():
        terminalreporter.write_line(f"{times} not run: {reason.removeprefix('Skipped: ')}")
