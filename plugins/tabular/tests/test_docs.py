"""The commands of docs/push.md, in a shell."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from graphql_runs.model import ids
from tests.docs.pages import blocks
from tests.server.local import local


@pytest.mark.skipif(
    shutil.which("curl") is None and os.environ.get("CI") != "true", reason="curl is not on the path"
)
async def test_the_commands_of_the_page_work(tmp_path: Path) -> None:
    [code] = [one.code for one in blocks("bash") if one.page == Path("docs/push.md") and "jsonl" in one.code]
    (tmp_path / "metrics.jsonl").write_text('{"step": 3, "loss": 0.25}\n')
    async with local(tmp_path) as server:
        script = code.replace("http://127.0.0.1:8765", server.address)
        assert script != code
        done = await asyncio.to_thread(
            lambda: subprocess.run(
                ["bash", "-euo", "pipefail", "-c", script],
                cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
            )
        )  # fmt: skip
        assert done.returncode == 0, done.stderr + done.stdout
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert [(one["rows"], one["points"], one["skipped"]) for one in answers] == [(3, 3, []), (1, 1, [])]
        found = await server.ask(
            'query($id: ID!) { run(id: $id) { experiment { name } metric(name: "loss") { summary { count last } } } }',
            id=ids.run_id(ids.workspace_id("default"), "quick-test"),
        )
    assert found["run"] == {
        "experiment": {"name": "shell"},
        "metric": {"summary": {"count": 3, "last": 0.25}},
    }
