"""Equal queries of one person that are under way at the same time are executed once, and all are given the same bytes.

A query that comes while an equal one is being executed does not take that one's answer, which may have been read before it came:
it waits with all others that come meanwhile, and one execution that begins then answers them all. So everybody is told what was
there when they asked or later, as if they had been executed alone. Nobody waits longer than `PATIENCE` for it: when the one before
takes longer, the next begins beside it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

import orjson

from graphql_runs.schema.viewer import Viewer
from graphql_runs.server.answers import Answer
from graphql_runs.server.request import Asked

PATIENCE = 0.1
"""Seconds that a query waits at most for an equal one before it."""

Execute: TypeAlias = Callable[[], Awaitable[Answer]]
Key: TypeAlias = tuple[str, str | None, bytes, str]


def key_of(asked: Asked, viewer: Viewer) -> Key | None:
    """The same for equal queries of the same person; None for variables that cannot be compared."""
    try:
        variables = orjson.dumps(asked.variables, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return None
    return asked.query, asked.operation, variables, viewer.key


class _Execution:
    """One that answers everybody who waits for it."""

    def __init__(self, execute: Execute) -> None:
        self.execute = execute
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.waiting = 0
        self.timer: asyncio.TimerHandle | None = None
        self.task: asyncio.Task[Answer] | None = None

    def leave(self) -> None:
        """Somebody waits no more; the last one ends it."""
        self.waiting -= 1
        if self.waiting == 0 and self.task is not None:
            self.task.cancel()


class Together:
    """The queries of one server that are under way."""

    def __init__(self) -> None:
        self._begun: Counter[Key] = Counter()
        self._next: dict[Key, _Execution] = {}

    async def answer(self, key: Key, execute: Execute) -> Answer:
        """The answer of an execution that began after the call. Raises what `execute` does."""
        execution = self._next.get(key)
        if execution is None:
            execution = _Execution(execute)
            if self._begun[key]:
                self._next[key] = execution
                execution.timer = asyncio.get_running_loop().call_later(PATIENCE, self._begin, key, execution)
        execution.waiting += 1
        try:
            if execution.timer is None and execution.task is None:
                self._begin(key, execution)
            return await asyncio.shield(execution.answer)
        finally:
            execution.leave()

    def _begin(self, key: Key, execution: _Execution) -> None:
        if self._next.get(key) is execution:
            del self._next[key]
        if execution.timer is not None:
            execution.timer.cancel()
        if execution.waiting == 0:
            return  # all of them left
        self._begun[key] += 1
        execution.task = asyncio.ensure_future(execution.execute())
        execution.task.add_done_callback(partial(self._ended, key, execution))

    def _ended(self, key: Key, execution: _Execution, task: asyncio.Task[Answer]) -> None:
        self._begun[key] -= 1
        if not self._begun[key]:
            del self._begun[key]
        if task.cancelled():
            execution.answer.cancel()
        elif error := task.exception():
            execution.answer.set_exception(error)
            execution.answer.exception()  # known, even if everybody has left
        elif not execution.answer.done():
            execution.answer.set_result(task.result())
        if (following := self._next.get(key)) is not None:
            self._begin(key, following)
