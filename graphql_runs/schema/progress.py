"""How far a job has come."""

import strawberry

from graphql_runs.schema.field import field


@strawberry.type(
    description="A progress bar or a counter, as it was printed last: of tqdm, rich, Keras, or `Epoch 3/10` in words."
)
class Progress:
    text: str = field("The bar as it was printed.")
    label: str | None = field("What the bar says it counts.")
    fraction: float | None = field("How much is done, from 0 to 1; null when no total is known.")
    done: float | None = field("How many units are done.")
    total: float | None = field("How many units there are; null when the bar shows none.")
    unit: str | None = field("What is counted, such as `it`, `step` or `B` for bytes.")
    rate: float | None = field("Units a second.")
    elapsed: float | None = field("Seconds since the bar was begun.")
    eta: float | None = field("Seconds that are left, as the bar says or as its rate tells.")
