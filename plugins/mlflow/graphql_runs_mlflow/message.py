"""What both ends of MLflow's API of ours have to know."""

SERVED_BY = "x-graphql-runs"
"""A header of every answer of our receiver: what reads tracking servers must not read ourselves."""
