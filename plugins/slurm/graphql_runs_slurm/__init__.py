"""Follows a Slurm cluster: its jobs, nodes and partitions, and what jobs print."""

from graphql_runs_slurm.ingester import SlurmIngester
from graphql_runs_slurm.remote import SlurmRemote

__all__ = ["SlurmIngester", "SlurmRemote", "ingester", "remote"]

ingester = SlurmIngester()
"""What the entry point `slurm` of the group `graphql_runs.ingesters` names."""
remote = SlurmRemote()
"""What the entry point `slurm` of the group `graphql_runs.remotes` names."""
