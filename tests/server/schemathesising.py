"""Operations as schemathesis (https://schemathesis.readthedocs.io) draws them from the server's introspection."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import schemathesis
from graphql import FloatValueNode, IntValueNode, ListValueNode, StringValueNode, ValueNode
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok

from tests.server.soundness import SECONDS, SLACK, Unsound, count, read

_Nodes = st.SearchStrategy[ValueNode]
_TIMES: _Nodes = st.datetimes(timezones=st.just(None) | st.timezones()).map(
    lambda at: StringValueNode(value=at.isoformat())
)
_NUMBERS: _Nodes = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(lambda value: FloatValueNode(value=repr(value))),
    st.integers().map(lambda value: IntValueNode(value=str(value))),
)
_COLUMNS: _Nodes = st.lists(_NUMBERS | _TIMES, max_size=5).map(
    lambda found: ListValueNode(values=tuple(found))
)
_SCALARS = {
    "DateTime": _TIMES,
    "TimeColumn": _COLUMNS,
    "Number": _NUMBERS,
    "Column": _COLUMNS,
    "FloatColumn": _COLUMNS,
    "JSON": _COLUMNS | _NUMBERS | _TIMES,
}


def schemathesised(address: str, number: int, *, seconds: float, examples: int) -> Counter[str]:
    """Ask every field of queries and mutations so often, again and again with other seeds until the time is over; the codes of all
    errors. Raises Unsound. Blocks."""
    for name, strategy in _SCALARS.items():
        schemathesis.graphql.scalar(name, strategy)
    schema = schemathesis.graphql.from_url(f"{address}/graphql")
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    codes: Counter[str] = Counter()
    end = time.monotonic() + seconds
    turn = 0
    while turn == 0 or time.monotonic() < end:
        for operation in operations:
            if time.monotonic() > end:
                break

            @seed(number + turn)
            @settings(
                max_examples=examples,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(operation.as_strategy())
            def check(case: Any) -> None:
                response = case.call(timeout=SECONDS + SLACK)
                try:
                    count(read(response.status_code, response.content), codes)
                except Unsound as error:
                    raise Unsound(f"{error}\n\n{case.body!s}") from error

            check()
        turn += 1
    return codes
