"""The server itself: what it is, what it may be asked for, and what it reads."""

import strawberry

from graphql_runs.model.source import PluginKind, SourceReport, SourceState
from graphql_runs.read.server import capabilities
from graphql_runs.schema import enums as enums
from graphql_runs.schema.context import Context
from graphql_runs.schema.field import field
from graphql_runs.schema.node import Node
from graphql_runs.schema.scalars import JSON, DateTime


@strawberry.type(description="Input that was left out, and why.")
class SkippedInput:
    path: str = field("The file, relative to the source.")
    line: int | None = field("The line, from 1.")
    reason: str = field("Why it was left out.")
    at: DateTime | None = field("When that was noticed.")


@strawberry.type(description="A folder, server or file as one plugin reads and follows it.")
class Source(Node):
    uri: str = field("The place it is.")
    name: str = field("The name it was given; runs without an id of their own are named after it.")
    workspace: str = field("The name of the workspace that its runs go to.")
    plugin: str = field("The plugin that reads it; `folder` is the walk through the folder itself.")
    state: SourceState = field("How far the reading has come.")
    last_error: str | None = field("What went wrong last, with file and line where there is one.")
    last_read_at: DateTime | None = field("When something was last read.")
    runs: float = field("How many runs it has.")
    files: float = field("How many files are read.")
    points: float = field("How many metric points and rows were read.")
    lines: float = field("How many log lines were read.")
    skipped: list[SkippedInput] = field("The newest input that was left out; skippedCount counts all of it.")
    skipped_count: float = field(
        "How much input was left out in all.", of=lambda source: source.skipped_total
    )


@strawberry.type(description="An installed plugin.")
class Plugin:
    name: str = field("Its name.")
    kind: PluginKind = field("What it does.")
    package: str = field("The package it is part of.")
    version: str = field("The version of that package.")
    description: str | None = field("What it takes in, and how it recognises it.")
    stability: str | None = field("How much its behaviour may still change: EXPERIMENTAL, BETA or STABLE.")
    error: str | None = field("Why it cannot be used, if it cannot.")


def _sources(context: Context) -> list[SourceReport]:
    return list(context.sources())


@strawberry.type(description="This server.")
class Server:
    version: str = field("The version of graphql-runs.")
    store: str = field(
        "The kind of store that keeps everything.", of=lambda context: context.store.capabilities.name
    )
    capabilities: list[str] = field(
        "What the store can do here, and facts about it as `name=value`.",
        of=lambda context: capabilities(context.store),
    )
    plugins: list[Plugin] = field("The installed plugins.")
    sources: list[Source] = field("What is being read and followed.", of=_sources)
    limits: JSON = field(
        "What one operation may ask for at most, by name.", of=lambda context: context.limits.as_json()
    )
