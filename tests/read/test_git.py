from __future__ import annotations

from dataclasses import replace

from graphql_runs.model.run import Run
from graphql_runs.model.status import RunStatus
from graphql_runs.read.git import GitInfo, git_info

RUN = Run("run_x", "x", "w", "e", "run_x", 1, "x", "test", 0, RunStatus.RUNNING, 0)


def test_properties_of_azure() -> None:
    run = replace(
        RUN,
        properties={
            "azureml.git.repository_uri": "https://example.com/repo.git",
            "azureml.git.branch": "main",
            "azureml.git.commit": "abc",
            "azureml.git.dirty": "True",
            "mlflow.source.git.commit": "not looked at",
        },
    )
    assert git_info(run) == GitInfo("https://example.com/repo.git", "main", "abc", True)


def test_tags_of_mlflow() -> None:
    run = replace(RUN, tags={"mlflow.source.git.commit": "abc", "mlflow.source.git.repoURL": "repo"})
    assert git_info(run) == GitInfo("repo", None, "abc", None)


def test_nothing_said() -> None:
    assert git_info(replace(RUN, tags={"mlflow.source.git.commit": ""})) is None
