"""What a subscription could not tell one by one."""

import strawberry

from graphql_runs.schema.field import field


@strawberry.type(description="Something is not told one by one; what follows starts afresh.")
class Gap:
    from_cursor: str = field("The cursor before it.", name="from")
    to_cursor: str = field("The cursor after it.", name="to")
    reason: str = field("Why it is there.")
