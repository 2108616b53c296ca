from __future__ import annotations

import pytest

from graphql_runs.model import ids
from graphql_runs.model.errors import InvalidInput, NotFound
from graphql_runs.model.operation import DeclareRun
from graphql_runs.model.records import Cluster, ClusterNode, Workspace
from graphql_runs.read.clusters import NodeStates, node_states
from graphql_runs.read.identity import Identities
from graphql_runs.read.records import every, find_run
from graphql_runs.record.recorder import Recorder
from graphql_runs.store.port import Store


@pytest.fixture(autouse=True)
async def declared(recorder: Recorder) -> None:
    await recorder.record("one", [DeclareRun("same", "e", "a", "test")])
    await recorder.record("two", [DeclareRun("same", "e", "b", "test")])
    await recorder.record("two", [DeclareRun("other", "e", "c", "test")])


def server_id(workspace: str, run: str) -> str:
    return ids.run_id(ids.workspace_id(workspace), run)


async def test_runs_by_either_id(store: Store) -> None:
    for id, workspace in (
        ("other", None),
        ("other", "two"),
        (server_id("two", "other"), None),
        (server_id("two", "other"), "two"),
    ):
        found = await find_run(store, id, workspace)
        assert found is not None
        assert found.name == "c"
    found = await find_run(store, "same", "one")
    assert found is not None
    assert found.name == "a"


async def test_runs_that_are_not_there(store: Store) -> None:
    for id, workspace in (
        ("nope", None),
        ("other", "one"),
        (server_id("two", "other"), "one"),
        ("other", "three"),
    ):
        assert await find_run(store, id, workspace) is None


async def test_an_ambiguous_id_names_both_workspaces(store: Store) -> None:
    with pytest.raises(InvalidInput, match="'one' and 'two'") as error:
        await find_run(store, "same", field="run")
    assert error.value.field == "run"


async def test_every_record_however_many(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphql_runs.read.records._CHUNK", 1)
    assert [home.name for home in await every(store, Workspace, "")] == ["one", "two"]


async def test_identities(store: Store) -> None:
    identities = Identities()
    found = await identities.of(store, server_id("two", "other"), field="run")
    assert (found.run_id, found.workspace, found.root) == ("other", "two", server_id("two", "other"))
    assert await identities.of(store, server_id("two", "other"), field="run") is found
    assert (await identities.of(store, "other", field="run")) == found
    with pytest.raises(NotFound) as error:
        await identities.of(store, "nope", field="run")
    assert error.value.field == "run"


async def test_identities_do_not_pile_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphql_runs.read.identity.REMEMBERED", 1)
    identities = Identities()
    for workspace, run in (("one", "same"), ("two", "same"), ("one", "same")):
        assert (await identities.of(store, server_id(workspace, run), field="run")).workspace == workspace


def test_states_of_nodes() -> None:
    cluster = Cluster("c", "w", "gpu", 0, node_states={"Idle": 2, "running": 1, "DRAINING": 3, "down": 1})
    assert node_states(cluster) == NodeStates(idle=2, running=1, other=4)
    nodes = (ClusterNode("a", "idle"), ClusterNode("b", "IDLE"), ClusterNode("c", "mixed"))
    assert node_states(Cluster("c", "w", "gpu", 0, nodes=nodes)) == NodeStates(idle=2, other=1)
    assert node_states(Cluster("c", "w", "gpu", 0)) == NodeStates()
