"""W4: how long after a log call another client has it, pushed; W4b: how long until a thousand clients have one change."""

from __future__ import annotations

from typing import Any

from benchmarks.bare import bare
from benchmarks.bench import Bench, quantile
from benchmarks.figure import Beside, Figure, Wrong
from benchmarks.replay import request
from benchmarks.server import Server
from benchmarks.stream import METRICS, RECORD, create_run
from benchmarks.subscribers import Pushed, push, told

FOLLOW = """
subscription ($run: ID!) {
  runTree(run: $run, throttle: 0) { cursor caughtUp metrics { name start steps values metric { summary { last } } } }
}
"""
SUBSCRIBERS = 1000


def one(bench: Bench) -> list[Figure]:
    """W4."""
    calls = bench.size(1000, 50)
    usual, late, whole = [], [], []
    with Server(bench.store(), bench.environment) as server:
        for index in bench.rounds(f"W4: {calls} log calls, followed over a WebSocket"):
            pushed = _followed(bench, server, f"run-{index}", 1, calls)
            usual.append(1000 * quantile(pushed.after, 0.5))
            late.append(1000 * quantile(pushed.after, 0.99))
            whole.append(1000 * quantile((times[0] for times in pushed.heard), 0.5))
    checked = "the client was told each of the calls' points once, in order"
    what = "log call of 5 points returned → another client has them"
    return [
        Figure("W4", f"{what}, median", "ms", tuple(usual), False, checked, goal=5),
        Figure("W4", f"{what}, slowest of 100 (p99)", "ms", tuple(late), False, checked, goal=25),
        Figure("W4", "the same from before the call is sent, median", "ms", tuple(whole), False, checked),
    ]


def many(bench: Bench) -> list[Figure]:
    """W4b."""
    calls, subscribers = bench.size(20, 3), bench.size(SUBSCRIBERS, 50)
    usual, late, floor = [], [], []
    with Server(bench.store(), bench.environment) as server, bare() as port:
        for index in bench.rounds(f"W4b: {calls} changes to {subscribers} subscribers"):
            heard = _heard(_followed(bench, server, f"run-{index}", subscribers, calls))
            usual.append(1000 * quantile(heard, 0.5))
            late.append(1000 * quantile(heard, 0.99))
            nothing = bench.load.call(push, port, subscribers, request(FOLLOW), [request(RECORD)] * calls)
            floor.append(1000 * quantile(_heard(nothing), 0.99))
    beside = (Beside("one frame to as many bare sockets", tuple(floor)),)
    checked = "every subscriber was told every change once, in order, and all the same"
    what = f"log call sent → each of {subscribers:,} equal subscribers has it"
    return [
        Figure("W4b", f"{what}, slowest of 100 (p99)", "ms", tuple(late), False, checked, 60, beside),
        Figure("W4b", f"{what}, median", "ms", tuple(usual), False, checked),
    ]


def _heard(pushed: Pushed) -> list[float]:
    return [seconds for times in pushed.heard for seconds in times]


def _followed(bench: Bench, server: Server, name: str, subscribers: int, calls: int) -> Pushed:
    """Log calls of 5 points, one after the other, to a run that so many follow. Raises Wrong."""
    run = create_run(server, name)
    changes = [
        request(RECORD, input={"run": run, "writer": "job", "sequence": step, "points": _points(step)})
        for step in range(calls)
    ]
    pushed = bench.load.call(push, server.port, subscribers, request(FOLLOW, run=run), changes)
    for step, frame in enumerate(pushed.frames):
        _check(step, told(frame))
    return pushed


def _points(step: int) -> list[dict[str, Any]]:
    return [
        {"metric": metric, "values": [step + place / 8], "steps": [step]}
        for place, metric in enumerate(METRICS)
    ]


def _check(step: int, data: Any) -> None:
    found = {delta.pop("name"): delta for delta in data["runTree"]["metrics"]}
    expected = {
        points["metric"]: {
            "start": step,
            "steps": points["steps"],
            "values": points["values"],
            "metric": {"summary": {"last": points["values"][0]}},
        }
        for points in _points(step)
    }
    if found != expected:
        raise Wrong(f"W4: of call {step} the subscriber was told {found}")
