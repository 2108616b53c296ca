"""TensorBoard event files, read as they grow."""

from graphql_runs_tensorboard.ingester import TensorboardConfig, TensorboardIngester

__all__ = ["TensorboardConfig", "TensorboardIngester", "ingester"]

ingester = TensorboardIngester()
