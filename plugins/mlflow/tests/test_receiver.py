"""The tracking API as any HTTP client may speak to it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from graphql_runs.model import ids
from graphql_runs.model.operation import DeclareRun, LogPoints, LogRows, SetStatus
from graphql_runs.model.status import RunStatus
from tests.server.local import Local, local

API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"


class Api:
    """A server, spoken to as MLflow's clients do."""

    def __init__(self, server: Local, client: httpx.AsyncClient) -> None:
        self.server = server
        self.client = client

    async def post(self, path: str, **body: Any) -> Any:
        return self._found(await self.client.post(f"{API}/{path}", json=body))

    async def get(self, place: str, **query: Any) -> Any:
        return self._found(await self.client.get(f"{API}/{place}", params=query))

    async def run(self, **more: Any) -> str:
        found = await self.post("runs/create", **{"experiment_id": "0", **more})
        id: str = found["run"]["info"]["run_id"]
        return id

    async def refused(self, path: str, body: object, method: str = "POST") -> tuple[int, str, str]:
        answer = await self.client.request(method, f"{API}/{path}", json=body)
        found = answer.json()
        assert found.keys() == {"error_code", "message"}
        return answer.status_code, found["error_code"], found["message"]

    def _found(self, answer: httpx.Response) -> Any:
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with (
        local(tmp_path, request_bytes=1 << 20, upload_bytes=1 << 20) as server,
        httpx.AsyncClient(base_url=server.address, timeout=30) as client,
    ):
        yield Api(server, client)


async def test_numbers_travel_as_protocol_buffers_write_them(api: Api) -> None:
    run = await api.run()
    values = [1, 0.5, "NaN", "Infinity", "-Infinity", "1e-3", 2**60]
    for step, value in enumerate(values):
        await api.post(
            "runs/log-metric", run_id=run, key="m", value=value, timestamp=str(1000 + step), step=str(step)
        )
    found = (await api.get("metrics/get-history", run_id=run, metric_key="m"))["metrics"]
    assert [one["value"] for one in found] == [1, 0.5, "NaN", "Infinity", "-Infinity", 0.001, 2.0**60]
    assert [(one["timestamp"], one["step"]) for one in found] == [(1000 + step, step) for step in range(7)]
    last = (await api.get("runs/get", run_id=run))["run"]["data"]["metrics"]
    assert last == [{"key": "m", "value": 2.0**60, "timestamp": 1006, "step": 6}]


async def test_a_history_comes_in_pages(api: Api) -> None:
    run = await api.run()
    metrics = [{"key": "m", "value": row, "timestamp": row, "step": row} for row in range(25)]
    await api.post("runs/log-batch", run_id=run, metrics=metrics)
    sizes, token, values = [], None, []
    while True:
        query = {"run_id": run, "metric_key": "m", "max_results": 10} | (
            {"page_token": token} if token else {}
        )
        page = await api.get("metrics/get-history", **query)
        sizes.append(len(page["metrics"]))
        values += [one["value"] for one in page["metrics"]]
        if (token := page.get("next_page_token")) is None:
            break
    assert sizes == [10, 10, 5]
    assert values == list(range(25))


async def test_runs_come_in_pages_of_one_search(api: Api) -> None:
    made = {await api.run(run_name=f"r{number}", start_time=1000 + number) for number in range(5)}
    seen: list[str] = []
    token = None
    while True:
        more: dict[str, str] = {} if token is None else {"page_token": token}
        page = await api.post("runs/search", experiment_ids=["0"], max_results=2, **more)
        seen += [run["info"]["run_id"] for run in page["runs"]]
        if (token := page.get("next_page_token")) is None:
            break
        last = token
    assert len(seen) == 5
    assert set(seen) == made
    status, code, message = await api.refused(
        "runs/search", {"experiment_ids": ["0"], "filter": "params.a = '1'", "page_token": last}
    )
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
    assert "belongs to another list" in message
    assert (await api.post("runs/search", experiment_ids=[]))["runs"] == []


async def test_trees_may_be_deep_and_a_parent_stays(api: Api) -> None:
    def child_of(run: str) -> list[dict[str, str]]:
        return [{"key": "mlflow.parentRunId", "value": run}]

    top = await api.run(run_name="top")
    middle = await api.run(run_name="middle", tags=child_of(top))
    low = await api.run(run_name="low", tags=child_of(middle))
    other = await api.run(run_name="other")
    await api.post("runs/set-tag", run_id=low, key="mlflow.parentRunId", value=other)
    query = "query($id: ID!) { run(id: $id) { depth parent { runId } root { runId } } }"
    home = ids.workspace_id("default")
    found = (await api.server.ask(query, id=ids.run_id(home, low)))["run"]
    assert found == {"depth": 2, "parent": {"runId": middle}, "root": {"runId": top}}


async def test_statuses_go_both_ways(api: Api) -> None:
    run = await api.run(start_time=10_000)
    for word in ("SCHEDULED", "RUNNING", "FINISHED", "RUNNING", "KILLED", "FAILED"):
        # The end may lie before the start by a clock that is behind: what is said last counts.
        ended = {"end_time": 5} if word in ("FINISHED", "KILLED", "FAILED") else {}
        info = (await api.post("runs/update", run_id=run, status=word, **ended))["run_info"]
        assert info["status"] == word
        assert ("end_time" in info) == bool(ended)
    assert await api.refused("runs/update", {"run_id": run, "status": "DONE"})


async def test_runs_of_other_sources_are_seen_too(api: Api) -> None:
    recorder = api.server.rooms.recorder
    await recorder.record(
        "default",
        [
            DeclareRun("runs/exp/first", "exp", "first", "text"),
            SetStatus("runs/exp/first", RunStatus.PREPARING, "test"),
            LogPoints("runs/exp/first", "loss", [1.0, 2.0]),
            LogRows("runs/exp/first", "words", {"value": ["a"]}),
        ],
    )
    home = ids.workspace_id("default")
    [run] = (await api.post("runs/search", experiment_ids=[ids.experiment_id(home, "exp")]))["runs"]
    id = run["info"]["run_id"]
    assert id == ids.run_id(home, "runs/exp/first")  # clients take no slashes in ids
    assert run["info"]["status"] == "SCHEDULED"
    assert [one["key"] for one in run["data"]["metrics"]] == ["loss"]
    found = (await api.get("metrics/get-history", run_id=id, metric_key="loss"))["metrics"]
    assert [(one["value"], one["step"]) for one in found] == [(1, 0), (2, 1)]
    await api.post("runs/log-metric", run_id=id, key="loss", value=3, timestamp=1)
    assert len((await api.get("metrics/get-history", run_id=id, metric_key="loss"))["metrics"]) == 3


async def test_what_is_wrong_is_said_in_mlflows_words(api: Api) -> None:
    run = await api.run()
    wrong: list[tuple[str, dict[str, Any], str]] = [
        ("runs/log-metric", {"run_id": run, "value": 1, "timestamp": 1}, "'key'"),
        ("runs/log-metric", {"run_id": run, "key": "m", "timestamp": 1}, "'value'"),
        ("runs/log-metric", {"run_id": run, "key": "m", "value": 1}, "'timestamp'"),
        ("runs/log-metric", {"run_id": run, "key": "m", "value": "x", "timestamp": 1}, "'value'"),
        ("runs/log-metric", {"run_id": run, "key": "m", "value": 1, "timestamp": 1, "step": 0.5}, "'step'"),
        ("runs/log-metric", {"run_id": run, "key": "m", "value": 1, "timestamp": -1}, "'timestamp'"),
        ("runs/log-batch", {"run_id": run, "metrics": {}}, "'metrics'"),
        (
            "runs/log-batch",
            {"run_id": run, "tags": [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]},
            "'a'",
        ),
        ("runs/set-tag", {"run_id": run, "key": "k", "value": 5}, "'value'"),
        ("runs/search", {"experiment_ids": ["0"], "max_results": 0}, "max_results"),
        ("runs/search", {"experiment_ids": ["0"], "run_view_type": "SOME"}, "run_view_type"),
        ("runs/search", {"experiment_ids": ["0"], "page_token": "%"}, "page_token"),
        ("experiments/search", {"filter": "metrics.x > 1"}, "name and tags"),
        ("experiments/search", {"order_by": ["size"]}, "order_by"),
        ("runs/set-tag", {"run_id": run, "key": "k" * 5000, "value": "x"}, "limit"),
    ]
    for path, body, words in wrong:
        status, code, message = await api.refused(path, body)
        assert (status, code) == (400, "INVALID_PARAMETER_VALUE"), (path, body, message)
        assert words in message
    assert (await api.get("runs/get", run_id=run))["run"]["data"]["metrics"] == []
    for path in ("runs/get", "metrics/get-history"):
        answer = await api.client.get(f"{API}/{path}", params={"run_id": "none", "metric_key": "m"})
        assert (answer.status_code, answer.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    for content in (b"[]", b"{", b'{"a":' * 100_000):
        answer = await api.client.post(f"{API}/runs/set-tag", content=content)
        assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert (await api.refused("registered-models/create", {}))[:2] == (404, "ENDPOINT_NOT_FOUND")
    assert (await api.refused("runs/create", {}, "DELETE"))[:2] == (404, "ENDPOINT_NOT_FOUND")


async def test_a_batch_is_all_or_nothing(api: Api) -> None:
    run = await api.run()
    await api.post("runs/log-parameter", run_id=run, key="lr", value="1")
    body = {
        "run_id": run,
        "metrics": [{"key": "m", "value": 1, "timestamp": 1}],
        "params": [{"key": "lr", "value": "2"}],
        "tags": [{"key": "t", "value": "x"}],
    }
    assert (await api.refused("runs/log-batch", body))[1] == "INVALID_PARAMETER_VALUE"
    data = (await api.get("runs/get", run_id=run))["run"]["data"]
    assert data["metrics"] == []
    assert [tag["key"] for tag in data["tags"]] == ["mlflow.runName"]


async def test_datasets_and_models_come_back(api: Api) -> None:
    run = await api.run()
    dataset = {"name": "train", "digest": "abc", "source_type": "local", "source": "{}"}
    used = [{"tags": [{"key": "mlflow.data.context", "value": "training"}], "dataset": dataset}]
    await api.post("runs/log-inputs", run_id=run, datasets=used)
    await api.post("runs/log-inputs", run_id=run, datasets=used)
    for path in ("model", "other"):
        await api.post("runs/log-model", run_id=run, model_json=json.dumps({"artifact_path": path}))
    found = (await api.get("runs/get", run_id=run))["run"]
    assert found["inputs"]["dataset_inputs"] == used
    tags = {tag["key"]: tag["value"] for tag in found["data"]["tags"]}
    assert json.loads(tags["mlflow.log-model.history"]) == [
        {"artifact_path": "model"},
        {"artifact_path": "other"},
    ]
    assert not [key for key in tags if key.startswith("dataset")]
    wrong: list[dict[str, Any]] = [
        {"datasets": [{}]},
        {"datasets": [{"dataset": {"name": "x"}}]},
        {"models": [{"model_id": "m"}]},
    ]
    for body in wrong:
        assert (await api.refused("runs/log-inputs", {"run_id": run, **body}))[1] == "INVALID_PARAMETER_VALUE"


async def test_logged_models_belong_to_their_run(api: Api) -> None:
    run = await api.run()
    home = ids.experiment_id(ids.workspace_id("default"), "Default")
    made = {}
    for name in ("one", "two"):
        body = {"name": name, "source_run_id": run, "params": [{"key": "C", "value": "1"}]}
        made[name] = (await api.post("logged-models", experiment_id="0", **body))["model"]["info"]
    id = made["one"]["model_id"]
    assert made["one"]["status"] == "LOGGED_MODEL_PENDING"
    patched = [
        await api.client.patch(f"{API}/logged-models/{id}{place}", json=body)
        for place, body in (
            ("", {"status": "LOGGED_MODEL_READY"}),
            ("/tags", {"tags": [{"key": "a", "value": "b"}]}),
        )
    ]
    assert [answer.status_code for answer in patched] == [200, 200]
    await api.post(f"logged-models/{id}/params", params=[{"key": "D", "value": "2"}])
    await api.post("runs/outputs", run_id=run, models=[{"model_id": id, "step": "3"}])
    model = (await api.get(f"logged-models/{id}"))["model"]
    assert model["info"]["status"] == "LOGGED_MODEL_READY"
    assert model["info"]["tags"] == [{"key": "a", "value": "b"}]
    assert {one["key"]: one["value"] for one in model["data"]["params"]} == {"C": "1", "D": "2"}
    found = (await api.get("runs/get", run_id=run))["run"]
    assert found["outputs"] == {"model_outputs": [{"model_id": id, "step": 3}]}
    for filter, names in (("", ["one", "two"]), ("name = 'two'", ["two"]), ("tags.a = 'b'", ["one"])):
        page = await api.post("logged-models/search", experiment_ids=[home], filter=filter)
        assert sorted(one["info"]["name"] for one in page["models"]) == names
    place = f"{FILES}/{home}/models/{id}/artifacts"
    assert (await api.client.put(f"{place}/MLmodel", content=b"x: y")).status_code == 200
    assert (await api.client.get(f"{place}/MLmodel")).content == b"x: y"
    listed = (await api.client.get(FILES, params={"path": f"{home}/models/{id}/artifacts"})).json()["files"]
    assert listed == [{"path": "MLmodel", "is_dir": False, "file_size": 4}]
    assert (await api.refused("logged-models", {"experiment_id": "0", "name": "none"}))[0] == 400
    assert (await api.client.get(f"{API}/logged-models/m-1-{run}")).status_code == 404


async def test_outputs_stay_in_their_run_and_in_bounds(api: Api) -> None:
    run = await api.run()
    place = f"{FILES}/0/{run}/artifacts"
    assert (await api.client.put(f"{place}/a/b.txt", content=b"hello")).status_code == 200
    loaded = await api.client.get(f"{place}/a/b.txt", headers={"range": "bytes=1-3"})
    assert (loaded.status_code, loaded.content) == (206, b"ell")
    assert (await api.client.put(f"{place}/big", content=b"x" * ((1 << 20) + 1))).status_code == 413

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * (1 << 16)

    assert (await api.client.put(f"{place}/big", content=pieces())).status_code in (400, 413)
    for path in (f"{place}/%2e%2e/x", f"{FILES}/0/{run}/x", f"{FILES}/0/none/artifacts/x", place):
        answer = await api.client.put(path, content=b"x")
        assert answer.status_code in (400, 404), (path, answer.text)
    files = (await api.get("artifacts/list", run_id=run))["files"]
    assert files == [{"path": "a", "is_dir": True}]
    inner = (await api.get("artifacts/list", run_id=run, path="a"))["files"]
    assert inner == [{"path": "a/b.txt", "is_dir": False, "file_size": 5}]
    await api.post("runs/delete", run_id=run)
    assert (await api.client.put(f"{place}/late", content=b"x")).status_code == 400


async def test_bodies_are_bounded_also_when_their_length_is_not_told(api: Api) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"run_id": "'
        for _ in range(20):
            yield b"x" * (1 << 16)

    answer = await api.client.post(f"{API}/runs/set-tag", content=pieces())
    assert answer.status_code in (400, 413)
    assert "larger than" in answer.text


async def test_tokens_and_origins_are_asked_for(tmp_path: Path) -> None:
    async with (
        local(tmp_path, token="secret") as server,
        httpx.AsyncClient(base_url=server.address) as client,
    ):
        body = json.dumps({"experiment_id": "0"})
        assert (await client.post(f"{API}/runs/create", content=body)).status_code == 401
        assert (await client.get(f"{FILES}?path=0/x/artifacts")).status_code == 401
        answer = await client.post(f"{API}/runs/create", content=body, headers=server.headers)
        assert answer.status_code == 200
        foreign = {**server.headers, "origin": "https://example.org"}
        assert (await client.post(f"{API}/runs/create", content=body, headers=foreign)).status_code == 403
