"""`graphql-runs sources` and `serve --config`, as a user calls them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.server.processes import SCRIPT, serving, start


async def called(*arguments: str, folder: Path) -> tuple[int | None, str, str]:
    """Exit code and what was printed."""
    process = await asyncio.create_subprocess_exec(
        str(SCRIPT), *arguments, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, errors = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, out.decode(), errors.decode()


def configured(folder: Path, more: str = "") -> None:
    (folder / "runs" / "first").mkdir(parents=True)
    (folder / "runs" / "first" / "metrics.jsonl").write_text('{"step": 1, "loss": 0.5}\n{broken\n')
    (folder / "graphql-runs.toml").write_text(
        f"""
[server]
workspace = "team"
token = "secret"
{more}
[[sources]]
path = "runs"
name = "mine"
"""
    )


async def test_a_running_server_is_asked_how_its_sources_stand(tmp_path: Path) -> None:
    configured(tmp_path)
    async with serving(cwd=tmp_path) as server:
        async with asyncio.timeout(30):
            while True:
                code, out, errors = await called("sources", server.address, "--json", folder=tmp_path)
                assert code == 0, errors
                found = {one["plugin"]: one for one in json.loads(out)}
                if "tabular" in found and found["tabular"]["points"] == 1:
                    break
        assert found["tabular"]["name"] == "mine"
        assert found["tabular"]["workspace"] == "team"
        code, out, _ = await called("sources", server.address, "--skipped", folder=tmp_path)
        assert code == 0
        assert "FOLLOWING" in out
        assert "skipped mine/first/metrics.jsonl:2: malformed JSON" in out
        # Without the file there is no token.
        (tmp_path / "elsewhere").mkdir()
        code, _, errors = await called("sources", server.address, folder=tmp_path / "elsewhere")
        assert (code, "it wants a token (GRAPHQL_RUNS_TOKEN)" in errors) == (1, True)


async def test_nobody_answers(tmp_path: Path) -> None:
    code, out, errors = await called("sources", "http://127.0.0.1:9", folder=tmp_path)
    assert (code, out) == (1, "")
    assert "no server answers at http://127.0.0.1:9" in errors


async def test_a_source_that_cannot_be_is_said_at_once(tmp_path: Path) -> None:
    configured(tmp_path, "log_level = 'error'")
    path = tmp_path / "graphql-runs.toml"
    path.write_text(path.read_text() + "config.text.speed = 3\n")
    with pytest.raises(
        AssertionError, match=r"source mine .*text: its settings are wrong: speed: Extra inputs"
    ):
        await start(cwd=tmp_path)
    path.write_text("[[sources]]\naddress = 'nothing:here'")
    with pytest.raises(AssertionError, match="no plugin takes addresses of nothing:"):
        await start(cwd=tmp_path)
