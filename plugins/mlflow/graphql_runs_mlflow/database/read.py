"""Reading one run of a database: its facts, and its points in the order in which they were logged.

Rows of `metrics` are never changed; they have the numbers that SQLite gives to new rows, so a run's new points come after the last
one that was read. Numbers may become others (VACUUM, or a new version of MLflow that copies the table), but not their order: the
checkpoint names the last row by what makes it unique, and its number is looked up each time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from graphql_runs.ingest.api import Context, Delivery, Skipped, Unit, Unreadable
from graphql_runs.model.operation import Annotate, LogPoints, RunOperation
from graphql_runs.model.time import now
from graphql_runs_mlflow.database.listing import Found, spoiled
from graphql_runs_mlflow.database.opening import Row, Session, session, text, texts
from graphql_runs_mlflow.database.points import Last, points_of
from graphql_runs_mlflow.database.tables import Tables, full_name, tables_of
from graphql_runs_mlflow.database.units import Database, listing_in
from graphql_runs_mlflow.facts import found_artifacts, in_parts, told_artifacts
from graphql_runs_mlflow.run import (
    MODEL,
    MODELS,
    PARENT,
    RunFacts,
    Told,
    dataset_property,
    micros,
    same_place,
)

_PLACE = "database"
_ROW_BYTES = 40
_MOST_ROWS = 50_000
_FACTS = 100_000
"""Params, tags and inputs of a run beyond so many are left out and reported."""
_OLD = 60_000_000
"""Micros after which a point is no sign that its run is alive now."""
_MODEL_STATUSES = {1: "LOGGED_MODEL_PENDING", 2: "LOGGED_MODEL_READY", 3: "LOGGED_MODEL_UPLOAD_FAILED"}
"""LoggedModelStatus of mlflow/entities/logged_model_status.py."""


@dataclass(frozen=True, slots=True)
class _Page:
    facts: RunFacts
    rows: Sequence[Row]
    left_out: bool


def read_run(unit: Unit, checkpoint: Mapping[str, object] | None, context: Context) -> Iterator[Delivery]:
    """What is new of a run: facts when any of them changed, and points."""
    assert unit.run is not None
    same_place(checkpoint, _PLACE)
    found = unit.hints["found"]
    assert isinstance(found, Found)
    told, last = Told.from_json(checkpoint), Last.from_json(checkpoint)
    size = max(1, min(_MOST_ROWS, context.limits.delivery_bytes // _ROW_BYTES))
    artifacts = found_artifacts(unit.run.run_id, found.artifacts, unit.files, context)
    while True:
        page = _page(found, unit.run.root_id, last, size, context)
        if page is None:
            return  # deleted for good
        now_told = Told.of(page.facts, told_artifacts(artifacts))
        points, problems = points_of(found.run_id, page.rows)
        problems += [f"run {found.run_id}: more than {_FACTS} params or tags"] * page.left_out
        if page.rows:
            last = Last.of(page.rows[-1])
        place: dict[str, object] = {"place": _PLACE, **({} if last is None else last.to_json())}
        operations: list[RunOperation] = [*points, *_sign_of_life(found.run_id, points)]
        skipped = [Skipped(str(found.database), problem) for problem in problems]
        if told is None or told.digest != now_told.digest:
            operations = [*page.facts.operations(told), *operations]
            yield from in_parts(operations, artifacts, now_told, place, skipped)
        elif operations or skipped:
            yield Delivery({**now_told.to_json(), **place}, operations, skipped=skipped)
        told = now_told
        if len(page.rows) < size:
            return


def _sign_of_life(run_id: str, points: Sequence[LogPoints]) -> list[RunOperation]:
    """Points count as a heartbeat when they come in; old ones say themselves when there was one."""
    latest = max((int(max(one.at)) for one in points if one.at is not None), default=0)
    return [Annotate(run_id, heartbeat_at=latest)] if 0 < latest < now() - _OLD else []


def _page(found: Found, root: str, last: Last | None, size: int, context: Context) -> _Page | None:
    """The facts of a run and its next points, as they are together. None when there is no such run."""
    try:
        with session(context.tree.folder, found.database, context.limits) as opened:
            tables = tables_of(opened)
            opened.rows("BEGIN")
            facts, left_out = _facts(opened, tables, found, root)
            if facts is None:
                return None
            rows = _next_rows(opened, tables, found.run_id, last, size)
            return _Page(facts, rows, left_out)
    except Unreadable:
        spoiled(context.tree.folder, found.database)
        raise


def _next_rows(opened: Session, tables: Tables, run_id: str, last: Last | None, size: int) -> list[Row]:
    step, nan = tables.column("metrics", "step"), tables.column("metrics", "is_nan")
    after = 0 if last is None else last.row
    if last is not None and last.key is not None:
        known = opened.rows(
            f"SELECT rowid FROM metrics WHERE key = ? AND timestamp = ? AND {step} = ? AND run_uuid = ? AND value = ? AND {nan} = ?",
            last.key, last.timestamp, last.step, run_id, last.value, last.nan,
        )  # fmt: skip
        if not known:
            raise Unreadable(
                f"run {run_id}: the point of {last.key!r} that was read last is not there any more; nothing is read on, as it "
                "cannot be told what is new"
            )
        after = known[0][0]
    return opened.rows(
        f"SELECT key, value, timestamp, {step}, {nan}, rowid FROM metrics WHERE run_uuid = ? AND rowid > ? ORDER BY rowid LIMIT ?",
        run_id, after, size,
    )  # fmt: skip


def _facts(opened: Session, tables: Tables, found: Found, root: str) -> tuple[RunFacts | None, bool]:
    columns = ", ".join(tables.column("runs", name) for name in ("name", "user_id", "artifact_uri"))
    run_id = found.run_id
    rows = opened.rows(
        f"SELECT status, start_time, end_time, lifecycle_stage, experiment_id, {columns} FROM runs WHERE run_uuid = ?",
        run_id,
    )
    if not rows:
        return None, False
    status, started, ended, stage, experiment, name, user, artifact_uri = rows[0]
    params = opened.rows("SELECT key, value FROM params WHERE run_uuid = ? LIMIT ?", run_id, _FACTS + 1)
    tags = opened.rows("SELECT key, value FROM tags WHERE run_uuid = ? LIMIT ?", run_id, _FACTS + 1)
    properties = {"artifact_uri": place} if (place := text(artifact_uri)) else {}
    if tables.inputs:
        properties |= _datasets(opened, run_id)
    if tables.models:
        properties |= _models(opened, tables, run_id)
    named = texts(tags[:_FACTS])
    facts = RunFacts(
        run_id,
        experiment_name(opened, tables, experiment),
        str(found.database),
        text(status) or "",
        name=text(name),
        parent=named.get(PARENT) or None,
        root=root,
        user=text(user) or None,
        started_at=micros(started),
        ended_at=micros(ended),
        params=texts(params[:_FACTS]),
        tags=named,
        properties=properties,
        deleted=stage == b"deleted",
    )
    return facts, max(len(params), len(tags)) > _FACTS


def experiment_name(opened: Session, tables: Tables, id: object) -> str:
    """The name of an experiment; MLflow's workspaces other than the first are told apart by it."""
    workspace = tables.column("experiments", "workspace")
    for name, where in opened.rows(f"SELECT name, {workspace} FROM experiments WHERE experiment_id = ?", id):
        return full_name(text(name), text(where)) or str(id)
    return str(id)


def _datasets(opened: Session, run_id: str) -> dict[str, str]:
    found = {}
    for input_id, *values in opened.rows(
        "SELECT i.input_uuid, d.name, d.digest, d.dataset_source_type, d.dataset_source, d.dataset_schema, d.dataset_profile"
        " FROM inputs AS i JOIN datasets AS d ON d.dataset_uuid = i.source_id"
        " WHERE i.destination_type = 'RUN' AND i.destination_id = ? AND i.source_type = 'DATASET' LIMIT ?",
        run_id, _FACTS,
    ):  # fmt: skip
        name, digest, kind, source, schema, profile = map(text, values)
        tags = texts(opened.rows("SELECT name, value FROM input_tags WHERE input_uuid = ?", text(input_id)))
        dataset = {
            "name": name, "digest": digest, "source_type": kind, "source": source, "schema": schema, "profile": profile
        }  # fmt: skip
        key, kept = dataset_property(dataset, tags)
        found[key] = kept
    return found


def _models(opened: Session, tables: Tables, run_id: str) -> dict[str, str]:
    """Models that the run logged, as our receiver keeps them."""
    found: dict[str, str] = {}
    step = tables.column("inputs", "step")
    for model_id, at_step, name, kind, status, created in opened.rows(
        f"SELECT m.model_id, i.{step}, m.name, m.model_type, m.status, m.creation_timestamp_ms"
        " FROM inputs AS i JOIN logged_models AS m ON m.model_id = i.destination_id"
        " WHERE i.source_type = 'RUN_OUTPUT' AND i.source_id = ? AND i.destination_type = 'MODEL_OUTPUT' LIMIT ?",
        run_id, _FACTS,
    ):  # fmt: skip
        asked = "SELECT {0}_key, {0}_value FROM logged_model_{0}s WHERE model_id = ?"
        kept = {
            "name": text(name),
            "model_type": text(kind) or "",
            "status": _MODEL_STATUSES.get(status, "LOGGED_MODEL_STATUS_UNSPECIFIED"),
            "tags": texts(opened.rows(asked.format("tag"), text(model_id))),
            "params": texts(opened.rows(asked.format("param"), text(model_id))),
            "created": created,
            "step": at_step,
        }
        found[f"{MODEL}{text(model_id)}"] = json.dumps(kept)
    return found | ({MODELS: "yes"} if found else {})


def read_database(
    database: Database, checkpoint: Mapping[str, object] | None, context: Context
) -> Iterator[Delivery]:
    """Nothing of its own: it says why the database cannot be read, and what is left out of it. Raises Unreadable, OSError."""
    listing = database.listing
    if listing.error is not None:
        files = {file.path: file for file in context.tree.files}
        if database.path in files:
            listing_in(context.tree, files[database.path], files)
    error = listing.error
    if isinstance(error, Unreadable):
        raise Unreadable(str(error), path=str(database.path)) from error.__cause__
    if error is not None:
        raise BlockingIOError(str(error))
    told = {"unlisted": listing.unlisted}
    if listing.unlisted and checkpoint != told:
        reason = f"{listing.unlisted} runs beyond the limit of {context.limits.files}, or without a usable id"
        yield Delivery(told, skipped=[Skipped(str(database.path), reason)])
