"""Filling a store with runs and paging through them."""

from __future__ import annotations

from collections.abc import Sequence

from graphql_runs.model.filter import Order, RunFilter
from graphql_runs.model.run import Run
from graphql_runs.store.port import Batch, Store, TreeRecord
from tests.store.reference import Sample
from tests.store.samples import entry


async def fill(store: Store, given_samples: Sequence[Sample]) -> None:
    """One batch a tree."""
    trees: dict[str, list[Sample]] = {}
    for sample in given_samples:
        trees.setdefault(sample.run.root, []).append(sample)
    for root, members in trees.items():
        records: list[TreeRecord] = [sample.run for sample in members]
        records += [metric for sample in members for metric in sample.metrics]
        await store.commit(Batch(root, entry(0), creates=tuple(records)))


async def page_through(store: Store, where: RunFilter | None, order: Sequence[Order], size: int) -> list[Run]:
    """All that match, page by page."""
    found: list[Run] = []
    after = None
    while True:
        page = await store.find_runs(where, order, after=after, first=size)
        found += [one.run for one in page]
        if len(page) < size:
            return found
        after = page[-1].key
