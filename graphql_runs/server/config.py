"""The file `graphql-runs.toml`: settings, and the sources that are followed.

    [server]                     # any setting of docs/settings.md
    port = 9000

    [[sources]]                  # a folder or file, relative to this file
    path = "runs"
    plugins = ["text", "tabular"]
    exclude = ["*.tmp"]
    config.text.metrics = false

    [[sources]]                  # something that is asked
    address = "mlflow+https://tracking.example"
    poll_seconds = 30

A key that is not known is an error that names it, and nothing is started then.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from graphql_runs.ingest.host import RemoteConfig, SourceConfig
from graphql_runs.server.fault import CommandError
from graphql_runs.server.settings import ENV_PREFIX

CONFIG_NAME = "graphql-runs.toml"
CONFIG_ENV = f"{ENV_PREFIX}CONFIG"
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:")

AnySource = SourceConfig | RemoteConfig


@dataclass(frozen=True, slots=True)
class Config:
    """What a file says. `path` is None when there is none; `server` are settings by name, not checked yet."""

    path: Path | None = None
    server: Mapping[str, Any] = field(default_factory=dict)
    sources: Sequence[_Source] = ()

    def followed(self, workspace: str) -> list[AnySource]:
        """The sources, those that name no workspace in this one. Raises CommandError for a path where nothing is."""
        if self.path is None:
            return []
        return [
            source.given(self.path, f"sources[{index}]", workspace)
            for index, source in enumerate(self.sources)
        ]


class _Source(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path | None = None
    address: Annotated[str, Field(pattern=_ADDRESS.pattern)] | None = None
    name: Annotated[str, Field(min_length=1)] | None = None
    workspace: Annotated[str, Field(min_length=1)] | None = None
    plugins: list[str] | None = None
    exclude: list[str] = []
    poll_seconds: Annotated[float, Field(gt=0)] | None = None
    config: dict[str, dict[str, Any]] = {}

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.path is None) == (self.address is None):
            raise ValueError("it needs a path or an address, and not both")
        if self.address is not None and (self.plugins is not None or self.exclude):
            raise ValueError("plugins and exclude are for a path")
        if self.path is not None and self.poll_seconds is not None:
            raise ValueError(
                "poll_seconds is for an address; for paths there is the setting ingest_poll_seconds"
            )
        return self

    def given(self, file: Path, place: str, workspace: str) -> AnySource:
        workspace = self.workspace or workspace
        if self.address is not None:
            return RemoteConfig(
                self.address, self.name or name_of(self.address), workspace, self.config, self.poll_seconds
            )
        assert self.path is not None
        path = (file.parent / self.path.expanduser()).resolve()
        if not path.exists():
            raise CommandError(f"{file}: {place}.path: {path} does not exist")
        return SourceConfig(
            path, self.name or path.name or "root", workspace, self.plugins, self.config, self.exclude
        )


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    server: dict[str, Any] = {}
    sources: list[_Source] = []


def read_config(given: Path | None = None) -> Config:
    """The file that is given, else named by GRAPHQL_RUNS_CONFIG, else the one in the working directory if there is one.

    Raises CommandError that names the file and the line or key.
    """
    named = given or (Path(text) if (text := os.environ.get(CONFIG_ENV)) else None)
    path = named or Path(CONFIG_NAME)
    if named is None and not path.exists():
        return Config()
    try:
        with path.open("rb") as file:
            found = _File.model_validate(tomllib.load(file))
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CommandError(f"{path}: {error}") from error
    except ValidationError as error:
        raise CommandError(
            "\n".join(f"{path}: {_key(problem['loc'])}: {_reason(problem)}" for problem in error.errors())
        ) from None
    return Config(path.resolve(), found.server, found.sources)


def source(text: str, workspace: str) -> AnySource:
    """The source of `[NAME=]PATH` or `[NAME=]ADDRESS`. Raises CommandError when nothing is there."""
    name, equals, rest = text.partition("=")
    # A path may hold a `=` or `:` itself; then it exists as it is written.
    named = bool(equals and name and rest and "/" not in name and ":" not in name and not Path(text).exists())
    place = rest if named else text
    path = Path(place).expanduser()
    if not path.exists():
        if _ADDRESS.match(place):
            return RemoteConfig(place, name if named else name_of(place), workspace)
        raise CommandError(f"{path} does not exist")
    path = path.resolve()
    return SourceConfig(path=path, name=name if named else path.name or "root", workspace=workspace)


def name_of(address: str) -> str:
    """What an address is called when nobody says: its host, else its scheme."""
    scheme, _, rest = address.partition(":")
    host = rest.removeprefix("//").partition("/")[0].rpartition("@")[2]
    return host or scheme


def _key(place: Sequence[int | str]) -> str:
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "the file"


def _reason(problem: Any) -> str:
    if problem["type"] == "extra_forbidden":
        return "there is no such key"
    return str(problem["msg"]).removeprefix("Value error, ")
