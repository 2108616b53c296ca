"""The head of a run tree."""

from __future__ import annotations

from dataclasses import dataclass

from graphql_runs.store.mongo.operations import Document


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a tree, as it was read. Entries of the journal before row `floor` are gone."""

    root: str
    n: int = 0
    applied: int = 0
    turn: int = 0
    floor: int = 0
    entry: Document | None = None
    """What is pending; of a head that was read without it, only its kind."""

    @property
    def applied_turn(self) -> int:
        """All that was decided up to this turn is applied."""
        return self.turn if self.entry is None else self.turn - 1

    @staticmethod
    def of(document: Document) -> Head:
        """Of its document."""
        return Head(
            document["_id"],
            document["n"],
            document["applied"],
            document["turn"],
            document["floor"],
            document.get("entry"),
        )

    def finished(self) -> Document:
        """Its document when what is pending is applied."""
        return {"_id": self.root, "n": self.n, "applied": self.n, "turn": self.turn, "floor": self.floor}
