"""Checks of what producers say, before anything is read or written. Every error names the field."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from graphql_runs.model import ids
from graphql_runs.model.errors import InvalidInput, LimitExceeded
from graphql_runs.model.operation import (
    AddArtifact,
    Annotate,
    DeclareRun,
    LogPoints,
    LogRows,
    LogText,
    RunOperation,
)
from graphql_runs.record.limits import RecordLimits

IDENTITY = re.compile(r"[A-Za-z0-9_.-]+:\S(?:.*\S)?")
"""What an identity of a run looks like: `<system>:<id>`."""
IDENTITIES = 16
"""Identities of one run."""


def check_name(text: str, field: str, limits: RecordLimits) -> str:
    """A name: not empty, no control characters, within `name_bytes`, valid Unicode. Gives the name back."""
    if not isinstance(text, str) or not text.strip():
        raise InvalidInput(f"{field} is empty", field=field)
    _check_size(text, field, limits.name_bytes)
    if not text.isprintable() and any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
        raise InvalidInput(f"{field} holds a control character: {text[:80]!r}", field=field)
    return text


def check_writer(text: str, limits: RecordLimits) -> None:
    """A writer's name, which may be made of a run id and a path."""
    if not text:
        raise InvalidInput("writer is empty", field="writer")
    _check_size(text, "writer", limits.name_bytes + limits.path_bytes)


def check_run_id(text: str, field: str, limits: RecordLimits) -> str:
    """A producer's run id: a name that does not look like one of the server's ids."""
    check_name(text, field, limits)
    if ids.kind_of(text) is not None:
        raise InvalidInput(
            f"{field} has the shape of a server id, which a producer's id must not: {text!r}", field=field
        )
    return text


def check_path(text: str, field: str, limits: RecordLimits) -> str:
    """A path inside a run: relative, forward slashes, no `..`, within `path_bytes`."""
    if not text:
        raise InvalidInput(f"{field} is empty", field=field)
    _check_size(text, field, limits.path_bytes)
    if "\0" in text or text.startswith("/") or ".." in PurePosixPath(text).parts:
        raise InvalidInput(f"{field} must be relative to the run, without '..': {text[:80]!r}", field=field)
    return text


def check_identities(given: Sequence[str], field: str, limits: RecordLimits) -> None:
    """Identities of a run: each a name of the form `<system>:<id>`, and not too many."""
    if len(given) > IDENTITIES:
        raise LimitExceeded(f"{field} has {len(given)} entries, the limit is {IDENTITIES}", field=field)
    for one in given:
        check_name(one, field, limits)
        if not IDENTITY.fullmatch(one):
            raise InvalidInput(
                f"{field}: an identity is written system:id, as in slurm:cluster/4242, not {one[:80]!r}",
                field=field,
            )


def check_text(text: str | None, field: str, limits: RecordLimits) -> None:
    """A text value within `value_bytes`, or None."""
    if text is not None:
        _check_size(text, field, limits.value_bytes)


def check_operation(operation: RunOperation, field: str, limits: RecordLimits) -> None:
    """Names, paths and texts of one operation; numbers are checked where they become arrays."""
    check_run_id(operation.run_id, f"{field}.runId", limits)
    match operation:
        case LogPoints() | LogRows():
            check_name(operation.metric, f"{field}.metric", limits)
        case LogText():
            check_path(operation.path, f"{field}.path", limits)
        case AddArtifact():
            check_path(operation.path, f"{field}.path", limits)
            if operation.size < 0:
                raise InvalidInput(f"{field}.size is negative", field=f"{field}.size")
            if operation.blob is None and operation.location is None:
                raise InvalidInput(f"{field} has neither a blob nor a location", field=field)
        case DeclareRun():
            check_name(operation.experiment, f"{field}.experiment", limits)
            check_name(operation.name, f"{field}.name", limits)
            check_name(operation.source, f"{field}.source", limits)
            for name in ("parent", "root"):
                value = getattr(operation, name)
                if value is not None:
                    check_run_id(value, f"{field}.{name}", limits)
            if operation.parent == operation.run_id:
                raise InvalidInput(f"{field}.parent: a run cannot be its own parent", field=f"{field}.parent")
            if operation.root is not None and operation.parent is None and operation.root != operation.run_id:
                raise InvalidInput(
                    f"{field}.root: a run without a parent is its own root", field=f"{field}.root"
                )
            if operation.heartbeat_seconds is not None and not 0 < operation.heartbeat_seconds < 1e9:
                raise InvalidInput(
                    f"{field}.heartbeatSeconds must be positive", field=f"{field}.heartbeatSeconds"
                )
            _check_facts(operation, field, limits)
        case Annotate():
            _check_facts(operation, field, limits)
            if operation.error is not None:
                check_text(operation.error.message, f"{field}.error.message", limits)
                check_text(operation.error.detail, f"{field}.error.detail", limits)


def _check_facts(operation: DeclareRun | Annotate, field: str, limits: RecordLimits) -> None:
    for name in ("cluster", "target", "primary_metric"):
        value = getattr(operation, name)
        if value is not None:
            check_name(value, f"{field}.{name}", limits)
    for name in ("display_name", "description"):
        check_text(getattr(operation, name), f"{field}.{name}", limits)
    check_identities(operation.identities, f"{field}.identities", limits)
    for name in ("tags", "params", "properties"):
        _check_map(getattr(operation, name), f"{field}.{name}", limits)


def _check_map(values: Mapping[str, str], field: str, limits: RecordLimits) -> None:
    if len(values) > limits.keys:
        raise LimitExceeded(f"{field} has {len(values)} keys, the limit is {limits.keys}", field=field)
    for key, value in values.items():
        check_name(key, f"{field} key", limits)
        check_text(value, f"{field}[{key!r}]", limits)


def _check_size(text: str, field: str, limit: int) -> None:
    try:
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError as error:
        raise InvalidInput(f"{field} is not valid Unicode: {error}", field=field) from error
    if size > limit:
        raise LimitExceeded(
            f"{field} is {size} bytes long, the limit is {limit}: {text[:40]!r}…", field=field
        )
