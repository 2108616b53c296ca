"""From the inputs of mutations to what the recorder is told, and from its errors back to places in the input."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from graphql_runs.model.errors import InvalidInput, RunsError
from graphql_runs.model.operation import (
    Annotate,
    DeclareRun,
    DescribeCluster,
    LogPoints,
    LogRows,
    LogText,
    RunOperation,
    SetStatus,
)  # fmt: skip
from graphql_runs.model.records import PAYLOAD, PAYLOAD_KINDS, ClusterNode, MetricKind
from graphql_runs.model.run import Queueing, Run, RunFailure, RunWarning
from graphql_runs.model.status import RunStatus
from graphql_runs.model.time import now
from graphql_runs.schema.common import mapping
from graphql_runs.schema.inputs import (
    CreateRunInput,
    PayloadInput,
    QueueingInput,
    RecordInput,
    RunErrorInput,
    StatusInput,
    UpdateRunInput,
    UpsertClusterInput,
)  # fmt: skip
from graphql_runs.schema.scalars import encode_json

SOURCE = "api"
"""Where statements that come through the API are said to be from."""

Placed = list[tuple[RunOperation, str]]
"""Operations, each with the place of the input that it comes from."""


def creation(given: CreateRunInput, run_id: str, parent: Run | None, root: Run | None) -> Placed:
    """The operations that create a run; `parent` and `root` are those above it, where they are known."""
    declared = DeclareRun(
        run_id=run_id,
        experiment=given.experiment,
        name=given.name,
        source=SOURCE,
        parent=given.parent if parent is None else parent.run_id,
        root=None if root is None else root.run_id,
        display_name=given.display_name,
        description=given.description,
        kind=given.kind,
        cluster=given.cluster,
        target=given.target,
        submitted_by=given.submitted_by,
        created_at=given.created_at,
        heartbeat_seconds=given.heartbeat_seconds,
        primary_metric=given.primary_metric,
        primary_metric_goal=given.primary_metric_goal,
        portal_url=given.portal_url,
        tags=mapping(given.tags),
        params=mapping(given.params),
        properties=mapping(given.properties),
        identities=tuple(given.identities or ()),
    )
    return [(declared, "input"), *_status(given.status, run_id)]


def recording(given: RecordInput, run_id: str) -> Placed:
    """The operations of a `record`."""
    found: Placed = []
    for index, points in enumerate(given.points or ()):
        said = LogPoints(run_id, points.metric, points.values, points.steps, points.at, points.kind)
        found.append((said, f"input.points[{index}]"))
    for index, rows in enumerate(given.rows or ()):
        columns = {column.name: column.values for column in rows.columns}
        if len(columns) < len(rows.columns):
            place = f"input.rows[{index}].columns"
            raise InvalidInput(f"{place} names a column twice", field=place)
        found.append(
            (LogRows(run_id, rows.metric, columns, rows.steps, rows.at, rows.kind), f"input.rows[{index}]")
        )
    for index, payload in enumerate(given.payloads or ()):
        place = f"input.payloads[{index}]"
        found.append((_payload(payload, run_id, place), place))
    for index, log in enumerate(given.logs or ()):
        data = log.text.encode("utf-8", "replace")
        found.append(
            (LogText(run_id, log.path, data, log.stream, log.rank, log.complete), f"input.logs[{index}]")
        )
    found += _status(given.status, run_id)
    facts = Annotate(
        run_id,
        tags=mapping(given.tags),
        params=mapping(given.params),
        properties=mapping(given.properties),
        exit_code=given.exit_code,
        heartbeat_at=given.heartbeat_at,
    )
    if facts != Annotate(run_id):
        found.append((facts, "input"))
    if not found:
        raise InvalidInput("input holds nothing to record", field="input")
    return found


def update(given: UpdateRunInput, run_id: str) -> Placed:
    """The operations of an `updateRun`."""
    facts = Annotate(
        run_id,
        display_name=given.display_name,
        description=given.description,
        tags=mapping(given.tags),
        remove_tags=tuple(given.remove_tags or ()),
        params=mapping(given.params),
        properties=mapping(given.properties),
        started_at=given.started_at,
        ended_at=given.ended_at,
        heartbeat_at=given.heartbeat_at,
        exit_code=given.exit_code,
        error=_failure(given.error),
        warnings=None
        if given.warnings is None
        else tuple(RunWarning(w.message, w.source) for w in given.warnings),
        queueing=_queueing(given.queueing),
        cluster=given.cluster,
        target=given.target,
        primary_metric=given.primary_metric,
        primary_metric_goal=given.primary_metric_goal,
        portal_url=given.portal_url,
        identities=tuple(given.identities or ()),
    )
    found: Placed = [] if facts == Annotate(run_id) else [(facts, "input")]
    found += _status(given.status, run_id)
    if not found:
        raise InvalidInput("input holds nothing to change", field="input")
    return found


def cancellation(run_id: str) -> Placed:
    """The operations that ask for a run to be canceled, as of now."""
    at = now()
    asked = SetStatus(run_id, RunStatus.CANCEL_REQUESTED, SOURCE, at=at)
    return [(Annotate(run_id, cancel_requested_at=at), "runs"), (asked, "runs")]


def description(given: UpsertClusterInput) -> DescribeCluster:
    """A cluster as an `upsertCluster` describes it."""
    return DescribeCluster(
        name=given.name,
        kind=given.kind,
        state=given.state,
        vm_size=given.vm_size,
        vm_priority=given.vm_priority,
        min_nodes=given.min_nodes,
        max_nodes=given.max_nodes,
        current_nodes=given.current_nodes,
        target_nodes=given.target_nodes,
        node_states=None
        if given.node_states is None
        else {entry.state: entry.count for entry in given.node_states},
        nodes=None
        if given.nodes is None
        else tuple(
            ClusterNode(node.name, node.state, node.run_id, node.ip, node.port) for node in given.nodes
        ),
        portal_url=given.portal_url,
    )


_OPERATION = re.compile(r"\boperations\[(\d+)\]")


@contextmanager
def placed(operations: Sequence[tuple[RunOperation, str]] = ()) -> Iterator[None]:
    """Within it, errors of the recorder name the places of the input that the operations come from."""

    def translate(text: str) -> str:
        return _OPERATION.sub(lambda found: operations[int(found[1])][1], text)

    try:
        yield
    except RunsError as error:
        error.message = translate(error.message)
        if error.field is not None:
            field = translate(error.field.removeprefix("cluster."))
            error.field = field if field.startswith("input") else f"input.{field}"
        raise


def _payload(given: PayloadInput, run_id: str, place: str) -> LogRows:
    steps = None if given.step is None else [given.step]
    at = None if given.at is None else [given.at]
    value: str | None
    other: object
    if given.kind is MetricKind.IMAGE:
        name, value, wanted, other = "path", given.artifact, "artifact", given.payload
    elif given.kind in PAYLOAD_KINDS or given.kind is MetricKind.HISTOGRAM:
        name, value, wanted, other = PAYLOAD, _text(given.payload, place), "payload", given.artifact
    else:
        raise InvalidInput(
            f"{place}.kind: {given.kind} has no payload; log points or rows", field=f"{place}.kind"
        )
    if value is None or other is not None:
        field = f"{place}.{wanted}"
        raise InvalidInput(f"{field} is wanted for {given.kind}, and nothing else", field=field)
    return LogRows(run_id, given.metric, {name: [value]}, steps, at, given.kind)


def _text(payload: object, place: str) -> str | None:
    try:
        return None if payload is None else encode_json(payload).decode()
    except TypeError as error:  # orjson: an integer beyond 64 bits, or nested too deeply
        raise InvalidInput(f"{place}.payload cannot be kept: {error}", field=f"{place}.payload") from error


def _status(given: StatusInput | None, run_id: str) -> Placed:
    if given is None:
        return []
    said = SetStatus(run_id, given.status, SOURCE, at=given.at, original=given.original, detail=given.detail)
    return [(said, "input.status")]


def _failure(given: RunErrorInput | None) -> RunFailure | None:
    return None if given is None else RunFailure(given.message, given.code, given.detail)


def _queueing(given: QueueingInput | None) -> Queueing | None:
    return None if given is None else Queueing(given.code, given.message, given.refreshed_at, given.position)
