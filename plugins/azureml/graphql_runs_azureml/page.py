"""Pages: JSON documents with the run documents of many runs.

What the run history answers to `runs:query` and to `runs/{id}/children`: `{"value": [RunDto…], "continuationToken": …}`
(azureml-core 1.61, `_restclient/models/paginated_run_dto.py`); a bare list of run documents or details is taken as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path, PurePosixPath

from graphql_runs.ingest.api import Unreadable
from graphql_runs_azureml.details import is_details
from graphql_runs_azureml.document import Document, parse, read
from graphql_runs_azureml.fields import kind
from graphql_runs_azureml.text import clean, run_id_problem, shown

_PROBLEMS = 50


@dataclass(frozen=True, slots=True)
class Page:
    """The documents of a page by their run ids. `problems`: entries that are left out, and why. `bytes`: of the file."""

    runs: Mapping[str, Document]
    problems: tuple[str, ...]
    bytes: int


def may_be_page(head: bytes) -> bool:
    """May a file that begins like this be a page? One that is not in UTF-8 is looked into."""
    text = head.decode("utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", "replace")
    return text.lstrip()[:1] in ("[", "{") and ('"runId"' in text or '"value"' in text)


def read_page(folder: Path, path: PurePosixPath, limit: int) -> Page:
    """The runs of the page at `path` below `folder`; none for a document that is something else.

    Raises Unreadable when it is larger than `limit` bytes, not readable or not JSON; OSError when it is gone.
    """
    data, modified = read(folder, path, limit)
    value = parse(data, path)
    entries = value.get("value") if isinstance(value, dict) else value
    if not isinstance(entries, list) or not any(map(is_details, entries)):
        return Page({}, (), len(data))
    runs: dict[str, Document] = {}
    problems: list[str] = []
    for index, entry in enumerate(entries):
        run_id, problem = _run_id(entry)
        if problem is None and run_id in runs:
            problem = f"is of the run {shown(run_id)}, which the page has already"
        if problem is None:
            runs[run_id] = Document(path, entry, modified, _digest(entry, path))
        elif len(problems) < _PROBLEMS:
            problems.append(f"entry {index} {problem}")
        elif len(problems) == _PROBLEMS:
            problems.append("further entries are left out")
    return Page(runs, tuple(problems), len(data))


def _run_id(entry: object) -> tuple[str, str | None]:
    """The run id of an entry, or why it has none."""
    if not isinstance(entry, dict):
        return "", f"is {kind(entry)}, not an object"
    given = entry.get("runId")
    if not isinstance(given, str):
        return "", f"has a runId that is {kind(given)}, not a text"
    run_id = clean(given)
    problem = run_id_problem(run_id)
    if problem is not None:
        return run_id, f"has a runId that {problem}: {shown(run_id)}"
    status = entry.get("status")
    if not isinstance(status, str) or not status.strip():
        return run_id, f"of the run {shown(run_id)} has no status"
    return run_id, None


def _digest(entry: object, path: PurePosixPath) -> bytes:
    try:
        return blake2b(json.dumps(entry).encode(), digest_size=16).digest()
    except RecursionError as error:
        raise Unreadable("nested too deeply", path=str(path)) from error
