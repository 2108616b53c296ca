"""Every setting of the server, in one table.

A setting comes from the command line, else from the environment (`GRAPHQL_RUNS_<NAME>`), else from `graphql-runs.toml`, else its
default. docs/settings.md
is written from here by `just settings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

ENV_PREFIX = "GRAPHQL_RUNS_"
_MIB = 1 << 20
_DAYS = 36_500
"""The longest time that is counted in days, a century."""


class Settings(BaseSettings):
    """Settings of one server process. Sizes are bytes, times seconds."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, extra="forbid", frozen=True)

    store: Annotated[
        str,
        Field(
            description="Where runs are kept: `sqlite:///FILE`, relative to the working directory or absolute, or `mongodb://HOST/DATABASE`."
        ),
    ] = "sqlite:///graphql-runs.sqlite"
    host: Annotated[
        str,
        Field(description="Address to listen on. Anything but loopback needs a token, or `allow_remote`."),
    ] = "127.0.0.1"
    port: Annotated[
        int, Field(ge=0, le=65535, description="Port to listen on; 0 takes a free one and prints it.")
    ] = 8765
    allow_remote: Annotated[
        bool,
        Field(
            description="Listen beyond loopback without a token: everybody who reaches the port may read and write."
        ),
    ] = False
    allowed_hosts: Annotated[
        list[str],
        Field(
            description="Host names that requests may use beside loopback names and `host`; guards against DNS rebinding."
        ),
    ] = Field(default_factory=list)
    token: Annotated[
        SecretStr | None,
        Field(
            description="Token that requests must bring as `Authorization: Bearer TOKEN`; several, separated by commas, are all valid. Unset lets everybody in."
        ),
    ] = None
    token_file: Annotated[
        Path | None,
        Field(
            description="File of further tokens, one a line; read again when it changes, so that tokens can be replaced."
        ),
    ] = None
    workspace: Annotated[str, Field(description="Workspace that followed folders are recorded in.")] = (
        "default"
    )
    shutdown_seconds: Annotated[
        float, Field(gt=0, description="How long open requests may go on after a stop signal.")
    ] = 5.0
    log_level: Annotated[
        str,
        Field(
            pattern="^(debug|info|warning|error)$",
            description="Least level of the server's own log: debug, info, warning or error.",
        ),
    ] = "info"

    query_depth: Annotated[int, Field(ge=1, description="Deepest nesting of fields in an operation.")] = 15
    query_aliases: Annotated[int, Field(ge=0, description="Most aliases in an operation.")] = 100
    query_tokens: Annotated[int, Field(ge=1, description="Most tokens of a document.")] = 20_000
    query_cost: Annotated[
        int,
        Field(
            ge=1,
            description="Most objects that an operation could return by its page sizes; a curve counts as one per 1000 points.",
        ),
    ] = 100_000
    page: Annotated[int, Field(ge=1, description="Most entries of one page of a connection.")] = 100
    page_lines: Annotated[int, Field(ge=1, description="Most log lines of one page.")] = 1000
    search_seconds: Annotated[
        int, Field(ge=1, description="Seconds after which a page of a search of logs ends early.")
    ] = 10
    page_rows: Annotated[int, Field(ge=1, description="Most rows of one page of a metric's rows.")] = 100_000
    series_points: Annotated[int, Field(ge=4, description="Most points of one curve.")] = 1_000_000
    ids: Annotated[int, Field(ge=1, description="Most ids in one list of ids.")] = 100
    table_rows: Annotated[int, Field(ge=1, description="Most rows of one page of a run table.")] = 1000
    table_columns: Annotated[
        int, Field(ge=1, description="Most columns of a run table, and criteria to group by.")
    ] = 100
    group_runs: Annotated[
        int,
        Field(
            ge=1,
            description="Most runs that are looked at to group them, for a sweep's running best, or for a cluster's waiting times.",
        ),
    ] = 10_000
    compare_runs: Annotated[int, Field(ge=1, description="Most runs of one `compare`.")] = 1000
    compare_metrics: Annotated[int, Field(ge=1, description="Most metrics of one `compare`.")] = 20
    compare_rows: Annotated[int, Field(ge=1, description="Most points that one `compare` reads.")] = (
        20_000_000
    )
    compare_points: Annotated[
        int, Field(ge=4, description="Most points of all curves of one `compare` together.")
    ] = 2_000_000
    name_records: Annotated[
        int,
        Field(
            ge=1,
            description="Most runs and metrics that are looked at for one list of names; a list that would need more says that it is not complete.",
        ),
    ] = 50_000
    request_seconds: Annotated[
        float, Field(gt=0, description="How long a query or mutation may take before it is given up.")
    ] = 30.0
    trusted_documents: Annotated[
        Path | None,
        Field(
            description="Operations that clients may name by their SHA-256: a folder of `*.graphql` files, or a JSON file of documents by hash."
        ),
    ] = None
    trusted_documents_only: Annotated[
        bool,
        Field(
            description="Run no operation but the trusted ones. The web page runs operations of its own, which would have to be among them."
        ),
    ] = False
    filter_text: Annotated[
        int, Field(ge=1, description="Most characters of a filter that is given as text (`where`).")
    ] = 10_000
    filter_depth: Annotated[int, Field(ge=1, le=100, description="Deepest nesting of a filter.")] = 16
    filter_conditions: Annotated[int, Field(ge=1, description="Most conditions of a filter.")] = 500
    filter_list: Annotated[
        int, Field(ge=1, description="Most entries of one `in` or `notIn` list of a filter.")
    ] = 1000
    filter_regex: Annotated[
        int, Field(ge=1, le=10_000, description="Most characters of a regular expression.")
    ] = 1000
    request_bytes: Annotated[
        int,
        Field(
            ge=1024,
            description="Largest GraphQL request over HTTP, and largest POST to a receiver (`/ingest/…`), also once it is unpacked.",
        ),
    ] = 64 * _MIB
    message_bytes: Annotated[
        int, Field(ge=1024, description="Largest message of a client over WebSocket.")
    ] = _MIB
    socket_subscriptions: Annotated[
        int, Field(ge=1, description="Most subscriptions open on one WebSocket.")
    ] = 100
    connect_seconds: Annotated[
        float, Field(gt=0, description="How long a WebSocket may take to send `connection_init`.")
    ] = 10.0
    ping_seconds: Annotated[
        float,
        Field(
            gt=0,
            description="Pause between keep-alive pings of a WebSocket or event stream; a WebSocket whose peer does not answer within the same time is dropped.",
        ),
    ] = 20.0
    upload_bytes: Annotated[int, Field(ge=0, description="Largest artifact upload.")] = 10 * 1024 * _MIB

    record_name_bytes: Annotated[
        int,
        Field(
            ge=16, description="Longest name of a run, metric, tag, parameter or column, and longest run id."
        ),
    ] = 1024
    record_path_bytes: Annotated[
        int, Field(ge=16, description="Longest path of a log file or artifact inside a run.")
    ] = 4096
    record_value_bytes: Annotated[
        int,
        Field(
            ge=16,
            description="Longest value of a tag, parameter or property, longest description or message.",
        ),
    ] = 65_536
    record_keys: Annotated[
        int, Field(ge=1, description="Most tags, parameters and properties of a run, each.")
    ] = 10_000
    record_points: Annotated[int, Field(ge=1, description="Most points and rows of one `record` call.")] = (
        1_000_000
    )
    record_text_bytes: Annotated[
        int, Field(ge=1, description="Most bytes of log text and payloads of one `record` call.")
    ] = 8 * _MIB
    record_payload_bytes: Annotated[
        int,
        Field(ge=1, description="Largest payload, such as a confusion matrix or an accuracy table, as JSON."),
    ] = 4 * _MIB
    record_operations: Annotated[int, Field(ge=1, description="Most operations of one `record` call.")] = (
        100_000
    )
    record_columns: Annotated[int, Field(ge=1, description="Most columns of one metric.")] = 256
    record_evidence: Annotated[
        int,
        Field(
            ge=4,
            description="Most status statements kept of one run; older ones are folded into one that counts them.",
        ),
    ] = 1000
    record_queue: Annotated[
        int,
        Field(
            ge=1,
            description="Most calls waiting for one run tree; further ones wait before they are taken in.",
        ),
    ] = 4096

    plugins: Annotated[
        list[str] | None,
        Field(description="Names of the ingesters that may load; unset loads all that are installed."),
    ] = None
    ingest_poll_seconds: Annotated[
        float,
        Field(
            gt=0, description="How often followed folders are walked where file notifications do not tell."
        ),
    ] = 2.0
    ingest_files: Annotated[int, Field(ge=1, description="Most files looked at in one source.")] = 100_000
    ingest_depth: Annotated[int, Field(ge=1, description="Deepest folder looked at below a source.")] = 32
    ingest_line_bytes: Annotated[
        int,
        Field(ge=1024, description="Longest line of a tabular file; a longer one is left out and reported."),
    ] = _MIB
    ingest_json_bytes: Annotated[
        int, Field(ge=1024, description="Largest JSON document that is read whole.")
    ] = 32 * _MIB
    ingest_delivery_bytes: Annotated[
        int, Field(ge=4096, description="About how much of a file is written in one batch.")
    ] = _MIB
    ingest_metrics_per_run: Annotated[
        int,
        Field(
            ge=1,
            description="Most metric names taken from the files of one run; further ones are left out and reported.",
        ),
    ] = 100_000

    compact_seconds: Annotated[
        float, Field(ge=0, description="Pause between rounds of background compaction; 0 turns it off.")
    ] = 5.0
    compact_items: Annotated[
        int, Field(ge=2, description="Pieces of one stream that start its compaction.")
    ] = 64

    retention_seconds: Annotated[
        float,
        Field(
            ge=0,
            description="Pause between rounds of background retention, which the next settings are about; 0 turns it off.",
        ),
    ] = 60.0
    trash_days: Annotated[
        float,
        Field(
            ge=0,
            le=_DAYS,
            description="Days that a run stays in the trash until it is purged; 0 purges nothing by itself.",
        ),
    ] = 30.0
    retain_days: Annotated[
        float | None,
        Field(
            gt=0,
            le=_DAYS,
            description="Days after its end when a root run goes to the trash, with everything below it; unset keeps all.",
        ),
    ] = None
    journal_entries: Annotated[
        int,
        Field(
            ge=1,
            description="Newest journal entries of a run tree that always stay; older ones are trimmed after `journal_days`. "
            "A live cursor from before them is reset.",
        ),
    ] = 10_000
    journal_days: Annotated[
        float, Field(ge=0, le=_DAYS, description="Days in which no journal entry is trimmed.")
    ] = 1.0
    blob_days: Annotated[
        float,
        Field(
            ge=0.01,
            le=_DAYS,
            description="Days after its upload when a blob that no output names is deleted.",
        ),
    ] = 1.0


def settings_of(file: Mapping[str, Any], given: Mapping[str, Any]) -> Settings:
    """Settings from what is given, else the environment, else a file's values, else their defaults. Raises pydantic's
    ValidationError."""

    class WithFile(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, InitSettingsSource(settings_cls, dict(file))

    return WithFile(**given) if file else Settings(**given)


def settings_table() -> str:
    """The settings as a Markdown table, in the order of the class."""
    rows = ["| setting | environment | default | what it does |", "| --- | --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=True)
        rows.append(f"| `{name}` | `{ENV_PREFIX}{name.upper()}` | {_shown(default)} | {field.description} |")
    return "\n".join(rows) + "\n"


def _shown(value: Any) -> str:
    if value is None:
        return "unset"
    if isinstance(value, list):
        return "empty" if not value else f"`{','.join(value)}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`"
