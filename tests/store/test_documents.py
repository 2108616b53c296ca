"""Records survive their way through a document."""

from __future__ import annotations

import math
from dataclasses import fields

from hypothesis import given
from hypothesis import strategies as st

from graphql_runs.model.records import Artifact, Cluster, ClusterNode, Experiment, LogFile, Metric, Workspace
from graphql_runs.model.run import Run
from graphql_runs.store.documents import decode, encode

KINDS = [Workspace, Cluster, Experiment, LogFile, Artifact, Metric, Run]
st.register_type_strategy(float, st.floats(allow_nan=False))
st.register_type_strategy(int, st.integers(-(2**63), 2**63 - 1))
st.register_type_strategy(str, st.text())
st.register_type_strategy(ClusterNode, st.builds(ClusterNode))


@given(st.sampled_from(KINDS).flatmap(st.builds))
def test_a_record_is_read_as_it_was_written(
    record: Workspace | Cluster | Experiment | LogFile | Artifact | Metric | Run,
) -> None:
    found = decode(type(record), encode(record))
    assert found == record
    # 1 and 1.0 are equal but are not the same step.
    for one in fields(record):
        value = getattr(record, one.name)
        if isinstance(value, int | float):
            assert type(getattr(found, one.name)) is type(value)


def test_numbers_that_json_lacks() -> None:
    metric = Metric("m", "r", "r", "w", "e", "loss", last=math.nan, min=-math.inf, max=math.inf)
    found = decode(Metric, encode(metric))
    assert found.last is not None
    assert math.isnan(found.last)
    assert (found.min, found.max) == (-math.inf, math.inf)
