"""Filters as text: MLflow's search grammar (https://mlflow.org/docs/latest/ml/search/search-runs) with OR, NOT, parentheses, regular
expressions, numbers of metrics, children and ancestors. docs/filters.md is its manual.

A text becomes a `RunFilter` and nothing else: no part of it is ever run.
"""

from graphql_runs.read.where.printer import spelled, written
from graphql_runs.read.where.reader import Bounds, parse

__all__ = ["Bounds", "parse", "spelled", "written"]
