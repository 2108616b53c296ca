"""Where a run's code came from, as trackers write it into a run's properties or tags.

Sources of the keys: azureml-core 1.61 (`azureml.git.*` properties), MLflow 3 (`mlflow.source.git.*` tags).
"""

from __future__ import annotations

from dataclasses import dataclass

from graphql_runs.model.run import Run

_KEYS = {
    "repository": ("azureml.git.repository_uri", "mlflow.source.git.repoURL"),
    "branch": ("azureml.git.branch", "mlflow.source.git.branch"),
    "commit": ("azureml.git.commit", "mlflow.source.git.commit"),
    "dirty": ("azureml.git.dirty", "mlflow.source.git.dirty"),
}


@dataclass(frozen=True, slots=True)
class GitInfo:
    """The state of the repository a run was started from; None where nothing was said."""

    repository: str | None
    branch: str | None
    commit: str | None
    dirty: bool | None


def git_info(run: Run) -> GitInfo | None:
    """What a run's properties, or else its tags, say about git; None when they say nothing."""
    found = {
        name: next((bag[key] for bag in (run.properties, run.tags) for key in keys if bag.get(key)), None)
        for name, keys in _KEYS.items()
    }
    if not any(found.values()):
        return None
    dirty = found["dirty"]
    return GitInfo(
        found["repository"],
        found["branch"],
        found["commit"],
        None if dirty is None else dirty.lower() == "true",
    )
