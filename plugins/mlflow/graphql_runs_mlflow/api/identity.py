"""Which run and experiment an id means, and the ids that MLflow's clients are given.

A run has the id of its producer, unless MLflow's clients would refuse that (`runs/exp/first`): then the server's. Experiments have the
server's; `0` stands for the one called Default, as on MLflow's server.
"""

from __future__ import annotations

import re

from graphql_runs.ingest.receiver import Desk
from graphql_runs.model import ids
from graphql_runs.model.records import Experiment
from graphql_runs.model.run import Run
from graphql_runs_mlflow.api.fault import MISSING, Fault, invalid

DEFAULT = "Default"
_DEFAULT_ID = "0"
# mlflow/utils/validation.py
_RUN_ID = re.compile(r"[a-zA-Z0-9][\w\-]{0,255}")


def shown_id(run: Run) -> str:
    """The id of a run for a client."""
    return run.run_id if _RUN_ID.fullmatch(run.run_id) else run.id


def run_id_of(desk: Desk, id: str) -> str:
    """The server's id of the run that a client means."""
    return id if ids.kind_of(id) == "run" else ids.run_id(ids.workspace_id(desk.workspace), id)


def experiment_id_of(desk: Desk, id: str) -> str:
    """The server's id of the experiment that a client means."""
    return ids.experiment_id(ids.workspace_id(desk.workspace), DEFAULT) if id == _DEFAULT_ID else id


async def any_run(desk: Desk, id: str) -> Run:
    """The run of an id. Raises Fault when there is none."""
    run = await desk.reading.find_run(desk.workspace, id)
    if run is None:
        raise Fault(MISSING, f"Run with id={id[:256]} not found")
    return run


async def active_run(desk: Desk, id: str) -> Run:
    """A run that may be written to. Raises Fault when it is in the trash."""
    run = await any_run(desk, id)
    if run.trashed_at is not None:
        raise invalid(f"The run {id} must be in the 'active' state. Current state is deleted.")
    return run


async def any_experiment(desk: Desk, id: str) -> Experiment:
    """The experiment of an id. Raises Fault when there is none."""
    known = experiment_id_of(desk, id)
    if ids.kind_of(known) == "experiment":
        [found] = await desk.reading.experiments([known])
        if found is not None and found.workspace == ids.workspace_id(desk.workspace):
            return found
        if id == _DEFAULT_ID:
            # MLflow's clients take it for granted; it is made with its first run.
            return Experiment(known, ids.workspace_id(desk.workspace), DEFAULT, 0)
    raise Fault(MISSING, f"No Experiment with id={id[:256]} exists")
