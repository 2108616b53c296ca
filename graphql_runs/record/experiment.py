"""Changing the tags of an experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from graphql_runs.model.errors import Conflict, LimitExceeded, NotFound
from graphql_runs.model.records import Experiment
from graphql_runs.record.limits import RecordLimits
from graphql_runs.record.validation import check_name, check_text
from graphql_runs.store.port import Store

_ATTEMPTS = 200


async def tag_experiment(
    store: Store, id: str, tags: Mapping[str, str], remove: Sequence[str], limits: RecordLimits
) -> Experiment:
    """Set and remove tags of an experiment by its id. Raises NotFound, InvalidInput, LimitExceeded."""
    for key, value in tags.items():
        check_name(key, "tags key", limits)
        check_text(value, f"tags[{key!r}]", limits)
    for _ in range(_ATTEMPTS):
        [was] = await store.get(Experiment, [id])
        if was is None:
            raise NotFound(f"there is no experiment {id!r}", field="experiment")
        merged = {key: value for key, value in {**was.tags, **tags}.items() if key not in set(remove)}
        if len(merged) > limits.keys:
            raise LimitExceeded(
                f"the experiment would have {len(merged)} tags, the limit is {limits.keys}", field="tags"
            )
        new = replace(was, tags=merged)
        if new == was:
            return was
        try:
            await store.upsert(new, was)
        except Conflict:
            continue
        return new
    raise Conflict(f"experiment {id!r} is being written by too many at once")
