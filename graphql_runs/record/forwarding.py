"""What an alias tells its principal: statements about its status, and facts that the principal does not know.

How far that has come is the note of the writer `identity:<alias>` in the principal's tree, written in one batch with what was told,
so each statement is told once, whatever crashes. A fact that the principal has from elsewhere is never overwritten; one that it has
from this alias follows the alias.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import orjson

from graphql_runs.model.operation import Annotate, RunOperation, SetStatus
from graphql_runs.model.run import Run, StatusEvidence
from graphql_runs.record.status import FOLDED, folded, with_evidence

FACTS = (
    "display_name", "description", "target", "submitted_by", "started_at", "ended_at", "exit_code", "error", "warnings",
    "queueing", "portal_url", "primary_metric", "primary_metric_goal", "cluster",
)  # fmt: skip
"""Fields that are told where the principal lacks them."""


def writer_of(alias: Run) -> str:
    """The writer in the principal's tree that tells what an alias says."""
    return f"identity:{alias.id}"


@dataclass(frozen=True, slots=True)
class Told:
    """What an alias has told a principal: how many statements about its status, and each fact by a hash of its value."""

    principal: str
    statements: int = 0
    facts: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        """The note of the writer's position."""
        return orjson.dumps([self.principal, self.statements, dict(self.facts)])

    @staticmethod
    def decode(note: bytes | None, principal: str) -> Told:
        """What the note says was told to this principal; nothing when it was told to another run of the same tree."""
        to, statements, facts = (principal, 0, {}) if note is None else orjson.loads(note)
        return Told(to, statements, facts) if to == principal else Told(principal)


def news(
    alias: Run, principal: Run, told: Told, cluster: str | None, most_evidence: int
) -> tuple[list[RunOperation], Told]:
    """What the alias has to tell now, and what it will have told then. `cluster` is the name of the alias's cluster."""
    count = len(alias.evidence) + folded(alias.evidence)
    new = alias.evidence[max(0, len(alias.evidence) - (count - told.statements)) :]
    # What others told the alias when it was a principal itself, they tell its principal now.
    statements = [_said(alias, one) for one in new if one.origin is None and one.source != FOLDED]
    after = principal
    for one in statements:
        after = with_evidence(after, one, most_evidence)
    facts = dict(told.facts)
    given: dict[str, Any] = {}
    for name in ("started_at", "ended_at"):
        if getattr(principal, name) is None and getattr(after, name) is not None:
            facts[name] = _hash(getattr(after, name))
    for name in FACTS:
        value = getattr(alias, name)
        if value in (None, ()) or _hash(value) == facts.get(name):
            continue
        # A run that goes on by what its principal says has not ended.
        if name == "ended_at" and not after.status.terminal:
            continue
        if getattr(after, name) in (None, ()) or _hash(getattr(after, name)) == facts.get(name):
            given[name], facts[name] = value, _hash(value)
    if "cluster" in given:
        given["cluster"] = cluster
    operations: list[RunOperation] = [
        SetStatus(principal.run_id, one.status, one.source, one.at, one.reported, one.original, one.detail, one.origin)
        for one in statements
    ]  # fmt: skip
    if given:
        operations.append(Annotate(principal.run_id, **given))
    return operations, Told(principal.id, count, facts)


def _said(alias: Run, one: StatusEvidence) -> StatusEvidence:
    source = f"{alias.source} {alias.run_id}: {one.source}"
    return StatusEvidence(one.status, one.at, one.reported, source, one.original, one.detail, alias.id)


def _hash(value: object) -> str:
    return blake2b(orjson.dumps(value), digest_size=8).hexdigest()
