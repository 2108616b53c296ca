"""Metrics in tables of text: JSON lines and CSV, read as they grow."""

from graphql_runs_tabular.ingester import TabularConfig, TabularIngester

__all__ = ["TabularConfig", "TabularIngester", "ingester"]

ingester = TabularIngester()
