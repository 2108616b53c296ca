"""Executing operations for whatever transport they came by; what comes out is JSON."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Any

from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.execution import ExecutionResult
from strawberry.types.graphql import OperationType

from graphql_runs.live.hub import Hub
from graphql_runs.live.trail import Trail
from graphql_runs.schema.context import Context
from graphql_runs.schema.schema import RunsSchema
from graphql_runs.schema.viewer import Viewer
from graphql_runs.server.answers import Answer, refused, shown
from graphql_runs.server.errors import BadRequest, Refused, TimedOut
from graphql_runs.server.request import Asked
from graphql_runs.server.sharing import Sharing
from graphql_runs.server.together import Together, key_of

Kinds = frozenset[OperationType]
EVERYTHING: Kinds = frozenset(OperationType)
READING: Kinds = EVERYTHING - {OperationType.MUTATION}
ONCE: Kinds = EVERYTHING - {OperationType.SUBSCRIPTION}
_BRIEF = 0.25
"""Seconds after which it is worth while to notice that the client has gone."""


class Operations:
    """The operations of one server. `context` makes the context of one of them for whoever asks."""

    def __init__(
        self, schema: RunsSchema, context: Callable[[Viewer], Context], hub: Hub, request_seconds: float
    ) -> None:
        self._schema = schema
        self._sharing = Sharing(hub, self._begin)
        self._together = Together()
        self._context = context
        self._seconds = request_seconds

    async def once(
        self, asked: Asked, viewer: Viewer, kinds: Kinds, gone: Callable[[], Awaitable[object]] | None = None
    ) -> Answer:
        """The answer of a query or mutation. It is given up, down to the store's reading, when it takes too long or when
        `gone` returns because nobody waits for it any more. Raises Refused."""
        executing = asyncio.ensure_future(self._answer(asked, viewer, kinds))
        try:
            if not await self._finished(executing, gone):
                raise TimedOut(
                    f"the operation took longer than {self._seconds:g} s and was given up",
                    field="request_seconds",
                )
            return executing.result()
        except CannotGetOperationTypeError as error:
            return refused(BadRequest(error.as_http_error_reason(), field="operationName"))
        except InvalidOperationTypeError as error:
            raise _wrong_kind(error) from error
        finally:
            executing.cancel()
            await asyncio.gather(executing, return_exceptions=True)

    async def _answer(self, asked: Asked, viewer: Viewer, kinds: Kinds) -> Answer:
        """The answer of a query or mutation, a query's together with its equals."""
        execute = partial(self._execute, asked, viewer, kinds)
        if self._schema.operation_type(asked.query, asked.operation) is OperationType.QUERY:
            key = key_of(asked, viewer)
            if key is not None:
                return await self._together.answer(key, execute)
        return await execute()

    async def _execute(self, asked: Asked, viewer: Viewer, kinds: Kinds) -> Answer:
        result = await self._schema.execute(
            asked.query,
            dict(asked.variables),
            self._context(viewer),
            operation_name=asked.operation,
            allowed_operation_types=kinds,
        )
        return shown(result)

    async def stream(self, asked: Asked, viewer: Viewer, kinds: Kinds) -> AsyncGenerator[Answer]:
        """The answers of any operation, one after the other, each when it is asked for."""
        if self._schema.operation_type(asked.query, asked.operation) is not OperationType.SUBSCRIPTION:
            try:
                yield await self.once(asked, viewer, kinds)
            except Refused as error:
                yield refused(error)
            return
        variable = self._schema.cursor_variable(asked.query, asked.operation)
        async with aclosing(self._sharing.stream(asked, viewer, variable)) as answers:
            async for found in answers:
                yield found

    async def _begin(self, asked: Asked, viewer: Viewer, trail: Trail) -> AsyncGenerator[Answer]:
        """The answers of a subscription that is told along a trail."""
        results = await self._schema.stream(
            asked.query,
            dict(asked.variables),
            replace(self._context(viewer), trail=trail),
            operation_name=asked.operation,
            allowed_operation_types=(OperationType.SUBSCRIPTION,),
        )
        async with aclosing(results):
            async for result in results:
                assert isinstance(result, ExecutionResult)
                yield shown(result)

    async def _finished(
        self, executing: asyncio.Future[Any], gone: Callable[[], Awaitable[object]] | None
    ) -> bool:
        done, _ = await asyncio.wait({executing}, timeout=min(_BRIEF, self._seconds))
        if done or self._seconds <= _BRIEF:
            return bool(done)
        waiting: set[asyncio.Future[Any]] = {executing}
        leaving = None if gone is None else asyncio.ensure_future(gone())
        if leaving is not None:
            waiting.add(leaving)
        try:
            await asyncio.wait(waiting, timeout=self._seconds - _BRIEF, return_when=asyncio.FIRST_COMPLETED)
            return executing.done()
        finally:
            if leaving is not None:
                leaving.cancel()
                await asyncio.gather(leaving, return_exceptions=True)


def _wrong_kind(error: InvalidOperationTypeError) -> BadRequest:
    if error.operation_type is OperationType.SUBSCRIPTION:
        return BadRequest("a subscription needs a WebSocket, or `accept: text/event-stream`")
    return BadRequest("GET is for queries; send a mutation by POST", 405, headers={"allow": "POST"})
