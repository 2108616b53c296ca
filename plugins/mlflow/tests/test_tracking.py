"""Asking a tracking server: real ones of today and before, and one that answers as a test wants."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from graphql_runs.ingest.api import Context, Delivery, Limits, Tree, Unreadable
from graphql_runs.ingest.host import Host
from graphql_runs.ingest.remote import Connection
from graphql_runs.ingest.remote_source import RemoteConfig
from graphql_runs.ingest.testing import MemoryRecords
from graphql_runs_mlflow.tracking.config import TrackingConfig
from graphql_runs_mlflow.tracking.remote import MlflowRemote
from plugins.mlflow.tests.compare import check, seen
from plugins.mlflow.tests.servers import NEEDS, tracking
from plugins.mlflow.tests.stores import TRACKED, said_by
from plugins.mlflow.tests.stub import START, Answer, Stub, serving
from plugins.mlflow.tests.test_database import run_named
from tests.server.processes import serving as our_server


class Reader:
    """Reads everything that is new at an address, time and again."""

    def __init__(self, address: str, limits: Limits | None = None, **config: Any) -> None:
        self.limits = limits or Limits()
        self.config = TrackingConfig(**config)
        self.places: dict[str, Any] = {}
        self.versions: dict[str, str] = {}
        self.found: list[Delivery] = []
        self.address = address
        self.connection = self.connect()

    def connect(self) -> Connection:
        return MlflowRemote().connect(self.address, "source", self.config, self.limits)

    def read(self, *, restarted: bool = False) -> list[Delivery]:
        """What is new; `restarted` as a server that was started anew finds it."""
        if restarted:
            self.connection.close()
            self.connection, self.versions = self.connect(), {}
        new = []
        context = Context(Tree(Path(), "source", ()), self.config, self.limits)
        for one in self.connection.look().units:
            if self.versions.get(one.unit.place) == one.version:
                continue
            for delivery in self.connection.read(one.unit, self.places.get(one.unit.place), context):
                if delivery.operations:
                    self.places[one.unit.place] = json.loads(json.dumps(delivery.checkpoint, allow_nan=False))
                new.append(delivery)
            self.versions[one.unit.place] = one.version
        self.found += new
        return [delivery for delivery in new if delivery.operations or delivery.skipped]

    def points(self, run: str, metric: str) -> list[tuple[str, int, int]]:
        points: list[tuple[str, int, int]] = seen(self.found)[run]["points"].get(metric, [])
        return points


@contextmanager
def reading(stub: Stub, limits: Limits | None = None, **config: Any) -> Iterator[Reader]:
    with serving(stub) as address:
        reader = Reader(address, limits, **config)
        try:
            yield reader
        finally:
            reader.connection.close()


# Real servers


@pytest.mark.parametrize("version", list(NEEDS))
def test_everything_comes_as_mlflow_says_it_is(version: str, tmp_path: Path) -> None:
    with tracking(version, tmp_path) as address:
        whole, pieces = (
            Reader(f"mlflow+{address}", limits) for limits in (Limits(), Limits(delivery_bytes=400))
        )
        said: dict[str, Any] = {}
        for stage in ("first", "later"):
            said = said_by(version, TRACKED, tmp_path, address, stage)[stage]
            for reader in (whole, pieces):
                reader.read(restarted=True)
                check(seen(reader.found), said)
                assert reader.read(restarted=True) == []
                assert [skipped for delivery in reader.found for skipped in delivery.skipped] == []
        first = run_named(said, "first ✓")
        artifact = seen(whole.found)[first]["artifacts"]["sub/result.txt"]
        assert (artifact.size, artifact.content_type) == (6, "text/plain")
        assert artifact.location.startswith(address)
        for reader in (whole, pieces):
            reader.connection.close()


# Growth


@pytest.mark.parametrize("pages", [True, False])
def test_only_what_is_new_is_asked_for(pages: bool) -> None:
    stub = Stub(pages=pages)
    stub.put("a", loss=[(time, time, 0.5) for time in range(1000)], acc=[(0, 0, 1.0), (1, 1, 2.0)])
    stub.put("b", "FINISHED", loss=[(0, 0, 0.25)])
    with reading(stub) as reader:
        reader.read()
        assert len(reader.points("a", "loss")) == 1000
        stub.put("a", loss=[(1000, 1000, math.nan), (1001, 1001, 0.125)])
        stub.asked.clear()
        assert len(reader.read()) == 1
        assert (
            stub.asked.count("metrics/get-history") <= 2
        )  # that of `loss`, and once to find out about pages
        assert reader.points("a", "loss")[-2:] == [
            ("nan", 1000, (START + 1000) * 1000),
            ("0.125", 1001, (START + 1001) * 1000),
        ]
        stub.asked.clear()
        assert reader.read(restarted=True) == []
        assert "metrics/get-history" not in stub.asked


@pytest.mark.parametrize("pages", [True, False])
def test_points_that_come_late_are_taken(pages: bool) -> None:
    stub = Stub(pages=pages)
    stub.put("a", loss=[(10 * time, time, 0.5) for time in range(200)])
    with reading(stub) as reader:
        reader.read()
        stub.put("a", loss=[(1985, 500, 0.75), (3000, 300, 1.0)])
        reader.read()
        assert sorted(step for _, step, _ in reader.points("a", "loss")) == [*range(200), 300, 500]
        assert [one for delivery in reader.found for one in delivery.skipped] == []


def test_points_that_come_far_too_late_are_told() -> None:
    stub = Stub()
    stub.put("a", loss=[(10 * time, time, 0.5) for time in range(200)])
    with reading(stub) as reader:
        reader.read()
        stub.put("a", loss=[(5, 300, 0.75), (3000, 301, 1.0)])
        reader.read()
        assert [step for _, step, _ in reader.points("a", "loss")] == [*range(200), 301]
        [skipped] = [one for delivery in reader.found for one in delivery.skipped]
        assert skipped.reason.startswith("1 points were logged with a time long before")
        stub.put("a", loss=[(4000, 302, 1.0)])
        reader.read()
        assert [step for _, step, _ in reader.points("a", "loss")][-1] == 302


def test_what_a_list_does_not_show_comes_when_the_run_ends() -> None:
    stub = Stub()
    stub.put("a", loss=[(time, time, 0.5) for time in range(100)])
    with reading(stub) as reader:
        reader.read()
        stub.put("a", loss=[(200, 5, 0.75)])  # an earlier step: the list goes on showing step 99
        assert reader.read() == []
        stub.put("a", "FINISHED")
        reader.read()
        assert reader.points("a", "loss")[-1] == ("0.75", 5, (START + 200) * 1000)


def test_points_that_went_away_are_told() -> None:
    stub = Stub()
    stub.put("a", loss=[(time, time, 0.5) for time in range(100)])
    with reading(stub) as reader:
        reader.read()
        stub.runs["a"]["points"]["loss"] = [(time, time, 0.25) for time in range(200)]
        with pytest.raises(Unreadable, match="not there any more"):
            reader.read()


def test_lists_are_asked_for_in_pages_and_only_new_ones_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphql_runs_mlflow.tracking.listing._PAGE", 10)
    stub = Stub()
    for number in range(55):
        stub.put(f"run-{number}", "FINISHED")
    with reading(stub) as reader:
        assert len(reader.read()) == 55
        assert stub.asked.count("runs/search") == 6
        stub.put("new")
        stub.asked.clear()
        [delivery] = reader.read()
        assert stub.asked.count("runs/search") == 3
        assert {operation.run_id for operation in delivery.operations} == {"new"}


# Troubles


def answering(status: int, data: bytes = b"{}", **headers: str) -> Stub:
    return Stub(other=lambda path, asked: (status, headers, data))


@pytest.mark.parametrize("status", [401, 403, 404, 302, 400])
def test_what_lasts_is_unreadable(status: int) -> None:
    with reading(answering(status)) as reader, pytest.raises(Unreadable, match=str(status)):
        reader.read()


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_what_passes_is_tried_again(status: int) -> None:
    with reading(answering(status)) as reader, pytest.raises(OSError, match=str(status)):
        reader.read()


@pytest.mark.parametrize("data", [b"", b"<html>", b"[]", b"\xff", b"[" * 100_000])
def test_what_is_no_tracking_server_is_told(data: bytes) -> None:
    with reading(answering(200, data)) as reader, pytest.raises(Unreadable, match="is it a tracking server"):
        reader.read()


def test_an_answer_without_an_end_is_given_up() -> None:
    limits = Limits(json_bytes=1 << 16)
    with (
        reading(answering(200, b" " * (1 << 20)), limits) as reader,
        pytest.raises(Unreadable, match="over the limit"),
    ):
        reader.read()


def test_a_list_that_is_too_large_is_asked_for_in_smaller_pages() -> None:
    stub = Stub()
    for number in range(300):
        stub.put(f"run-{number}", "FINISHED", loss=[(0, 0, 1.0)])
    with reading(stub, Limits(json_bytes=1 << 14)) as reader:
        assert len({one.operations[0].run_id for one in reader.read()}) == 300


def test_a_run_that_was_read_elsewhere_is_not_read_again() -> None:
    stub = Stub()
    stub.put("a", loss=[(0, 0, 1.0)])
    with reading(stub) as reader:
        [one] = reader.connection.look().units
        for place, words in (("files", "file store"), ("database", "a database")):
            before = {"told": "x", "tags": [], **({"place": place} if place != "files" else {})}
            reader.places[one.unit.place] = before
            with pytest.raises(Unreadable, match=words):
                reader.read()


# Who asks


def test_credentials_are_sent_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "s3cret-words"
    basic = "Basic " + base64.b64encode(f"ann:{secret}".encode()).decode()
    stub = answering(401, json.dumps({"message": "no"}).encode())
    for config, expected in (
        ({"username": "ann", "password": SecretStr(secret)}, basic),
        ({"token": SecretStr(secret)}, f"Bearer {secret}"),
    ):
        with reading(stub, **config) as reader, pytest.raises(Unreadable) as caught:
            reader.read()
        assert stub.seen[-1]["authorization"] == expected
        assert secret not in f"{caught.value!r} {reader.config!r}"
    for name, value in (("USERNAME", "ann"), ("PASSWORD", secret)):
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", value)
    with reading(stub) as reader, pytest.raises(Unreadable):
        reader.read()
    assert stub.seen[-1]["authorization"] == basic
    monkeypatch.delenv("MLFLOW_TRACKING_USERNAME")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", secret)
    with reading(stub) as reader, pytest.raises(Unreadable):
        reader.read()
    assert stub.seen[-1]["authorization"] == f"Bearer {secret}"
    assert secret not in caplog.text


@pytest.mark.parametrize(
    "address",
    [
        "mlflow+http://ann:s3cret@host",
        "mlflow+ftp://host",
        "mlflow+http://",
        "mlflow+http://host?x=s3cret",
        "mlflow+http://host:s3cret",
    ],
)
def test_addresses_that_cannot_be_are_refused_without_showing_them(address: str) -> None:
    with pytest.raises(ValueError, match=r"address") as caught:
        Reader(address)
    assert "s3cret" not in str(caught.value)


# Under a host


async def test_our_own_server_is_not_read(tmp_path: Path) -> None:
    async with our_server("--store", "sqlite:///runs.sqlite", cwd=tmp_path) as server:
        reader = Reader(f"mlflow+{server.address}")
        with pytest.raises(Unreadable, match="graphql-runs"):
            await asyncio.to_thread(reader.read)
        reader.connection.close()


async def test_a_run_of_two_servers_is_read_from_one() -> None:
    stub, other = Stub(), Stub()
    for one in (stub, other):
        one.put("a", loss=[(time, time, 0.5) for time in range(10)])
    records = MemoryRecords()
    with serving(stub) as first, serving(other) as second:
        sources = [RemoteConfig(address, name) for name, address in (("one", first), ("two", second))]
        host = Host(records, [], sources, Limits(), remotes=[MlflowRemote()])
        await host.start()
        reports = host.reports()
        try:
            for _ in range(400):
                reports = host.reports()
                if any("read from" in (report.last_error or "") for report in reports) and records.operations:
                    break
                await asyncio.sleep(0.02)
        finally:
            await host.close()
    assert [report for report in reports if "is read from" in (report.last_error or "")]
    assert len(records.values("a", "loss")) == 10


# Answers that nobody expects

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.from_regex(
    "experiments|experiment_id|name|runs|run|info|data|metrics|params|tags|run_id|status|key|value|timestamp|step|inputs|dataset_inputs"
    "|dataset|digest|outputs|model_outputs|model_id|files|path|is_dir|file_size|start_time|end_time|lifecycle_stage|user_id",
    fullmatch=True,
)
ANSWERS = st.dictionaries(
    NAMES,
    st.recursive(
        JSON,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6),
        max_leaves=20,
    ),
    max_size=6,
)


@given(answers=st.lists(st.tuples(st.booleans(), ANSWERS), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_answer_is_borne(answers: list[tuple[bool, dict[str, Any]]]) -> None:
    turns = iter(answers)

    def answer(path: str, asked: dict[str, Any]) -> Answer | None:
        wild, found = next(turns, (False, {}))
        return (200, {}, json.dumps(found).encode("utf-8", "surrogatepass")) if wild else None

    stub = Stub(other=answer)
    stub.put("a", loss=[(0, 0, 1.0)])
    with reading(stub) as reader:
        for _ in range(2):
            with suppress(Unreadable, OSError):
                reader.read()
