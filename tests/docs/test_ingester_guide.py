"""The ingester of docs/ingesters.md works as it stands there."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

from graphql_runs.ingest.host import Host, SourceConfig
from graphql_runs.model import ids
from graphql_runs.model.records import Metric
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Store


async def test_the_ingester_of_the_page_follows_a_file(
    tmp_path: Path, store: Store, recorder: Recorder
) -> None:
    [code] = re.findall(r"```python\n(.*?)```", Path("docs/ingesters.md").read_text(), re.DOTALL)
    page: dict[str, Any] = {"__name__": "page"}
    exec(compile(code, "docs/ingesters.md", "exec"), page)
    folder = tmp_path / "train"
    folder.mkdir()
    losses = folder / "loss.txt"
    losses.write_text("3\n2\n")
    host = Host(recorder, [page["ingester"]], [SourceConfig(tmp_path, "src")], poll_seconds=0.1)
    await host.start()
    try:
        with losses.open("a") as file:
            file.write("1\n0.5")
        id = ids.metric_id(ids.run_id(ids.workspace_id("default"), "src/train"), "loss")
        async with asyncio.timeout(20):
            while True:
                [metric] = await store.get(Metric, [id])
                if metric is not None and metric.count == 3:
                    break
                await asyncio.sleep(0.05)
        # The last line is not whole yet.
        assert (metric.last, metric.max) == (1.0, 3.0)
    finally:
        await host.close()
