"""Changes of the schema that break clients are told from those that do not."""

from __future__ import annotations

from scripts.changes import surprising, unannounced, unreleased_of

BEFORE = """
type Query { run(id: ID!): Run runs(first: Int = 50): [Run!]! }
type Run { name: String! status: Status! old: Int }
type Gone { x: Int }
enum Status { RUNNING DONE }
"""
NOW = """
type Query { run(id: ID!, workspace: String!): Run runs(first: Int = 20): [Run!]! }
type Run { name: String status: Status! new: Int }
enum Status { RUNNING DONE LOST }
"""


def test_what_breaks_clients_is_found_and_may_be_announced() -> None:
    found = unannounced(BEFORE, NOW, "")
    assert len(found) == 4
    for name in ("Gone", "Run.old", "Run.name", "Query.run"):
        assert any(name in text for text in found)
    left = unannounced(BEFORE, NOW, "- `Run.old` and `Gone` are no more; `Run.name` may be null")
    assert len(left) == 1
    assert "workspace" in left[0]
    assert unannounced(BEFORE, BEFORE, "") == []


def test_what_may_surprise_is_told_apart() -> None:
    found = surprising(BEFORE, NOW)
    assert any("LOST" in text for text in found)
    assert any("first" in text for text in found)


def test_only_what_is_unreleased_counts() -> None:
    text = "# Changelog\n\n## [Unreleased]\n\nnew\n\n## [1.0.0]\n\nold\n"
    assert unreleased_of(text).strip() == "new"
