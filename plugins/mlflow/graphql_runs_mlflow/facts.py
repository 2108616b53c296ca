"""A run's facts: meta.yaml, params, tags and artifacts, told again whenever one of them changed."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from stat import S_ISREG

from graphql_runs.ingest.api import Context, Delivery, Skipped, Unreadable
from graphql_runs.ingest.files import open_file
from graphql_runs.model.operation import AddArtifact, RunOperation
from graphql_runs_mlflow.layout import META, FoundRun, Meta, read_meta
from graphql_runs_mlflow.run import RunFacts, Told, micros, same_place, status_word

_ARTIFACTS = 500
"""Outputs of one delivery."""


def read_facts(
    run: FoundRun,
    root: str,
    files: Sequence[PurePosixPath],
    checkpoint: Mapping[str, object] | None,
    context: Context,
) -> Iterator[Delivery]:
    """All facts when any differs from what was told with the checkpoint; else nothing."""
    same_place(checkpoint, "files")
    meta = read_meta(context.tree, run.folder / META)
    if meta is None:
        return  # in the middle of being written
    skipped: list[Skipped] = []
    params = _texts(run, "params", files, context, skipped)
    tags = _texts(run, "tags", files, context, skipped)
    artifacts = found_artifacts(run.run_id, run.folder / "artifacts", files, context)
    facts = RunFacts(
        run.run_id,
        run.experiment,
        str(run.folder / META),
        status_word(meta.get("status")),
        name=_text(meta, "run_name"),
        parent=run.parent,
        root=root,
        user=_text(meta, "user_id"),
        started_at=micros(meta.get("start_time")),
        ended_at=micros(meta.get("end_time")),
        params=params,
        tags=tags,
        deleted=meta.get("lifecycle_stage") == "deleted",
    )
    before, told = Told.from_json(checkpoint), Told.of(facts, told_artifacts(artifacts))
    if before is not None and before.digest == told.digest:
        return
    yield from in_parts(facts.operations(before), artifacts, told, {}, skipped)


def in_parts(
    operations: Sequence[RunOperation],
    artifacts: Sequence[AddArtifact],
    told: Told,
    place: Mapping[str, object],
    skipped: Sequence[Skipped],
) -> Iterator[Delivery]:
    """One delivery, or several when there are many outputs: only the checkpoint of the last says that all is told. `place` is put
    into each."""
    last = max(0, len(artifacts) - 1) // _ARTIFACTS * _ARTIFACTS
    for first in range(0, last, _ARTIFACTS):
        yield Delivery(
            {**told.to_json(complete=False), **place}, [*operations, *artifacts[first : first + _ARTIFACTS]]
        )
        operations = ()
    yield Delivery({**told.to_json(), **place}, [*operations, *artifacts[last:]], skipped=skipped)


def _texts(
    run: FoundRun, kind: str, files: Sequence[PurePosixPath], context: Context, skipped: list[Skipped]
) -> dict[str, str]:
    """The contents of the files below `params` or `tags`, by key."""
    found: dict[str, str] = {}
    folder = run.folder / kind
    limit = context.limits.line_bytes
    for path in files:
        if not path.is_relative_to(folder):
            continue
        try:
            with open_file(context.tree.folder, path) as file:
                data = file.read(limit + 1) or b""
        except FileNotFoundError:
            continue
        except Unreadable as error:
            skipped.append(Skipped(str(path), str(error)))
            continue
        if len(data) > limit:
            skipped.append(Skipped(str(path), f"over the limit of {limit} bytes"))
            continue
        found[str(path.relative_to(folder))] = data.decode("utf-8", "replace")
    return found


def found_artifacts(
    run_id: str, folder: PurePosixPath | None, files: Sequence[PurePosixPath], context: Context
) -> list[AddArtifact]:
    """The files below a run's folder of artifacts."""
    found: list[AddArtifact] = []
    if folder is None:
        return found
    for path in files:
        if path.is_relative_to(folder):
            place = context.tree.folder / path
            try:
                now = place.stat(follow_symlinks=False)
            except OSError:
                continue
            if S_ISREG(now.st_mode):
                found.append(
                    AddArtifact(
                        run_id, str(path.relative_to(folder)), now.st_size, mimetypes.guess_type(path.name)[0],
                        location=str(place), created_at=now.st_mtime_ns // 1000,
                    )
                )  # fmt: skip
    return found


def told_artifacts(artifacts: Sequence[AddArtifact]) -> list[tuple[object, ...]]:
    """What of them says whether they changed."""
    return [(one.path, one.size, one.created_at, one.location) for one in artifacts]


def _text(meta: Meta, name: str) -> str | None:
    value = meta.get(name)
    return value if isinstance(value, str) and value else None
