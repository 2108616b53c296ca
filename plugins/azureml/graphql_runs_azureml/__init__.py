"""Reads Azure Machine Learning run folders: both log layouts, details files, statuses and child runs."""

from graphql_runs_azureml.ingester import AzureMLIngester

__all__ = ["AzureMLIngester", "ingester"]

ingester = AzureMLIngester()
"""What the entry point `azureml` of the group `graphql_runs.ingesters` names."""
