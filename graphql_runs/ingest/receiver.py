"""What a receiver is: a plugin that is spoken to over HTTP, instead of reading files.

A receiver is an object with the attributes and the method of `Receiver`, named by an entry point of the group
`graphql_runs.receivers`; the entry point has the name of its plugin. It gets a `Desk` from the server: the recorder to write with, and as
much reading as answering its clients takes. It gives routes below `/ingest/<name>`, or below the paths it `claims` for a foreign API.

The server lets nobody through without its token, nor web pages of other origins; it bounds bodies (`request_bytes`, of PUT
`upload_bytes`), and masks what a receiver raises. A receiver that does not load, or asks for routes that are not its own, is reported
and leaves everything else alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graphql_runs.ingest.api import Limits, Stability
from graphql_runs.ingest.writer import Records
from graphql_runs.model.filter import Key, Order, RunFilter
from graphql_runs.model.points import Points
from graphql_runs.model.records import Artifact, Experiment, Metric
from graphql_runs.model.run import Run

RECEIVERS = "graphql_runs.receivers"
"""The entry-point group that receivers are found by."""


class Recording(Records, Protocol):
    """What a receiver needs of the recorder, and of experiments."""

    async def create_experiment(
        self, workspace: str, name: str, description: str | None = None, tags: Mapping[str, str] | None = None
    ) -> Experiment:
        """The experiment of that name, made if missing. Raises AlreadyExists when it has another description or other tags."""
        ...

    async def tag_experiment(
        self, experiment: str, tags: Mapping[str, str], remove: Sequence[str] = ()
    ) -> Experiment:
        """Set and remove tags of an experiment by its id. Raises NotFound, InvalidInput, LimitExceeded."""
        ...


class Reading(Protocol):
    """What a receiver may look at. Ids are the server's; lists are bounded by their callers."""

    async def find_run(self, workspace: str, id: str) -> Run | None:
        """The run of a producer's or the server's id in a workspace, in the trash or not."""
        ...

    async def runs(
        self, where: RunFilter | None, order: Sequence[Order], *, after: Key | None, first: int
    ) -> list[tuple[Run, Key]]:
        """A page of runs, those in the trash included, each with its place in the order."""
        ...

    def condition(self, text: str) -> RunFilter | None:
        """The conditions of a text in MLflow's search grammar (docs/filters.md). Raises InvalidText."""
        ...

    async def experiments(self, ids: Sequence[str]) -> list[Experiment | None]:
        """Experiments by id, None for unknown ones."""
        ...

    async def experiments_of(self, workspace: str, *, after: str | None, first: int) -> list[Experiment]:
        """A page of the experiments of a workspace, by name, after a name."""
        ...

    async def metrics(self, ids: Sequence[str]) -> list[Metric | None]:
        """Metrics by id, None for unknown ones."""
        ...

    async def metrics_of(self, run: str) -> list[Metric]:
        """All metrics of a run, by name."""
        ...

    async def points(self, metric: str, start: int, end: int) -> Points:
        """Rows `[start, end)` of a metric; fewer where it ends earlier."""
        ...

    async def artifacts_of(self, run: str, prefix: str) -> list[Artifact]:
        """All outputs of a run whose paths begin with a text, by path."""
        ...


class Outputs(Protocol):
    """The bytes of outputs."""

    async def keep(
        self, run: Run, path: str, chunks: AsyncIterator[bytes], content_type: str | None
    ) -> Artifact:
        """Make or replace an output of a run, durably. Raises InvalidInput, LimitExceeded."""
        ...

    async def content(self, request: Request, run: str, path: str) -> Response:
        """The answer to a GET of an output of the run of that id, ranges included. Raises NotFound."""
        ...


@dataclass(frozen=True, slots=True)
class Desk:
    """What a receiver gets from the server.

    workspace:  the one to use for clients that name none.
    body_bytes: the most that may come of one body, once it is unpacked.
    """

    recording: Recording
    reading: Reading
    outputs: Outputs
    workspace: str
    limits: Limits
    body_bytes: int


class Receiver(Protocol):
    """A plugin that is spoken to. `receiver` in the plugin's package is an instance of it."""

    name: str
    """Short, lower case; its place is `/ingest/<name>`."""
    description: str
    """One sentence: who speaks to it, and how."""
    stability: Stability
    claims: Sequence[str]
    """Beginnings of paths besides its place, for clients that have a path of their own: `/api/2.0/mlflow/`."""

    def routes(self, desk: Desk) -> Sequence[Route]:
        """Its routes, with their whole paths."""
        ...
