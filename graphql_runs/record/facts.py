"""How a run's record comes to be and changes by what producers say of it (statuses apart)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from graphql_runs.model.errors import LimitExceeded
from graphql_runs.model.operation import Annotate, DeclareRun
from graphql_runs.model.run import Queueing, Run
from graphql_runs.model.status import RunStatus
from graphql_runs.model.time import Micros
from graphql_runs.record.identity import identified
from graphql_runs.record.limits import RecordLimits
from graphql_runs.record.union import PLACEHOLDER

_DECLARED = (
    "display_name", "description", "kind", "target", "submitted_by", "heartbeat_seconds", "primary_metric",
    "primary_metric_goal", "portal_url",
)  # fmt: skip
_ANNOTATED = (
    "display_name", "description", "started_at", "ended_at", "heartbeat_at", "exit_code", "error", "warnings", "queueing",
    "target", "primary_metric", "primary_metric_goal", "portal_url", "cancel_requested_at", "submitted_by",
)  # fmt: skip


def declared(
    operation: DeclareRun,
    *,
    id: str,
    workspace: str,
    experiment: str,
    cluster: str | None,
    parent: Run | None,
    number: int,
    arrival: Micros,
    limits: RecordLimits,
) -> Run:
    """A new run. Until something says more its status is NOT_STARTED. Below a trashed run it is in the trash with that one."""
    created = min(arrival if operation.created_at is None else operation.created_at, arrival)
    run = Run(
        id=id,
        run_id=operation.run_id,
        workspace=workspace,
        experiment=experiment,
        root=id if parent is None else parent.root,
        parent=None if parent is None else parent.id,
        depth=0 if parent is None else parent.depth + 1,
        number=number,
        name=operation.name,
        source=operation.source,
        created_at=created,
        status=RunStatus.NOT_STARTED,
        status_at=created,
        cluster=cluster,
        trashed_at=None if parent is None else parent.trashed_at,
        tags=dict(operation.tags),
        params=dict(operation.params),
        properties=dict(operation.properties),
        **{name: getattr(operation, name) for name in _DECLARED},
    )
    return identified(run, operation.identities, limits)


def placeholder(
    run_id: str, *, id: str, workspace: str, experiment: str, parent: Run | None, number: int, arrival: Micros
) -> Run:
    """A run that was only named as a parent so far."""
    return Run(
        id=id,
        run_id=run_id,
        workspace=workspace,
        experiment=experiment,
        root=id if parent is None else parent.root,
        parent=None if parent is None else parent.id,
        depth=0 if parent is None else parent.depth + 1,
        number=number,
        name=run_id,
        source=PLACEHOLDER,
        created_at=arrival,
        status=RunStatus.UNKNOWN,
        status_at=arrival,
        placeholder=True,
        trashed_at=None if parent is None else parent.trashed_at,
    )


def declared_again(
    run: Run, operation: DeclareRun, experiment: str, cluster: str | None, limits: RecordLimits
) -> Run:
    """What a further declaration changes: unknown fields are filled, given ones updated, maps merged by key."""
    changes = _given(operation, _DECLARED)
    changes |= {"name": operation.name, "experiment": experiment if run.placeholder else run.experiment}
    if cluster is not None:
        changes["cluster"] = cluster
    if run.placeholder:
        changes |= {"placeholder": False, "source": operation.source}
        if not run.evidence:
            changes["status"] = RunStatus.NOT_STARTED
    if operation.created_at is not None and operation.created_at < run.created_at:
        changes["created_at"] = operation.created_at
    changes |= _maps(run, operation, limits)
    return identified(replace(run, **changes), operation.identities, limits)


def annotated(run: Run, operation: Annotate, cluster: str | None, limits: RecordLimits) -> Run:
    """The run with these facts."""
    changes = _given(operation, _ANNOTATED)
    if operation.queueing == Queueing():
        changes["queueing"] = None
    if cluster is not None:
        changes["cluster"] = cluster
    changes |= _maps(run, operation, limits)
    if operation.remove_tags:
        tags = changes.get("tags", run.tags)
        changes["tags"] = {key: value for key, value in tags.items() if key not in set(operation.remove_tags)}
    return identified(replace(run, **changes) if changes else run, operation.identities, limits)


def _given(operation: DeclareRun | Annotate, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(operation, name)) is not None}


def _maps(run: Run, operation: DeclareRun | Annotate, limits: RecordLimits) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for name in ("tags", "params", "properties"):
        given: Mapping[str, str] = getattr(operation, name)
        if given:
            merged = {**getattr(run, name), **given}
            if len(merged) > limits.keys:
                raise LimitExceeded(
                    f"run {run.run_id!r} would have {len(merged)} {name}, the limit is {limits.keys}",
                    field=name,
                )
            changes[name] = merged
    return changes
