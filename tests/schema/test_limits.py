from __future__ import annotations

import re
from pathlib import Path

import pytest

from graphql_runs.model.errors import InvalidInput
from graphql_runs.schema.limits import SchemaLimits, bounded

DOCS = Path(__file__).parents[2] / "docs" / "graphql.md"


def test_the_docs_name_every_limit() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", DOCS.read_text(), re.MULTILINE)
    assert {name: int(value) for name, value in rows} == SchemaLimits().as_json()


def test_a_value_within_its_bounds() -> None:
    assert bounded(4, 10, "points", least=4) == 4
    for value in (3, 11):
        with pytest.raises(InvalidInput, match="between 4 and 10") as error:
            bounded(value, 10, "points", least=4)
        assert error.value.field == "points"
