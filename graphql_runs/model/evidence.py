"""Which statement about a run's status counts.

The latest reported statement counts, ties going to the one that arrived last; one that was repeated is as late as its last
repetition. A derived statement (exit code, driver line)
counts when it is later than every reported one, or when nothing was reported; it never overrides a reported terminal
status.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphql_runs.model.run import StatusEvidence
from graphql_runs.model.time import Micros


def decide(evidence: Sequence[StatusEvidence]) -> StatusEvidence:
    """The statement that counts among one or more, given in order of arrival."""
    reported = latest([statement for statement in evidence if statement.reported])
    derived = latest([statement for statement in evidence if not statement.reported])
    if reported is None or derived is None:
        found = reported or derived
        assert found is not None
        return found
    if reported.status.terminal or stands(reported) >= stands(derived):
        return reported
    return derived


def latest(evidence: Sequence[StatusEvidence]) -> StatusEvidence | None:
    """The latest statement, of equal times the one that arrived last."""
    found = None
    for statement in evidence:
        if found is None or stands(statement) >= stands(found):
            found = statement
    return found


def stands(statement: StatusEvidence) -> Micros:
    """The last time that a statement speaks of."""
    return statement.at if statement.until is None else statement.until
