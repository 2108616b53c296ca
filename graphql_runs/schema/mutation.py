"""What clients write. Everything goes through the recorder, and is durable when the answer comes."""

from dataclasses import dataclass
from typing import Annotated
from uuid import uuid4

import strawberry

from graphql_runs.model import ids, records
from graphql_runs.model.cursor import TreeCursor
from graphql_runs.model.errors import AlreadyExists, InvalidInput, NotFound, RunsError, SequenceConflict
from graphql_runs.model.operation import RestoreRun, TrashRun
from graphql_runs.model.run import Run as RunRecord
from graphql_runs.model.run import RunFailure
from graphql_runs.read.identity import Identity
from graphql_runs.read.records import find_run
from graphql_runs.record.request import Recorded
from graphql_runs.schema import operations
from graphql_runs.schema.cluster import Cluster
from graphql_runs.schema.common import mapping
from graphql_runs.schema.context import Context, Info
from graphql_runs.schema.experiment import Experiment
from graphql_runs.schema.field import argument, field
from graphql_runs.schema.inputs import (
    CreateExperimentInput,
    CreateRunInput,
    CreateWorkspaceInput,
    RecordInput,
    UpdateRunInput,
    UpsertClusterInput,
)  # fmt: skip
from graphql_runs.schema.limits import bounded
from graphql_runs.schema.run import Run, RunError
from graphql_runs.schema.run_edge import cursor_of_workspace, one_run, that_run
from graphql_runs.schema.schema import identities
from graphql_runs.schema.selection import selects
from graphql_runs.schema.workspace import Workspace


@strawberry.type(description="The workspace that is there now.")
class CreateWorkspacePayload:
    workspace: Workspace = field("The workspace.", of=lambda made: made)


@strawberry.type(description="The experiment that is there now.")
class CreateExperimentPayload:
    experiment: Experiment = field("The experiment.", of=lambda made: made)


@strawberry.type(description="The cluster as it is now.")
class UpsertClusterPayload:
    cluster: Cluster = field("The cluster.", of=lambda made: made)


@dataclass(frozen=True, slots=True)
class _Written:
    run: str
    recorded: Recorded
    epoch: str

    @property
    def live_cursor(self) -> str:
        return TreeCursor(self.epoch, self.recorded.root, self.recorded.n).encode()


async def _written_run(root: strawberry.Parent[_Written], info: Info) -> RunRecord:
    return await that_run(info, root.run)


@strawberry.type(description="The run that is there now.")
class CreateRunPayload:
    run: Run = field("The run.", _written_run)
    live_cursor: str = field("The run's tree with this written; `runTree(after:)` goes on from exactly here.")


@strawberry.type(description="What was recorded.")
class RecordPayload:
    run: Run = field("The run, as it is now.", _written_run)
    repeated: bool = field(
        "This writer and sequence had been taken before; nothing was written.",
        of=lambda written: written.recorded.repeated,
    )
    live_cursor: str = field("The run's tree with this written; `runTree(after:)` goes on from exactly here.")


@strawberry.type(description="The run with its new facts.")
class UpdateRunPayload:
    run: Run = field("The run, as it is now.", _written_run)


_Runs = Annotated[list[strawberry.ID], argument("The runs: the server's ids, or the producers'.")]


@dataclass(frozen=True, slots=True)
class _Result:
    id: str
    run: str | None = None
    error: RunFailure | None = None


async def _result_run(root: strawberry.Parent[_Result], info: Info) -> RunRecord | None:
    return await one_run(info, root.run)


@strawberry.type(description="What became of one of the runs asked for. One bad id fails alone.")
class RunResult:
    id: strawberry.ID = field("The id that was asked for.")
    run: Run | None = field(
        "The run, as it is now; null for an unknown id, and for a run that was purged.", _result_run
    )
    error: RunError | None = field("Why nothing was done.")


async def _create_workspace(
    info: Info, input: Annotated[CreateWorkspaceInput, argument("The workspace.")]
) -> records.Workspace:
    with operations.placed():
        return await info.context.recorder.create_workspace(input.name, input.description)


async def _create_experiment(
    info: Info, input: Annotated[CreateExperimentInput, argument("The experiment.")]
) -> records.Experiment:
    with operations.placed():
        return await info.context.recorder.create_experiment(
            input.workspace, input.name, input.description, mapping(input.tags)
        )


async def _upsert_cluster(
    info: Info, input: Annotated[UpsertClusterInput, argument("The cluster.")]
) -> records.Cluster:
    if selects(info, "cluster", "liveCursor"):
        await cursor_of_workspace(info.context, ids.workspace_id(input.workspace))
    with operations.placed():
        return await info.context.recorder.describe_cluster(input.workspace, operations.description(input))


async def _create_run(info: Info, input: Annotated[CreateRunInput, argument("The run.")]) -> _Written:
    context = info.context
    parent = None if input.parent is None else await _parent(context, input.parent, input.workspace)
    root = None if parent is None else await context.get(RunRecord, parent.root)
    run_id = str(uuid4()) if input.run_id is None else input.run_id
    made = operations.creation(input, run_id, parent, root)
    # A repetition with the same id is recognised as any writer's is, by its number and content.
    writer = None if input.run_id is None else f"createRun {run_id}"
    try:
        recorded = await _write(
            context, input.workspace, made, writer, None if writer is None else 0, create=True
        )
    except SequenceConflict as error:
        raise AlreadyExists(
            f"run {run_id[:80]!r} was created with another content", field="input.runId"
        ) from error
    return _Written(ids.run_id(ids.workspace_id(input.workspace), run_id), recorded, context.store.epoch)


async def _record(info: Info, input: Annotated[RecordInput, argument("What happened.")]) -> _Written:
    who = await identities(info).of(info.context.store, input.run, field="input.run")
    said = operations.recording(input, who.run_id)
    recorded = await _write(info.context, who.workspace, said, input.writer, input.sequence)
    return _Written(who.id, recorded, info.context.store.epoch)


async def _update_run(info: Info, input: Annotated[UpdateRunInput, argument("The new facts.")]) -> _Written:
    who = await identities(info).of(info.context.store, input.run, field="input.run")
    recorded = await _write(info.context, who.workspace, operations.update(input, who.run_id))
    return _Written(who.id, recorded, info.context.store.epoch)


async def _request_cancel(info: Info, runs: _Runs) -> list[_Result]:
    bounded(len(runs), info.context.limits.ids, "runs")
    return [await _cancel(info, id) for id in runs]


async def _cancel(info: Info, id: str) -> _Result:
    context = info.context
    try:
        who = await identities(info).of(context.store, id, field="runs")
        run = await context.get(RunRecord, who.id)
        if run is None:
            raise NotFound(f"there is no run {id[:80]!r}", field="runs")
        if run.status.terminal:
            raise InvalidInput(f"run {run.run_id!r} has ended: {run.status}", field="runs")
        await _write(context, who.workspace, operations.cancellation(who.run_id))
    except RunsError as error:
        return _failed(id, error)
    return _Result(id, who.id)


async def _trash_runs(info: Info, runs: _Runs) -> list[_Result]:
    bounded(len(runs), info.context.limits.ids, "runs")
    return [await _move(info, id, TrashRun) for id in runs]


async def _restore_runs(info: Info, runs: _Runs) -> list[_Result]:
    bounded(len(runs), info.context.limits.ids, "runs")
    # Upper ones first, so that whoever restores everything need not know the order.
    depths = {id: await _depth(info, id) for id in dict.fromkeys(runs)}
    results = {id: await _move(info, id, RestoreRun) for id in sorted(depths, key=lambda id: depths[id])}
    return [results[id] for id in runs]


async def _depth(info: Info, id: str) -> int:
    try:
        run = await find_run(info.context.store, id)
    except InvalidInput:
        return 0  # ambiguous, as its own result will say
    return 0 if run is None else run.depth


async def _move(info: Info, id: str, operation: type[TrashRun | RestoreRun]) -> _Result:
    context = info.context
    try:
        who = await identities(info).of(context.store, id, field="runs")
        await _write(context, who.workspace, [(operation(who.run_id), "runs")])
    except RunsError as error:
        return _failed(id, error)
    return _Result(id, who.id)


async def _purge_runs(info: Info, runs: _Runs) -> list[_Result]:
    bounded(len(runs), info.context.limits.ids, "runs")
    # All are looked up first: a run that goes with another one of the list is no error.
    found = [(id, await _identity(info, id)) for id in runs]
    gone: set[str] = set()
    results = [who if isinstance(who, _Result) else await _purge(info, id, who, gone) for id, who in found]
    info.context.renew()
    return results


async def _identity(info: Info, id: str) -> Identity | _Result:
    try:
        return await identities(info).of(info.context.store, id, field="runs")
    except RunsError as error:
        return _failed(id, error)


async def _purge(info: Info, id: str, who: Identity, gone: set[str]) -> _Result:
    try:
        if who.id not in gone:
            gone.update((await info.context.recorder.purge(who.id)).runs)
    except RunsError as error:
        return _failed(id, error)
    return _Result(id)


def _failed(id: str, error: RunsError) -> _Result:
    return _Result(id, error=RunFailure(error.message, error.code))


async def _write(
    context: Context,
    workspace: str,
    placed: operations.Placed,
    writer: str | None = None,
    sequence: int | None = None,
    *,
    create: bool = False,
) -> Recorded:
    with operations.placed(placed):
        said = [operation for operation, _ in placed]
        recorded = await context.recorder.record(
            workspace, said, writer=writer, sequence=sequence, create=create
        )
    # What was read before in this operation may have changed.
    context.renew()
    return recorded


async def _parent(context: Context, id: str, workspace: str) -> RunRecord | None:
    """The parent, if it is known; an unknown producer's id will be a placeholder. Raises NotFound, InvalidInput."""
    found = await find_run(context.store, id, workspace, field="input.parent")
    if found is None and ids.kind_of(id) is not None:
        raise NotFound(f"there is no run {id!r} in workspace {workspace!r}", field="input.parent")
    return found


@strawberry.type(
    description="What clients write. When the answer comes it is durable, or nothing of it was written."
)
class Mutation:
    create_workspace: CreateWorkspacePayload = field(
        "Make a workspace. A repetition gives the one that is there; another description is an error.",
        _create_workspace,
    )
    create_experiment: CreateExperimentPayload = field(
        "Make an experiment. A repetition gives the one that is there; another description is an error.",
        _create_experiment,
    )
    create_run: CreateRunPayload = field("Make a run, in the tree of its parent if it has one.", _create_run)
    record: RecordPayload = field(
        "Points, rows, log text, status, tags and more of one run in one durable batch, harmless to repeat.",
        _record,
    )
    update_run: UpdateRunPayload = field("Change what is known of a run.", _update_run)
    upsert_cluster: UpsertClusterPayload = field(
        "Describe a cluster as it is now; it is made if missing.", _upsert_cluster
    )
    request_cancel: list[RunResult] = field(
        "Ask for runs to be canceled: they become CANCEL_REQUESTED, and whoever runs them sees to it.",
        _request_cancel,
    )
    trash_runs: list[RunResult] = field(
        "Put runs into the trash, each with everything below it. Lists leave them out, what comes in for them is still "
        "written, and after a while they are purged. One that is there already stays as it is.",
        _trash_runs,
    )
    restore_runs: list[RunResult] = field(
        "Bring runs back from the trash, each with everything that went there with it. One below a trashed run cannot "
        "come back alone.",
        _restore_runs,
    )
    purge_runs: list[RunResult] = field(
        "Delete runs for good, each with everything below it: metrics, logs, outputs. Only runs in the trash can be purged. "
        "Their ids are free again; a run that is gone already is NOT_FOUND.",
        _purge_runs,
    )
