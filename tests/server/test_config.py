from __future__ import annotations

from pathlib import Path

import pytest

from graphql_runs.ingest.host import RemoteConfig, SourceConfig
from graphql_runs.server.commands import read_settings
from graphql_runs.server.config import read_config, source
from graphql_runs.server.fault import CommandError

_WHOLE = """
[server]
port = 9000
plugins = ["text"]
trash_days = 3

[[sources]]
path = "runs"
name = "mine"
workspace = "team"
plugins = ["text"]
exclude = ["*.tmp"]
config.text.metrics = false

[[sources]]
address = "mlflow+https://me:secret@tracking.example/path"
poll_seconds = 30

[[sources]]
address = "slurm:"
name = "cluster"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "graphql-runs.toml"
    path.write_text(text)
    return path


def test_sources_and_settings_come_from_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs").mkdir()
    config = read_config(written(tmp_path, _WHOLE))
    assert config.followed("default") == [
        SourceConfig(tmp_path / "runs", "mine", "team", ["text"], {"text": {"metrics": False}}, ["*.tmp"]),
        RemoteConfig(
            "mlflow+https://me:secret@tracking.example/path", "tracking.example", "default", poll_seconds=30
        ),
        RemoteConfig("slurm:", "cluster", "default"),
    ]
    settings = read_settings(config)
    assert (settings.port, settings.plugins, settings.trash_days) == (9000, ["text"], 3)
    monkeypatch.setenv("GRAPHQL_RUNS_PORT", "9001")
    assert read_settings(config).port == 9001
    assert read_settings(config, port=9002).port == 9002


def test_the_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GRAPHQL_RUNS_CONFIG", raising=False)
    assert read_config().path is None
    path = written(tmp_path, "[server]\nport = 1")
    assert read_settings().port == 1
    other = path.rename(tmp_path / "other.toml")
    assert read_config().path is None
    monkeypatch.setenv("GRAPHQL_RUNS_CONFIG", str(other))
    assert read_settings().port == 1
    monkeypatch.setenv("GRAPHQL_RUNS_CONFIG", "missing.toml")
    with pytest.raises(CommandError, match=r"missing\.toml: No such file"):
        read_config()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[servers]", "servers: there is no such key"),
        ('[[sources]]\npath = "x"\nexcludes = []', r"sources\[0\]\.excludes: there is no such key"),
        ("[[sources]]", r"sources\[0\]: it needs a path or an address, and not both"),
        ('[[sources]]\npath = "x"\naddress = "slurm:"', r"sources\[0\]: it needs a path or an address"),
        (
            '[[sources]]\naddress = "slurm:"\nplugins = []',
            r"sources\[0\]: plugins and exclude are for a path",
        ),
        ('[[sources]]\npath = "x"\npoll_seconds = 3', r"sources\[0\]: poll_seconds is for an address"),
        ('[[sources]]\naddress = "slurm"', r"sources\[0\]\.address: "),
        ("sources = 3", "sources: "),
        ("port =", r".*at line 1, column 7|.*at end of document"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, error: str) -> None:
    with pytest.raises(CommandError, match=rf"graphql-runs\.toml: (?:{error})"):
        read_config(written(tmp_path, text))


def test_a_wrong_setting_of_the_file_is_named_there(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, '[server]\nport = "x"\nprot = 1'))
    with pytest.raises(CommandError) as failed:
        read_settings(config)
    first, second = str(failed.value).splitlines()
    assert first.startswith(f"{config.path}: server.port: Input should be a valid integer")
    assert second == f"{config.path}: server.prot: there is no such setting"


def test_a_path_has_to_be_there(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, '[[sources]]\npath = "gone"'))
    with pytest.raises(CommandError, match=r"sources\[0\]\.path: .*gone does not exist"):
        config.followed("default")


def test_an_argument_is_a_path_or_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert source("slurm:", "w") == RemoteConfig("slurm:", "slurm", "w")
    assert source("x=mlflow+http://a:5000", "w") == RemoteConfig("mlflow+http://a:5000", "x", "w")
    assert source("mlflow+http://a:5000/?x=1", "w") == RemoteConfig(
        "mlflow+http://a:5000/?x=1", "a:5000", "w"
    )
    (tmp_path / "slurm:").mkdir()
    assert source("slurm:", "w") == SourceConfig(tmp_path / "slurm:", "slurm:", "w")
