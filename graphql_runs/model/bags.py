"""The maps of texts on a run."""

from __future__ import annotations

from collections.abc import Mapping

from graphql_runs.model.filter import Bag
from graphql_runs.model.run import Run


def bag_of(run: Run, bag: Bag) -> Mapping[str, str]:
    """A run's tags, params or properties; of its identities each with an empty text."""
    match bag:
        case Bag.TAG:
            return run.tags
        case Bag.PARAM:
            return run.params
        case Bag.PROPERTY:
            return run.properties
        case Bag.IDENTITY:
            return dict.fromkeys(run.identities, "")
