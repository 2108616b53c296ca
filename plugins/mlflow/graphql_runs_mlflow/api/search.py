"""Searching runs, and the history of metrics."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from graphql_runs.ingest.receiver import Desk
from graphql_runs.model import ids
from graphql_runs.model.cursor import decode_page, encode_page
from graphql_runs.model.filter import (
    Ancestor,
    And,
    Attribute,
    AttributeField,
    Bag,
    BagField,
    Child,
    Compare,
    Field,
    Not,
    Op,
    Operand,
    Or,
    Order,
    RunFilter,
)
from graphql_runs_mlflow.api.fault import invalid
from graphql_runs_mlflow.api.given import Given
from graphql_runs_mlflow.api.identity import any_run, experiment_id_of, run_id_of
from graphql_runs_mlflow.api.message import Message, metric_message
from graphql_runs_mlflow.api.runs import whole
from graphql_runs_mlflow.run import NAME, OWN, PARENT

_PAGE = 1000
_MOST = 50_000
_POINTS = 25_000
_DIRECTION = re.compile(r"(.*?)(?:\s+(asc|desc))?", re.IGNORECASE | re.DOTALL)
_NEWEST = Order(AttributeField(Attribute.STARTED_AT), descending=True)
_SAME = frozenset({Op.EQ, Op.NE, Op.IN, Op.NOT_IN})
_VIEWS = {"ACTIVE_ONLY": False, "DELETED_ONLY": True, "ALL": None}


async def search(desk: Desk, given: Given) -> Message:
    """runs/search: MLflow's filters, and all that docs/filters.md adds to them."""
    experiments = tuple(experiment_id_of(desk, id) for id in given.texts("experiment_ids"))
    view = given.text("run_view_type") or "ACTIVE_ONLY"
    if view not in _VIEWS:
        raise invalid(
            f"Invalid value {view[:80]!r} for parameter 'run_view_type': it is one of {', '.join(_VIEWS)}."
        )
    if not experiments:
        return {"runs": []}
    filter = given.text("filter") or ""
    parts: list[RunFilter] = [
        Compare(AttributeField(Attribute.WORKSPACE), Op.EQ, ids.workspace_id(desk.workspace)),
        Compare(AttributeField(Attribute.EXPERIMENT), Op.IN, experiments),
    ]
    if (trashed := _VIEWS[view]) is not None:
        parts.append(Compare(AttributeField(Attribute.TRASHED_AT), Op.EXISTS, trashed))
    if (where := desk.reading.condition(filter)) is not None:
        parts.append(adapted(desk, where))
    order = [*(_order(desk, text) for text in given.texts("order_by")), _NEWEST]
    asked = json.dumps([experiments, view, filter, given.texts("order_by")])
    kind = f"mlflow {hashlib.blake2b(asked.encode(errors='replace'), digest_size=8).hexdigest()}"
    token = given.text("page_token")
    after = decode_page(kind, token, field="page_token") if token else None
    size = given.page(_PAGE, _MOST)
    found = await desk.reading.runs(And(tuple(parts)), order, after=after, first=size + 1)
    answer: Message = {"runs": [await whole(desk, run) for run, _ in found[:size]]}
    if len(found) > size:
        answer["next_page_token"] = encode_page(kind, found[size - 1][1])
    return answer


async def history(desk: Desk, given: Given) -> Message:
    """metrics/get-history, in the order in which the points were logged."""
    run, key = await any_run(desk, given.needed("run_id", "run_uuid")), given.needed("metric_key")
    [metric] = await desk.reading.metrics([ids.metric_id(run.id, key)])
    if metric is None:
        return {"metrics": []}
    size, token = given.page(_POINTS, _POINTS), given.text("page_token") or "0"
    if not token.isdecimal() or len(token) > 18:
        raise invalid(f"Invalid page token {token[:80]!r}")
    start = int(token)
    points = await desk.reading.points(metric.id, start, start + size)
    values = points.columns.get("value")
    if len(points) and (values is None or not np.issubdtype(values.dtype, np.number)):
        raise invalid(f"metric {key[:80]!r} is {metric.kind.value}, which MLflow has no history of")
    # A point without a step counts under its row, as in our own curves.
    steps = np.arange(start, points.end) if points.steps is None else points.steps
    answer: Message = {
        "metrics": []
        if values is None
        else [
            metric_message(key, value, at, step)
            for value, at, step in zip(
                values.astype(np.float64).tolist(), points.at.tolist(), steps.tolist(), strict=True
            )
        ]
    }
    if points.end < metric.count:
        answer["next_page_token"] = str(points.end)
    return answer


def adapted(desk: Desk, where: RunFilter) -> RunFilter:
    """A condition in MLflow's ids and tags as one in ours."""
    match where:
        case And(parts):
            return And(tuple(adapted(desk, part) for part in parts))
        case Or(parts):
            return Or(tuple(adapted(desk, part) for part in parts))
        case Not(part):
            return Not(adapted(desk, part))
        case Child(part):
            return Child(adapted(desk, part))
        case Ancestor(part):
            return Ancestor(adapted(desk, part))
        case Compare(field, op, operand):
            return _compare(desk, where, field, op, operand)
    return where


def _compare(desk: Desk, where: Compare, field: Field, op: Op, operand: Operand) -> RunFilter:
    match field:
        case BagField(Bag.TAG, key) if key == PARENT and op in _SAME:
            return Compare(
                AttributeField(Attribute.PARENT), op, _mapped(operand, lambda id: run_id_of(desk, id))
            )
        case AttributeField(Attribute.RUN_ID) if op in _SAME:
            return Compare(AttributeField(Attribute.ID), op, _mapped(operand, lambda id: run_id_of(desk, id)))
        case AttributeField(Attribute.EXPERIMENT) if op in _SAME:
            return replace(where, operand=_mapped(operand, lambda id: experiment_id_of(desk, id)))
    return replace(where, field=_field(field))


def _field(field: Field) -> Field:
    match field:
        case BagField(Bag.TAG, key) if key == NAME:
            return AttributeField(Attribute.NAME)
        case BagField(Bag.TAG, key) if key.startswith(OWN):
            return BagField(Bag.PROPERTY, key)
    return field


def _order(desk: Desk, text: str) -> Order:
    """`metrics.loss DESC`. Raises Fault."""
    match = _DIRECTION.fullmatch(text.strip())
    assert match is not None
    found = desk.reading.condition(f"{match[1]} IS NOT NULL")
    if not isinstance(found, Compare) or found.op is not Op.EXISTS:
        raise invalid(f"Invalid order_by clause {text[:80]!r}")
    return Order(_field(found.field), descending=(match[2] or "asc").lower() == "desc")


def _mapped(operand: Operand, change: Callable[[str], str]) -> Operand:
    if isinstance(operand, tuple):
        return tuple(change(str(one)) for one in operand)
    return change(str(operand))
