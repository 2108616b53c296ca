from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from graphql_runs.ingest.host import SourceConfig
from graphql_runs.server.commands import plugin_rows, read_settings
from graphql_runs.server.config import source
from graphql_runs.server.fault import CommandError
from graphql_runs.server.logs import configure_logging


def test_settings_come_from_the_call_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHQL_RUNS_PORT", "9000")
    monkeypatch.setenv("GRAPHQL_RUNS_PLUGINS", '["text"]')
    assert read_settings().port == 9000
    assert read_settings(port=1234, host=None).port == 1234
    assert [name for name, *_ in plugin_rows(read_settings())] == ["text"]


def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHQL_RUNS_QUERY_DEPTH", "deep")
    with pytest.raises(CommandError, match=r"setting query_depth \(GRAPHQL_RUNS_QUERY_DEPTH\): .*integer"):
        read_settings()


def test_a_plugin_that_is_not_there_is_said() -> None:
    [row] = plugin_rows(read_settings(plugins=["nope"]))
    assert row[:3] == ("nope", "ingester", "broken")


def test_a_source_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a=b").mkdir()
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    assert source("runs", "w") == SourceConfig(tmp_path / "runs", "runs", "w")
    assert source("mine=runs", "w") == SourceConfig(tmp_path / "runs", "mine", "w")
    # A path may hold the sign itself.
    assert source("a=b", "w") == SourceConfig(tmp_path / "a=b", "a=b", "w")
    with pytest.raises(CommandError, match="missing does not exist"):
        source("missing", "w")


def test_the_log_is_json_where_nobody_sits_at_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    monkeypatch.setattr(root, "level", root.level)
    own = logging.getLogger("graphql_runs")
    monkeypatch.setattr(own, "level", own.level)
    configure_logging("info")
    logging.getLogger("graphql_runs.x").info("a %s", "fact")
    logging.getLogger("elsewhere").info("not told")
    try:
        raise RuntimeError("deep down")
    except RuntimeError:
        logging.getLogger("graphql_runs.x").exception("broken")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert (first["level"], first["logger"], first["message"]) == ("info", "graphql_runs.x", "a fact")
    assert "RuntimeError: deep down" in second["exception"]
