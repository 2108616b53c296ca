"""MLflow's stores, read as they grow: files, databases and tracking servers."""

from graphql_runs_mlflow.ingester import MlflowConfig, MlflowIngester
from graphql_runs_mlflow.tracking.remote import MlflowRemote, TrackingConfig, remote

__all__ = ["MlflowConfig", "MlflowIngester", "MlflowRemote", "TrackingConfig", "ingester", "remote"]

ingester = MlflowIngester()
