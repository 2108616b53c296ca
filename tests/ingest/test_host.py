from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from graphql_runs.ingest.api import Context, Delivery, Limits, Unit
from graphql_runs.ingest.host import Host, SourceConfig
from graphql_runs.ingest.testing import MemoryRecords
from graphql_runs.model.errors import StoreUnavailable
from graphql_runs.model.source import SourceState
from graphql_runs.model.status import RunStatus
from tests.ingest.hosting import age, append, hosted, more_than, report, state, until
from tests.ingest.plugin import Points

# Reading and following


async def test_what_is_there_is_read_and_what_comes_is_followed(tmp_path: Path) -> None:
    records = MemoryRecords()
    append(tmp_path / "exp/run/a.points", "loss 1", "loss 2")
    async with hosted(records, tmp_path) as host:
        await until(lambda: records.values("src/exp/run", "loss") == [1.0, 2.0])
        append(tmp_path / "exp/run/a.points", "loss 3")
        await until(lambda: records.values("src/exp/run", "loss") == [1.0, 2.0, 3.0])
        append(tmp_path / "exp/other/b.points", "loss 4")
        await until(lambda: records.values("src/exp/other", "loss") == [4.0])
        await until(lambda: state(host) is SourceState.FOLLOWING)
        found = report(host)
        assert found is not None
        assert (found.runs, found.files, found.points, found.skipped_total) == (2, 2, 4, 0)
        assert (found.uri, found.name, found.workspace) == (str(tmp_path), "src", "default")


async def test_the_run_of_a_folder_is_declared_before_its_data(tmp_path: Path) -> None:
    records = MemoryRecords()
    append(tmp_path / "exp/run/a.points", "loss 1")
    async with hosted(records, tmp_path):
        await until(lambda: records.values("src/exp/run", "loss"))
    run = records.runs()["src/exp/run"]
    assert (run.experiment, run.name, run.source) == ("exp", "run", "points")
    assert [one.status for one in records.statuses("src/exp/run")] == [RunStatus.RUNNING]


async def test_a_run_that_a_plugin_declares_is_left_to_it(tmp_path: Path) -> None:
    records = MemoryRecords()
    append(tmp_path / "run/a.points", "loss 1")
    (tmp_path / "run/claim").write_text("mine")
    async with hosted(records, tmp_path):
        await until(lambda: records.values("mine", "loss"))
    assert records.runs()["mine"].experiment == "claimed"
    assert records.statuses("mine") == []


async def test_a_new_folder_waits_a_moment_for_a_plugin_to_claim_it(tmp_path: Path) -> None:
    records = MemoryRecords()
    async with hosted(records, tmp_path) as host:
        await until(lambda: state(host, "folder") is SourceState.FOLLOWING)
        append(tmp_path / "run/a.points", "loss 1")
        await asyncio.sleep(0.15)
        (tmp_path / "run/claim").write_text("mine")
        await until(lambda: records.values("mine", "loss"))
    assert records.runs().keys() == {"mine"}


async def test_clusters_are_described_afresh_at_every_start(tmp_path: Path) -> None:
    records = MemoryRecords()
    append(tmp_path / "gpu.cluster", "gpu")
    for number in (1, 2):
        async with hosted(records, tmp_path):
            await until(more_than(records.clusters, number - 1))
    assert [cluster.name for cluster in records.clusters] == ["gpu", "gpu"]


async def test_a_cluster_is_described_again_when_the_store_was_away(tmp_path: Path) -> None:
    def away(call: int) -> None:
        if call < 2:
            raise StoreUnavailable("away")

    records = MemoryRecords(before=away)
    append(tmp_path / "gpu.cluster", "gpu")
    async with hosted(records, tmp_path) as host:
        await until(lambda: records.clusters)
        await until(lambda: state(host) is SourceState.FOLLOWING)
        found = report(host)
        assert found is not None
        assert found.last_error is None


async def test_a_source_may_be_one_file(tmp_path: Path) -> None:
    records = MemoryRecords()
    append(tmp_path / "a.points", "loss 1")
    append(tmp_path / "b.points", "loss 9")
    async with hosted(records, SourceConfig(tmp_path / "a.points", "one")):
        await until(lambda: records.values("one", "loss") == [1.0])
        append(tmp_path / "a.points", "loss 2")
        await until(lambda: records.values("one", "loss") == [1.0, 2.0])


async def test_a_unit_is_read_again_when_what_it_watches_changes(tmp_path: Path) -> None:
    records, plugin = MemoryRecords(), Points()
    append(tmp_path / "run/a.points", "loss 1")
    append(tmp_path / "run/watched/x", "text")
    async with hosted(records, tmp_path, plugins=[plugin]) as host:
        await until(lambda: state(host) is SourceState.FOLLOWING)
        changes: list[Callable[[], None]] = [
            lambda: append(tmp_path / "run/watched/x", "more"),
            lambda: append(tmp_path / "run/watched/deep/y", "new"),
            (tmp_path / "run/watched/x").unlink,
        ]
        for change in changes:
            before = len(plugin.reads)
            change()
            await until(more_than(plugin.reads, before))


async def test_folders_beside_the_runs_are_excluded(tmp_path: Path) -> None:
    records = MemoryRecords()
    append(tmp_path / "data/a.points", "loss 1")
    append(tmp_path / "run/a.points", "loss 2")
    async with hosted(records, SourceConfig(tmp_path, "src", exclude=["data"])):
        await until(lambda: records.values("src/run", "loss"))
    assert records.runs().keys() == {"src/run"}


async def test_a_plugin_gets_its_settings(tmp_path: Path) -> None:
    records = MemoryRecords()
    append(tmp_path / "a.points", "loss 1")
    config = SourceConfig(tmp_path, "src", config={"points": {"factor": 10}})
    async with hosted(records, config):
        await until(lambda: records.values("src", "loss") == [10.0])


async def test_many_files_are_all_read(tmp_path: Path) -> None:
    records = MemoryRecords()
    for number in range(500):
        append(tmp_path / f"run{number % 7}/{number}.points", f"loss {number}")
    async with hosted(records, tmp_path) as host:
        await until(lambda: (found := report(host)) is not None and found.points == 500)
        await until(lambda: state(host) is SourceState.FOLLOWING)


async def test_a_large_file_does_not_keep_others_waiting(tmp_path: Path) -> None:
    class Slow(Points):
        def read(
            self, unit: Unit, checkpoint: Mapping[str, object] | None, context: Context
        ) -> Iterator[Delivery]:
            for delivery in super().read(unit, checkpoint, context):
                if unit.key.startswith("large"):
                    time.sleep(0.01)
                yield delivery

    records = MemoryRecords()
    for number in range(8):
        append(tmp_path / f"run/large{number}.points", *["x 1"] * 2000)
        age(tmp_path / f"run/large{number}.points", 600)
    async with hosted(records, tmp_path, plugins=[Slow()], limits=Limits(delivery_bytes=16)) as host:
        await until(lambda: (found := report(host)) is not None and found.points > 0)
        append(tmp_path / "run/small.points", "loss 1")
        await until(lambda: records.values("src/run", "loss") == [1.0])
        assert len(records.values("src/run", "x")) < 16_000


# Stopping and starting


async def test_nothing_is_lost_or_doubled_over_restarts(tmp_path: Path) -> None:
    records = MemoryRecords()
    path = tmp_path / "run/a.points"
    for start in range(0, 50, 10):
        append(path, *(f"loss {number}" for number in range(start, start + 10)))
        async with hosted(records, tmp_path, limits=Limits(delivery_bytes=16)):
            await until(lambda: records.values("src/run", "loss"))
    async with hosted(records, tmp_path) as host:
        await until(lambda: state(host) is SourceState.FOLLOWING)
        found = report(host)
        assert found is not None
        assert found.points == 50
    assert records.values("src/run", "loss") == [float(number) for number in range(50)]
    assert len([one for one in records.operations if one == records.runs()["src/run"]]) == 1


async def test_closing_is_prompt_in_the_middle_of_a_file(tmp_path: Path) -> None:
    records = MemoryRecords()
    append(tmp_path / "run/a.points", *(f"loss {number}" for number in range(20_000)))
    host = Host(
        records, [Points()], [SourceConfig(tmp_path, "src")], Limits(delivery_bytes=16), poll_seconds=0.1
    )
    await host.start()
    await until(lambda: records.values("src/run", "loss"))
    await asyncio.wait_for(host.close(), 5)
    read = len(records.values("src/run", "loss"))
    assert 0 < read < 20_000
    assert {one.state for one in host.reports()} == {SourceState.STOPPED}
    await asyncio.sleep(0.2)
    assert len(records.values("src/run", "loss")) == read
    await host.close()


async def test_closing_before_anything_was_found_is_fine(tmp_path: Path) -> None:
    host = Host(MemoryRecords(), [Points()], [SourceConfig(tmp_path, "src")])
    await host.close()
    await host.start()
    await host.close()


async def test_two_servers_on_one_folder_read_everything_once(tmp_path: Path) -> None:
    records = MemoryRecords()
    path = tmp_path / "run/a.points"
    append(path, "loss 0")
    async with hosted(records, tmp_path), hosted(records, tmp_path):
        for number in range(1, 60):
            append(path, f"loss {number}")
            await asyncio.sleep(0.01)
        await until(lambda: len(records.values("src/run", "loss")) >= 60)
        await asyncio.sleep(0.3)
    assert records.values("src/run", "loss") == [float(number) for number in range(60)]
