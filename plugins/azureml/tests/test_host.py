"""Under a host: what one unit finds out is read again when the file that another unit takes has changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from graphql_runs.ingest.host import Host, SourceConfig
from graphql_runs.ingest.testing import MemoryRecords
from graphql_runs.model.operation import AddArtifact, Annotate, DeclareRun, LogText, SetStatus
from graphql_runs.model.source import SourceState
from graphql_runs.model.status import RunStatus
from graphql_runs_azureml import AzureMLIngester
from plugins.azureml.tests.builder import details, put, sweep

PATIENCE = 20.0


@asynccontextmanager
async def following(source: Path) -> AsyncIterator[tuple[Host, MemoryRecords]]:
    records = MemoryRecords()
    host = Host(records, [AzureMLIngester()], [SourceConfig(source, "source")], poll_seconds=0.1)
    await host.start()
    try:
        yield host, records
    finally:
        await host.close()


async def until(said: Callable[[], bool]) -> None:
    for _ in range(int(PATIENCE / 0.02)):
        if said():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it was not said in time")


async def test_a_sweep_is_read_whole(tmp_path: Path) -> None:
    sweep(tmp_path)
    put(tmp_path, {"cluster.json": {"name": "cpu", "allocationState": "Steady"}})
    async with following(tmp_path) as (host, records):
        await until(
            lambda: (
                all(report.state is SourceState.FOLLOWING for report in host.reports())
                and len(host.reports()) == 2
            )
        )
        assert set(records.runs()) == {"HD_1", "HD_1_0", "HD_1_1", "HD_1_2"}
        assert {f"HD_1_{k}": records.statuses(f"HD_1_{k}")[-1].status for k in range(3)} == {
            f"HD_1_{k}": RunStatus.COMPLETED for k in range(3)
        }
        assert [cluster.name for cluster in records.clusters] == ["cpu"]
        assert [report.skipped_total for report in host.reports()] == [0, 0]


async def test_changes_reach_the_units_that_watch(tmp_path: Path) -> None:
    put(tmp_path / "HD", {"run_details.json": details("HD", "Running", tags={})})
    put(
        tmp_path / "HD_0",
        {
            "run_details.json": details("HD_0", "Running", parentRunId="HD"),
            "user_logs/std_log.txt": "x\n",
            "outputs/a.jsonl": "1\n",
        },
    )
    async with following(tmp_path) as (_, records):
        said = records.operations
        await until(
            lambda: (
                any(isinstance(one, AddArtifact) for one in said)
                and any(isinstance(one, LogText) for one in said)
            )
        )
        with (tmp_path / "HD_0/outputs/a.jsonl").open("a") as file:
            file.write("2\n")
        await until(lambda: any(isinstance(one, AddArtifact) and one.size == 4 for one in said))
        put(
            tmp_path / "HD",
            {"run_details.json": details("HD", "Running", tags={"_aml_system_HD_0": '{"--lr": 1}'})},
        )
        await until(lambda: any(isinstance(one, DeclareRun) and one.params == {"lr": "1"} for one in said))
        put(tmp_path / "HD_0", {"run_details.json": details("HD_0", "Completed", parentRunId="HD")})
        await until(lambda: any(isinstance(one, LogText) and one.complete is True for one in said))
        assert records.statuses("HD_0")[-1].status is RunStatus.COMPLETED


async def test_broken_details_are_shown_and_read_when_they_are_whole(tmp_path: Path) -> None:
    place = (
        put(tmp_path / "folder", {"run_details.json": '{"status": "Running",\n', "outputs/a.txt": "x"})
        / "run_details.json"
    )
    async with following(tmp_path) as (host, records):
        await until(
            lambda: any("run_details.json:2" in (report.last_error or "") for report in host.reports())
        )
        place.write_text('{"status": "Running", "runId": "real-id"}', encoding="utf-8")
        await until(lambda: any(isinstance(one, AddArtifact) for one in records.operations))
        assert {one.run_id for one in records.operations} == {"real-id"}
        assert all(report.last_error is None for report in host.reports())
        assert any(
            isinstance(one, SetStatus) and one.status is RunStatus.RUNNING for one in records.operations
        )
        assert not any(isinstance(one, Annotate) and one.error for one in records.operations)
