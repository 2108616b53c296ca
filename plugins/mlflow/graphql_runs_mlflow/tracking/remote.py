"""The plugin for addresses of tracking servers."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from graphql_runs.ingest.api import Limits, Stability
from graphql_runs.ingest.remote import Connection
from graphql_runs_mlflow.tracking.config import SCHEMES, TrackingConfig

__all__ = ["MlflowRemote", "TrackingConfig", "remote"]


class MlflowRemote:
    """Takes addresses of MLflow's tracking servers."""

    name = "mlflow"
    description = "MLflow's tracking server, by mlflow+http://HOST:PORT or mlflow+https://HOST: runs, metrics, params, tags, artifacts."
    stability = Stability.BETA
    schemes: Sequence[str] = tuple(SCHEMES)
    poll_seconds = 5.0
    config: type[BaseModel] = TrackingConfig

    def connect(self, address: str, name: str, config: BaseModel, limits: Limits) -> Connection:
        """A connection that asks nothing yet. Raises ValueError for an address that it cannot be."""
        # What speaks HTTP takes a while to import, and few servers need it.
        from graphql_runs_mlflow.tracking.server import TrackingServer

        assert isinstance(config, TrackingConfig)
        return TrackingServer(address, config, limits)


remote = MlflowRemote()
