"""A run's facts: meta.yaml, params, tags and artifacts, told again whenever one of them changed."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from stat import S_ISREG

from graphql_runs.ingest.api import Context, Delivery, Skipped, Unreadable
from graphql_runs.ingest.files import open_file
from graphql_runs.model.operation import AddArtifact, Annotate, DeclareRun, RunOperation, SetStatus
from graphql_runs.model.status import RunStatus
from graphql_runs_mlflow.layout import META, FoundRun, Meta, read_meta

_STATUSES = {
    1: ("RUNNING", RunStatus.RUNNING),
    2: ("SCHEDULED", RunStatus.QUEUED),
    3: ("FINISHED", RunStatus.COMPLETED),
    4: ("FAILED", RunStatus.FAILED),
    5: ("KILLED", RunStatus.CANCELED),
}
"""RunStatus of mlflow/entities/run_status.py, by number and, in other files, by name."""
WORDS = dict(_STATUSES.values())
"""MLflow's words for statuses."""
OWN = "mlflow."
"""What the names of MLflow's own tags begin with."""
_ARTIFACTS = 500


def read_facts(
    run: FoundRun,
    root: str,
    files: Sequence[PurePosixPath],
    checkpoint: Mapping[str, object] | None,
    context: Context,
) -> Iterator[Delivery]:
    """All facts when any differs from what was told with the checkpoint; else nothing."""
    meta = read_meta(context.tree, run.folder / META)
    if meta is None:
        return  # in the middle of being written
    skipped: list[Skipped] = []
    params = _texts(run, "params", files, context, skipped)
    tags = _texts(run, "tags", files, context, skipped)
    artifacts = _artifacts(run, files, context)
    told = _digest(meta, params, tags, artifacts)
    if checkpoint is not None and checkpoint.get("told") == told:
        return
    before = checkpoint.get("tags", []) if checkpoint is not None else []
    operations = _operations(run, root, meta, params, tags, before if isinstance(before, list) else [])
    names = sorted(tag for tag in tags if not tag.startswith(OWN))[:1000]
    for first in range(0, len(artifacts), _ARTIFACTS):
        # The checkpoint says that all is told only with the last of them.
        yield Delivery({"told": "", "tags": names}, [*operations, *artifacts[first : first + _ARTIFACTS]])
        operations = []
    yield Delivery({"told": told, "tags": names}, operations or [Annotate(run.run_id)], skipped=skipped)


def _operations(
    run: FoundRun,
    root: str,
    meta: Meta,
    params: Mapping[str, str],
    tags: Mapping[str, str],
    before: Sequence[object],
) -> list[RunOperation]:
    own = {name: value for name, value in tags.items() if name.startswith(OWN)}
    others = {name: value for name, value in tags.items() if not name.startswith(OWN)}
    created, ended = _micros(meta.get("start_time")), _micros(meta.get("end_time"))
    word, status = _status(meta.get("status"))
    where = str(run.folder / META)
    declared = DeclareRun(
        run.run_id,
        experiment=run.experiment,
        name=own.get("mlflow.runName") or _text(meta, "run_name") or run.run_id,
        source="mlflow",
        parent=run.parent,
        root=root if run.parent is not None else None,
        created_at=created,
    )
    facts = Annotate(
        run.run_id,
        description=own.get("mlflow.note.content"),
        tags=others,
        remove_tags=[str(tag) for tag in before if tag not in others],
        params=params,
        properties={**own, **({"mlflow.user": user} if (user := _text(meta, "user_id")) else {})},
        started_at=created,
        ended_at=ended if status.terminal else None,
    )
    at = ended if status.terminal else created
    return [declared, facts, SetStatus(run.run_id, status, where, at=at, original=word)]


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


def _artifacts(run: FoundRun, files: Sequence[PurePosixPath], context: Context) -> list[AddArtifact]:
    found = []
    folder = run.folder / "artifacts"
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
                        run.run_id, str(path.relative_to(folder)), now.st_size, mimetypes.guess_type(path.name)[0],
                        location=str(place), created_at=now.st_mtime_ns // 1000,
                    )
                )  # fmt: skip
    return found


def _digest(meta: Meta, *facts: object) -> str:
    text = repr((sorted(meta.items(), key=lambda item: str(item[0])), *facts))
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()


def _status(value: object) -> tuple[str, RunStatus]:
    if isinstance(value, int) and value in _STATUSES:
        return _STATUSES[value]
    if isinstance(value, str) and value in WORDS:
        return value, WORDS[value]
    return str(value), RunStatus.UNKNOWN


def _micros(value: object) -> int | None:
    """From milliseconds."""
    return value * 1000 if isinstance(value, int) and 0 <= value < 1 << 50 else None


def _text(meta: Meta, name: str) -> str | None:
    value = meta.get(name)
    return value if isinstance(value, str) and value else None
