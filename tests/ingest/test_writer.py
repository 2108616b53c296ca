from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest

from graphql_runs.ingest.testing import MemoryRecords
from graphql_runs.ingest.testing.memory import Answer
from graphql_runs.ingest.writer import Overtaken, Passing, Refusal, Refused, Writer
from graphql_runs.model.errors import InvalidInput, LimitExceeded, RunsError, StoreUnavailable
from graphql_runs.model.operation import DeclareRun, LogPoints, RunOperation

RUN = DeclareRun("run", "exp", "run", "test", root="run")


def point(metric: str, value: float = 1.0) -> LogPoints:
    return LogPoints("run", metric, [value])


async def opened(records: MemoryRecords, name: str = "test:a") -> tuple[Writer, Mapping[str, object]]:
    writer = Writer(records, "default", "run", name)
    return writer, await writer.open()


async def write(writer: Writer, operations: Sequence[RunOperation], place: int = 0) -> list[str]:
    def note(refusals: Sequence[Refusal]) -> Mapping[str, object]:
        return {"place": place, "refused": len(refusals)}

    refusals = await writer.write(operations, note)
    return [refusal.operation.metric for refusal in refusals if isinstance(refusal.operation, LogPoints)]


async def test_the_note_of_the_last_batch_is_found_again() -> None:
    records = MemoryRecords()
    writer, note = await opened(records)
    assert note == {}
    await write(writer, [RUN], 1)
    await write(writer, [point("a")], 2)
    again, note = await opened(records)
    assert note == {"place": 2, "refused": 0}
    await write(again, [point("b")], 3)
    assert [records.values("run", name) for name in "ab"] == [[1.0], [1.0]]


async def test_an_operation_that_is_refused_is_left_out_and_the_rest_is_written_at_once() -> None:
    records = MemoryRecords(name_bytes=3)
    writer, _ = await opened(records)
    refused = await write(writer, [RUN, point("a"), point("long 1"), point("b"), point("long 2")], 7)
    assert refused == ["long 1", "long 2"]
    assert len(records.operations) == 3
    assert (await opened(records))[1] == {"place": 7, "refused": 2}


async def test_nothing_is_written_when_everything_is_refused() -> None:
    records = MemoryRecords(name_bytes=3)
    writer, _ = await opened(records)
    await write(writer, [RUN], 1)
    assert await write(writer, [point("long 1"), point("long 2")], 2) == ["long 1", "long 2"]
    assert (await opened(records))[1] == {"place": 1, "refused": 0}
    assert await write(writer, [point("a")], 3) == []


class Vague(MemoryRecords):
    """Refuses metrics named `bad…` without saying which operation it is."""

    def __init__(self, error: RunsError | None = None) -> None:
        super().__init__()
        self.error = error

    async def record(
        self,
        workspace: str,
        operations: Sequence[RunOperation],
        *,
        writer: str | None = None,
        sequence: int | None = None,
        note: bytes | None = None,
        create: bool = True,
    ) -> Answer:
        for one in operations:
            if isinstance(one, LogPoints) and one.metric.startswith("bad"):
                raise self.error or InvalidInput(f"metric {one.metric!r} is TEXT", field="kind")
        return await super().record(workspace, operations, writer=writer, sequence=sequence, note=note)


async def test_the_refused_operation_is_found_when_the_error_does_not_say_which() -> None:
    records = Vague()
    writer, _ = await opened(records)
    assert await write(writer, [RUN, point("a"), point("bad"), point("b")], 1) == ["bad"]
    assert len(records.operations) == 3
    assert (await opened(records))[1] == {"place": 1, "refused": 1}


async def test_several_refused_operations_are_found_one_after_the_other() -> None:
    records = Vague()
    writer, _ = await opened(records)
    assert await write(writer, [RUN, point("a"), point("bad 1"), point("b"), point("bad 2")], 1) == [
        "bad 1",
        "bad 2",
    ]
    assert len(records.operations) == 3
    assert (await opened(records))[1] == {"place": 1, "refused": 2}


async def test_a_batch_that_cannot_be_mended_is_an_error_and_nothing_is_written() -> None:
    records = Vague(InvalidInput("something is wrong"))
    writer, _ = await opened(records)
    with pytest.raises(Refused, match="something is wrong"):
        await write(writer, [RUN, point("bad 1"), point("bad 2")])
    assert records.operations == []


async def test_no_operation_is_blamed_for_a_batch_that_is_too_large() -> None:
    records = Vague(error=LimitExceeded("too many points in one call", field="points"))
    writer, _ = await opened(records)
    with pytest.raises(Refused, match="too many points"):
        await write(writer, [RUN, point("bad")])
    assert records.operations == []


def fail_at(*numbers: int) -> Callable[[int], None]:
    def fail(number: int) -> None:
        if number in numbers:
            raise StoreUnavailable("the store is away")

    return fail


async def test_a_lost_call_is_passing_and_can_be_repeated() -> None:
    records = MemoryRecords(before=fail_at(1))
    writer, _ = await opened(records)
    await write(writer, [RUN], 1)
    with pytest.raises(Passing, match="away"):
        await write(writer, [point("a")], 2)
    assert not writer.opened
    assert await writer.open() == {"place": 1, "refused": 0}
    await write(writer, [point("a")], 2)
    assert records.values("run", "a") == [1.0]


async def test_a_lost_answer_shows_in_the_note() -> None:
    records = MemoryRecords(after=fail_at(1))
    writer, _ = await opened(records)
    await write(writer, [RUN], 1)
    with pytest.raises(Passing):
        await write(writer, [point("a")], 2)
    assert await writer.open() == {"place": 2, "refused": 0}
    assert records.values("run", "a") == [1.0]


async def test_two_servers_that_read_the_same_overtake_each_other_without_harm() -> None:
    records = MemoryRecords()
    one, _ = await opened(records)
    two, _ = await opened(records)
    await write(one, [RUN], 1)
    with pytest.raises(Overtaken):
        await write(two, [RUN, point("a")], 1)  # other content under the same number
    assert await two.open() == {"place": 1, "refused": 0}
    await write(two, [point("a")], 2)
    await write(two, [point("b")], 3)
    with pytest.raises(Overtaken):
        await write(one, [point("a")], 2)  # a number that was taken long ago
    assert [records.values("run", name) for name in "ab"] == [[1.0], [1.0]]


async def test_a_run_that_is_not_declared_yet_is_waited_for() -> None:
    records = MemoryRecords()
    writer, _ = await opened(records)
    with pytest.raises(Passing, match="waits for its run"):
        await write(writer, [point("a")])
    other, _ = await opened(records, "other")
    await write(other, [RUN])
    await writer.open()
    await write(writer, [point("a")])
    assert records.values("run", "a") == [1.0]


async def test_a_failure_of_the_recorder_loses_nothing() -> None:
    def fail(number: int) -> None:
        if number == 0:
            raise KeyError("a bug")

    records = MemoryRecords(before=fail)
    writer, _ = await opened(records)
    with pytest.raises(Passing, match="KeyError"):
        await write(writer, [RUN])
    await writer.open()
    await write(writer, [RUN])
    assert records.runs().keys() == {"run"}


async def test_a_foreign_note_is_refused() -> None:
    records = MemoryRecords()
    await records.record("default", [RUN], writer="test:a", sequence=0, note=b"[1]")
    with pytest.raises(Refused, match="note"):
        await opened(records)
