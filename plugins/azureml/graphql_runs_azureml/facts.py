"""What is said of a run, from its details: the operations of the unit `details`, and the declaration that goes before others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from graphql_runs.model.operation import Annotate, DeclareRun, RunOperation, SetStatus
from graphql_runs.model.status import RunStatus, StatusClass
from graphql_runs.model.time import Micros
from graphql_runs_azureml.details import Details
from graphql_runs_azureml.discovery import Found

SOURCE = "azureml"
_PAST_RUNNING = (StatusClass.TERMINAL, StatusClass.POST_PROCESSING)
_NAMES_LENGTH = 16_384
_LOCAL = "local"
"""The target of runs on the machine that submitted them: no cluster."""


def declaration(found: Found, details: Details | None) -> DeclareRun:
    """The run with what never changes of it, so that it does no harm when it is said late."""
    return DeclareRun(
        run_id=found.run_id,
        experiment=(details.experiment if details else None) or found.experiment,
        name=(details.name if details else None) or found.run_id,
        source=SOURCE,
        parent=found.parent_id,
        root=found.root_id if found.parent_id is not None else None,
        # get_details() has no time of creation; the start is the nearest to it.
        created_at=(details.created_at or details.started_at) if details else found.oldest,
    )


@dataclass(frozen=True, slots=True)
class Told:
    """What was told of a run before, kept in the checkpoint of its unit `details`.

    digest: of everything that it was read from.
    status: the word for its status and the time that was given with it; None before the first.
    ran:    that it was running has been told.
    tags:   the names of its tags.
    """

    digest: str = ""
    status: tuple[str, Micros] | None = None
    ran: bool = False
    tags: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """For a checkpoint."""
        status = None if self.status is None else list(self.status)
        return {"digest": self.digest, "status": status, "ran": self.ran, "tags": list(self.tags)}

    @staticmethod
    def from_json(value: Mapping[str, object] | None) -> Told:
        """From a checkpoint. Raises ValueError when it is none of ours."""
        match value:
            case None:
                return Told()
            case {"digest": str(digest), "status": None, "ran": bool(ran), "tags": [*tags]}:
                return Told(digest, None, ran, tuple(map(str, tags)))
            case {"digest": str(digest), "status": [str(word), int(at)], "ran": bool(ran), "tags": [*tags]}:
                return Told(digest, (word, at), ran, tuple(map(str, tags)))
        raise ValueError(f"not a checkpoint of details: {value!r}")


def described(
    found: Found,
    details: Details,
    params: Mapping[str, str],
    place: str,
    modified: Micros,
    told: Told,
    digest: str,
) -> tuple[list[RunOperation], Told]:
    """Everything that the details say, and what has been told with it.

    params:   those that the parent knows of the run; they go before those that the run knows itself.
    place:    the details file, for the evidence.
    modified: when it was changed: the time of a status that has no time of its own.
    """
    base = declaration(found, details)
    operations: list[RunOperation] = [
        replace(
            base,
            display_name=details.display_name,
            description=details.description,
            kind=details.kind,
            cluster=None if details.target == _LOCAL else details.target,
            target=details.target,
            submitted_by=details.submitted_by,
            primary_metric=details.primary_metric,
            primary_metric_goal=details.primary_metric_goal,
            portal_url=details.portal_url,
            tags=details.tags,
            params={**details.params, **params},
            properties=details.properties,
        )
    ]
    facts = Annotate(
        run_id=found.run_id,
        remove_tags=tuple(name for name in told.tags if name not in details.tags),
        started_at=details.started_at,
        ended_at=details.ended_at,
        error=details.error,
        warnings=details.warnings,
        queueing=details.queueing,
    )
    if facts != Annotate(run_id=found.run_id):
        operations.append(facts)
    at = _since(details, modified, told.status)
    ran = told.ran or details.status is RunStatus.RUNNING
    if not ran and details.started_at is not None and details.status.status_class in _PAST_RUNNING:
        # The first that is seen of the run is its end; its start tells when it was running.
        operations.append(SetStatus(found.run_id, RunStatus.RUNNING, place, min(details.started_at, at)))
        ran = True
    source = place if details.status_field == "status" else f"{place} {details.status_field}"
    operations.append(SetStatus(found.run_id, details.status, source, at, original=details.original))
    return operations, Told(digest, (details.original, at), ran, _names(details.tags))


def _since(details: Details, modified: Micros, last: tuple[str, Micros] | None) -> Micros:
    """Since when the run is in its status, as near as the details tell, and never before the status it had until now:
    times come from two clocks, the service's and that of the file."""
    if last is not None and last[0] == details.original:
        return last[1]
    known: Micros | None = None
    if details.status.terminal:
        known = details.ended_at
    elif details.status is RunStatus.RUNNING:
        known = details.started_at
    elif details.status is RunStatus.NOT_STARTED:
        known = details.created_at
    elif details.status is RunStatus.QUEUED and details.queueing is not None:
        known = details.queueing.refreshed_at
    if known is None:
        known = modified
    return known if last is None or known >= last[1] else max(modified, last[1])


def _names(tags: Mapping[str, str]) -> tuple[str, ...]:
    """The names of the tags, by which those that go are noticed, unless they are too many for a checkpoint."""
    return tuple(tags) if sum(map(len, tags)) <= _NAMES_LENGTH else ()
