"""MLflow's tables: which of them a database has, with which columns.

Schema: mlflow/store/tracking/dbmodels/models.py and mlflow/store/db_migrations (https://github.com/mlflow/mlflow), versions 1 to 3.
What later versions added is read where it is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphql_runs_mlflow.database.opening import Foreign, Session, text

_NEEDED: Mapping[str, frozenset[str]] = {
    "alembic_version": frozenset({"version_num"}),
    "experiments": frozenset({"experiment_id", "name"}),
    "runs": frozenset({"run_uuid", "experiment_id", "status", "start_time", "end_time", "lifecycle_stage"}),
    "metrics": frozenset({"run_uuid", "key", "value", "timestamp"}),
    "params": frozenset({"run_uuid", "key", "value"}),
    "tags": frozenset({"run_uuid", "key", "value"}),
}
_INPUTS: Mapping[str, frozenset[str]] = {
    "datasets": frozenset(
        {
            "dataset_uuid",
            "name",
            "digest",
            "dataset_source_type",
            "dataset_source",
            "dataset_schema",
            "dataset_profile",
        }
    ),
    "inputs": frozenset({"input_uuid", "source_type", "source_id", "destination_type", "destination_id"}),
    "input_tags": frozenset({"input_uuid", "name", "value"}),
}
_MODELS: Mapping[str, frozenset[str]] = {
    "logged_models": frozenset({"model_id", "name", "model_type", "status", "creation_timestamp_ms"}),
    "logged_model_params": frozenset({"model_id", "param_key", "param_value"}),
    "logged_model_tags": frozenset({"model_id", "tag_key", "tag_value"}),
}
_OPTIONAL = {
    "runs": {"name": "NULL", "user_id": "NULL", "artifact_uri": "NULL"},
    "metrics": {"step": "0", "is_nan": "0"},
    "experiments": {"workspace": "NULL"},
    "inputs": {"step": "0"},
}


@dataclass(frozen=True, slots=True)
class Tables:
    """What there is to ask for. `columns` are those of each table; `inputs` and `models` say whether those tables are there."""

    columns: Mapping[str, frozenset[str]]
    inputs: bool
    models: bool

    def column(self, table: str, name: str) -> str:
        """A column, or what stands for it in a database of a version that does not have it yet."""
        return f'"{name}"' if name in self.columns[table] else _OPTIONAL[table][name]


def tables_of(session: Session) -> Tables:
    """The tables of MLflow's. Raises Foreign when it is no database of MLflow's."""
    # Views, and tables that are made by code, are not what they seem.
    listed = session.rows("SELECT name, sql FROM sqlite_master WHERE type = 'table' LIMIT 10000")
    there = {
        text(name) or "" for name, sql in listed if isinstance(sql, bytes) and sql.startswith(b"CREATE TABLE")
    }
    wanted = _NEEDED.keys() | _INPUTS.keys() | _MODELS.keys()
    columns = {
        name: frozenset(text(row[1]) or "" for row in session.rows(f'PRAGMA table_info("{name}")'))
        for name in sorted(wanted & there)
    }
    if not _has(columns, _NEEDED):
        raise Foreign("it is no database of MLflow's")
    return Tables(columns, _has(columns, _INPUTS), _has(columns, _INPUTS) and _has(columns, _MODELS))


def _has(columns: Mapping[str, frozenset[str]], wanted: Mapping[str, frozenset[str]]) -> bool:
    return all(columns.get(name, frozenset()) >= needed for name, needed in wanted.items())


def full_name(name: str | None, workspace: str | None) -> str | None:
    """An experiment's name with its workspace, where that is not the one that everybody has."""
    return f"{workspace}/{name}" if name and workspace not in {None, "", "default"} else name
