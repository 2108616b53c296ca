"""What a check finds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong with what an id names: a record, a stream, a run tree.

    repairable: a repair can mend it without touching data. repaired: it did.
    """

    id: str
    problem: str
    repairable: bool = False
    repaired: bool = False

    def __str__(self) -> str:
        end = " (repaired)" if self.repaired else " (--repair mends it)" if self.repairable else ""
        return f"{self.id}: {self.problem}{end}"


@dataclass(slots=True)
class CheckReport:
    """What was looked at, by kind, and what was found."""

    counts: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Nothing is wrong, or not any more."""
        return all(finding.repaired for finding in self.findings)
