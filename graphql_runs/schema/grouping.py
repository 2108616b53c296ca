"""Runs in groups, as clients ask for them."""

import strawberry

from graphql_runs.model.errors import InvalidInput
from graphql_runs.read.groups import Grouping
from graphql_runs.schema.field import optional
from graphql_runs.schema.filters import RunColumn, run_field
from graphql_runs.schema.limits import SchemaLimits, bounded


@strawberry.input(
    one_of=True,
    description=(
        "What runs are put together by. Runs without a value are together; params all of whose values are numbers are equal as numbers."
    ),
)
class GroupBy:
    columns: list[RunColumn] | None = optional("The same value in each of these.", strawberry.UNSET)
    all_params_except: list[str] | None = optional(
        'The same params, these left aside: `["seed"]` puts the repetitions of an experiment together.',
        strawberry.UNSET,
    )


def grouping(given: GroupBy, limits: SchemaLimits) -> Grouping:
    """What it stands for. Raises InvalidInput (field groupBy) for a list that is empty or too long."""
    if given.all_params_except is not None and given.all_params_except is not strawberry.UNSET:
        bounded(len(given.all_params_except), limits.table_columns, "groupBy.allParamsExcept")
        return Grouping(params_except=tuple(given.all_params_except))
    columns = given.columns or []
    if not columns:
        raise InvalidInput("groupBy.columns is empty", field="groupBy.columns")
    bounded(len(columns), limits.table_columns, "groupBy.columns")
    return Grouping(tuple(run_field(column, "groupBy.columns") for column in columns))
