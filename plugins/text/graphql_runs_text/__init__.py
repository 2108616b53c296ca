"""Text logs of training jobs, followed as they grow and kept byte for byte."""

from graphql_runs_text.ingester import TextConfig, TextIngester

__all__ = ["TextConfig", "TextIngester", "ingester"]

ingester = TextIngester()
