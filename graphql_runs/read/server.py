"""What a store says of itself, for people."""

from __future__ import annotations

from graphql_runs.store.port import Store


def capabilities(store: Store) -> list[str]:
    """What the store can do, one word each, then facts about it as `name=value`."""
    found = store.capabilities
    words = [name for name in ("change_notification", "explain", "backup") if getattr(found, name)]
    return [
        *words,
        f"version={found.version}",
        *(f"{name}={value}" for name, value in sorted(found.facts.items())),
    ]
