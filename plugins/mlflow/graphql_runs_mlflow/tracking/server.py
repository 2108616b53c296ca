"""A tracking server that is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from graphql_runs.ingest.api import Context, Delivery, Limits, Unit
from graphql_runs.ingest.remote import Look
from graphql_runs_mlflow.tracking.client import Client
from graphql_runs_mlflow.tracking.config import TrackingConfig
from graphql_runs_mlflow.tracking.listing import Listing
from graphql_runs_mlflow.tracking.read import Reading


class TrackingServer:
    """A connection. Raises ValueError for an address that it cannot be."""

    def __init__(self, address: str, config: TrackingConfig, limits: Limits) -> None:
        self._client = Client(address, config, limits)
        self._listing = Listing(self._client, limits)
        self._reading = Reading(self._client, config.artifacts)

    def look(self) -> Look:
        """All its runs."""
        return self._listing.look()

    def read(
        self, unit: Unit, checkpoint: Mapping[str, object] | None, context: Context
    ) -> Iterator[Delivery]:
        """What is new of a run."""
        return self._reading.run(unit, checkpoint, context, self._listing.experiments)

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()
