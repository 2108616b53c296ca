"""MLflow's file store, read as it grows."""

from graphql_runs_mlflow.ingester import MlflowConfig, MlflowIngester

__all__ = ["MlflowConfig", "MlflowIngester", "ingester"]

ingester = MlflowIngester()
