from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphql_runs.model.change import Entry, Growth, RunChange
from graphql_runs.model.errors import RunsError
from graphql_runs.model.status import RunStatus

NAMES = st.text(st.characters(codec="utf-8"), max_size=20)
GROWTHS = st.builds(Growth, NAMES, st.integers(0, 2**53), st.integers(0, 2**53))
STATUSES = st.none() | st.sampled_from(RunStatus)
ENTRIES = st.builds(
    Entry,
    at=st.integers(0, 2**53),
    runs=st.lists(st.builds(RunChange, NAMES, st.booleans(), STATUSES, STATUSES), max_size=3).map(tuple),
    metrics=st.lists(GROWTHS, max_size=3).map(tuple),
    logs=st.lists(GROWTHS, max_size=3).map(tuple),
    artifacts=st.lists(NAMES, max_size=3).map(tuple),
    purged=st.lists(NAMES, max_size=3).map(tuple),
)


@given(ENTRIES)
def test_entries_come_back_as_they_were(entry: Entry) -> None:
    assert Entry.decode(entry.encode()) == entry


def test_entries_without_purged_runs_are_as_they_always_were() -> None:
    data = b'[7,[["run_a",true,null,"QUEUED"]],[["metric_a",0,2]],[],["artifact_a"]]'
    entry = Entry.decode(data)
    assert entry == Entry(
        7,
        (RunChange("run_a", True, None, RunStatus.QUEUED),),
        (Growth("metric_a", 0, 2),),
        (),
        ("artifact_a",),
    )
    assert entry.encode() == data


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"[1,[],[],[]]", b"[1,[],[],[],[],[],[]]", b"[1,[],[],[],[],3]"]
)
def test_a_damaged_entry_is_said_to_be_one(data: bytes) -> None:
    with pytest.raises(RunsError, match="damaged"):
        Entry.decode(data)
