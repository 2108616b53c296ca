"""How a list of runs is found, and what that costs."""

from dataclasses import dataclass

import strawberry

from graphql_runs.model.filter import RunFilter as Condition
from graphql_runs.read import names, records
from graphql_runs.read.where import written
from graphql_runs.schema.connection import First
from graphql_runs.schema.context import Context, Info
from graphql_runs.schema.field import field
from graphql_runs.schema.filters import run_filter, run_order
from graphql_runs.schema.limits import bounded
from graphql_runs.schema.runs import Filter, OrderBy, Where


@dataclass(frozen=True, slots=True)
class Explained:
    """A list of runs and how it is found."""

    context: Context
    filter: str
    where: Condition
    plan: records.RunsPlan


async def _matching(root: strawberry.Parent[Explained]) -> float:
    return await records.count_runs(root.context.store, root.where)


@strawberry.type(description="How a list of runs is found, and what that costs.")
class RunsPlan:
    filter: str = field("The filter as text, as it was understood: can be given as `where`.")
    steps: list[str] = field(
        "What the store does for the first page, in its own words. On SQLite, SEARCH goes straight to rows by an index, "
        "SCAN passes over all of them, in the order of an index where it names one.",
        of=lambda explained: explained.plan.steps,
    )
    seconds: float = field(
        "How long the first page took just now.", of=lambda explained: explained.plan.seconds
    )
    matching: float = field("How many runs match; counted only when asked for.", _matching)


async def explain_runs(
    info: Info, filter: Filter = None, where: Where = None, order_by: OrderBy = None, first: First = 50
) -> Explained:
    context = info.context
    bounded(first, context.limits.page, "first")
    order = run_order(order_by)
    asked = run_filter(filter, where, bounds=context.limits.filters)
    condition = await names.resolve(context.store, asked, None)
    plan = await records.explain_runs(context.store, condition, order, first=first)
    return Explained(context, written(asked), condition, plan)
