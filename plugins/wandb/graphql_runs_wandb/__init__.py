"""Run folders of Weights & Biases, read as they grow."""

from graphql_runs_wandb.ingester import WandbConfig, WandbIngester

__all__ = ["WandbConfig", "WandbIngester", "ingester"]

ingester = WandbIngester()
