"""What can be set: `[sources.config.slurm]` in graphql-runs.toml."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_WORD = re.compile(r"[A-Za-z0-9_.@+-]+", re.ASCII)


def _word(text: str) -> str:
    """Such a text means nothing to a shell, which a prefix like ssh hands it to."""
    if not _WORD.fullmatch(text) or text.startswith("-"):
        raise ValueError(f"letters, digits and any of _ . @ + - only, not {text!r}")
    return text


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError(f"an absolute path is wanted, not {str(path)!r}")
    return path


Word = Annotated[str, AfterValidator(_word)]
Experiment = Literal["account", "user", "partition", "name"]


class SlurmConfig(BaseModel):
    """Which jobs are followed and how the cluster is asked. Folders of saved files take `experiment` and what follows it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prefix: tuple[str, ...] = Field(
        default=(), description='What is put before every command, as in ["ssh", "login"].'
    )
    users: tuple[Word, ...] = Field(default=(), description="Only jobs of these users; empty for all.")
    accounts: tuple[Word, ...] = Field(default=(), description="Only jobs of these accounts.")
    partitions: tuple[Word, ...] = Field(
        default=(), description="Only jobs and clusters of these partitions."
    )
    since_days: float = Field(
        default=7, gt=0, le=3650, description="Finished jobs are taken from so many days back."
    )
    accounting: bool = Field(default=True, description="Ask sacct where the cluster keeps accounts.")
    logs: bool = Field(default=True, description="Read what jobs print from their output files.")
    log_roots: tuple[Annotated[Path, AfterValidator(_absolute)], ...] = Field(
        default=(), description="Output files are read below these folders only; empty for anywhere."
    )
    queue_seconds: float = Field(default=10, ge=0, description="Pause between two questions to squeue.")
    nodes_seconds: float = Field(
        default=30, ge=0, description="Pause between two questions for nodes and partitions."
    )
    accounting_seconds: float = Field(default=60, ge=0, description="Pause between two questions to sacct.")
    timeout_seconds: float = Field(
        default=30, gt=0, le=600, description="A command that takes longer is ended."
    )
    output_bytes: int = Field(default=128 << 20, ge=1024, description="A command that prints more is ended.")
    experiment: Experiment = Field(default="account", description="What names a run's experiment.")
    bare_identity: bool = Field(
        default=True, description="Runs are known as slurm:<job> besides slurm:<cluster>/<job>."
    )
    jobs: int = Field(
        default=10_000, ge=1, description="The newest so many jobs are followed, the others reported."
    )
    array_tasks: int = Field(
        default=1000, ge=1, description="Tasks of one array that wait and are shown one by one."
    )
