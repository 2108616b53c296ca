from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from graphql_runs.live.hub import Hub
from graphql_runs.model.source import PluginReport, SourceReport
from graphql_runs.record.recorder import Recorder
from graphql_runs.schema.build import build_schema
from graphql_runs.schema.context import Context
from graphql_runs.schema.limits import SchemaLimits
from graphql_runs.schema.scalars import decode_json, encode_json
from graphql_runs.schema.schema import RunsSchema
from graphql_runs.store.port import Store


@dataclass
class Api:
    """A schema over a store, asked as a server does: variables come from JSON, answers become JSON."""

    schema: RunsSchema
    store: Store
    recorder: Recorder
    hub: Hub
    limits: SchemaLimits
    sources: list[SourceReport] = field(default_factory=list)
    plugins: list[PluginReport] = field(default_factory=list)

    def context(self) -> Context:
        return Context(
            store=self.store,
            recorder=self.recorder,
            hub=self.hub,
            sources=lambda: self.sources,
            plugins=self.plugins,
            limits=self.limits,
            version="1.2.3",
            url=lambda path: f"http://runs.test{path}",
        )

    async def answer(self, query: str, operation: str | None = None, **variables: Any) -> dict[str, Any]:
        """The whole answer: data and errors."""
        given = decode_json(encode_json(variables))
        result = await self.schema.execute(query, given, self.context(), operation_name=operation)
        return shown(result)

    async def ask(self, query: str, **variables: Any) -> Any:
        """The data of an answer that must have no errors."""
        answer = await self.answer(query, **variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def error(self, query: str, **variables: Any) -> dict[str, Any]:
        """The one error of an answer."""
        answer = await self.answer(query, **variables)
        assert len(answer.get("errors", ())) == 1, answer
        found: dict[str, Any] = answer["errors"][0]
        return found

    async def follow(self, query: str, **variables: Any) -> AsyncGenerator[dict[str, Any], None]:
        """The answers of a subscription."""
        given = decode_json(encode_json(variables))
        results = await self.schema.stream(query, given, self.context())
        try:
            async for result in results:
                yield shown(result)
        finally:
            await results.aclose()

    async def create(self, name: str = "run", **fields: Any) -> str:
        """A new run; gives its server id."""
        run = {"experiment": "digits", "name": name, "runId": name, **fields}
        query = "mutation ($input: CreateRunInput!) { createRun(input: $input) { run { id } } }"
        id: str = (await self.ask(query, input=run))["createRun"]["run"]["id"]
        return id

    async def record(self, run: str, **fields: Any) -> Any:
        """Record something of a run."""
        query = "mutation ($input: RecordInput!) { record(input: $input) { repeated liveCursor run { id } } }"
        return (await self.ask(query, input={"run": run, **fields}))["record"]


def shown(result: Any) -> dict[str, Any]:
    """A result as a client gets it."""
    answer = {"data": result.data}
    if result.errors:
        answer["errors"] = [error.formatted for error in result.errors]
    decoded: dict[str, Any] = decode_json(encode_json(answer))
    return decoded


MakeApi = Callable[[SchemaLimits], Api]


@pytest.fixture
async def make_api(store: Store, recorder: Recorder) -> AsyncIterator[MakeApi]:
    hub = Hub(store)
    yield lambda limits: Api(build_schema(limits), store, recorder, hub, limits)
    await hub.close()


@pytest.fixture
def api(make_api: MakeApi) -> Api:
    return make_api(SchemaLimits())
