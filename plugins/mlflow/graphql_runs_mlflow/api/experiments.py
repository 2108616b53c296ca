"""Experiments."""

from __future__ import annotations

import re
from collections.abc import Callable

from graphql_runs.ingest.receiver import Desk
from graphql_runs.model import ids
from graphql_runs.model.records import Experiment
from graphql_runs_mlflow.api.fault import EXISTS, MISSING, Fault, invalid
from graphql_runs_mlflow.api.given import Given
from graphql_runs_mlflow.api.identity import any_experiment
from graphql_runs_mlflow.api.match import holds
from graphql_runs_mlflow.api.message import Message, experiment_message

_PAGE = 1000
_MOST = 50_000
_ORDER = re.compile(
    r"(?:attributes?\.)?(name|experiment_id|creation_time|last_update_time)(?:\s+(asc|desc))?", re.IGNORECASE
)
_ATTRIBUTES: dict[str, Callable[[Experiment], str | int]] = {
    "name": lambda one: one.name,
    "experiment_id": lambda one: one.id,
    "creation_time": lambda one: one.created_at,
    "last_update_time": lambda one: one.created_at,
}


async def create(desk: Desk, given: Given) -> Message:
    """experiments/create. Where outputs are kept is the server's choice; `artifact_location` is not used."""
    name = given.needed("name")
    id = ids.experiment_id(ids.workspace_id(desk.workspace), name)
    if await desk.reading.experiments([id]) != [None]:
        raise Fault(EXISTS, f"Experiment(name={name}) already exists.")
    made = await desk.recording.create_experiment(desk.workspace, name, None, given.pairs("tags"))
    return {"experiment_id": made.id}


async def get(desk: Desk, given: Given) -> Message:
    """experiments/get."""
    return {"experiment": experiment_message(await any_experiment(desk, given.needed("experiment_id")))}


async def get_by_name(desk: Desk, given: Given) -> Message:
    """experiments/get-by-name."""
    name = given.needed("experiment_name")
    [found] = await desk.reading.experiments([ids.experiment_id(ids.workspace_id(desk.workspace), name)])
    if found is None:
        raise Fault(MISSING, f"Could not find experiment with name '{name[:256]}'")
    return {"experiment": experiment_message(found)}


async def set_tag(desk: Desk, given: Given) -> Message:
    """experiments/set-experiment-tag."""
    found = await any_experiment(desk, given.needed("experiment_id"))
    await desk.recording.tag_experiment(found.id, {given.needed("key"): given.text("value") or ""})
    return {}


async def delete_tag(desk: Desk, given: Given) -> Message:
    """experiments/delete-experiment-tag."""
    found, key = await any_experiment(desk, given.needed("experiment_id")), given.needed("key")
    if key not in found.tags:
        raise Fault(MISSING, f"No tag with name: {key[:256]} in experiment with id {found.id}")
    await desk.recording.tag_experiment(found.id, {}, [key])
    return {}


async def search(desk: Desk, given: Given) -> Message:
    """experiments/search. No experiment is ever deleted."""
    if (given.text("view_type") or "ACTIVE_ONLY") == "DELETED_ONLY":
        return {"experiments": []}
    where = desk.reading.condition(given.text("filter") or "")
    found = [one for one in await _all(desk) if where is None or holds(where, one.name, one.tags)]
    found.sort(key=lambda one: one.id)
    for text in reversed(given.texts("order_by") or ["creation_time DESC"]):
        match = _ORDER.fullmatch(text.strip())
        if match is None:
            raise invalid(
                f"Invalid order_by clause {text[:80]!r}: experiments are ordered by {', '.join(_ATTRIBUTES)}"
            )
        found.sort(key=_ATTRIBUTES[match[1].lower()], reverse=(match[2] or "asc").lower() == "desc")
    size, start = given.page(_PAGE, _MOST), _start(given.text("page_token"))
    answer: Message = {"experiments": [experiment_message(one) for one in found[start : start + size]]}
    if start + size < len(found):
        answer["next_page_token"] = str(start + size)
    return answer


async def _all(desk: Desk) -> list[Experiment]:
    found: list[Experiment] = []
    while True:
        page = await desk.reading.experiments_of(
            desk.workspace, after=found[-1].name if found else None, first=_PAGE
        )
        found += page
        if len(page) < _PAGE:
            return found


def _start(token: str | None) -> int:
    if token is None or token == "":
        return 0
    if not token.isdecimal() or len(token) > 12:
        raise invalid(f"Invalid page token {token[:80]!r}")
    return int(token)
