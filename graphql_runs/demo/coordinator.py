"""The sweep itself: creates the runs, gives them to the nodes of the cluster, follows them to their end."""

from __future__ import annotations

import contextlib
import getpass
import json
import math
import os
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from graphql_runs.demo import digits, process, space
from graphql_runs.demo.cluster import MAX_NODES, NAME, Cluster, Node
from graphql_runs.demo.files import append, timestamp
from graphql_runs.demo.nodelogs import Job, Layout, NewLayout, OldLayout
from graphql_runs.demo.record import TERMINAL, RunRecord
from graphql_runs.demo.space import Parameters

EXPERIMENT = "digits"
SCRIPT = "train.py"
STEPS_PER_SECOND = 20
MIN_EPOCHS, MAX_EPOCHS = 10, 400
_LAYOUTS: tuple[Layout, ...] = (NewLayout(), OldLayout())
_PRIMARY = {"name": "val/accuracy", "goal": "maximize"}
_LOG_TAIL_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Child:
    """A child run, what it trains with, and the layout of its logs."""

    record: RunRecord
    parameters: Parameters
    layout: Layout
    seed: int


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds that each child spends on preparing, training and finalizing, and that the evaluation takes."""

    prepare: float
    train: float
    finalize: float
    evaluate: float

    @classmethod
    def spread(cls, seconds: float, children: int) -> Timing:
        """Divide SECONDS so that CHILDREN children on MAX_NODES nodes, then an evaluation, fill them."""
        evaluate = 0.1 * seconds
        turn = (seconds - evaluate) / math.ceil(children / MAX_NODES)
        start = 0.5  # about what it takes to start a process
        prepare, finalize = min(1.5, 0.08 * turn), min(1.0, 0.05 * turn)
        return cls(prepare, max(0.4, turn - start - prepare - finalize), finalize, max(0.3, evaluate - start))


class Sweep:
    """One sweep in FOLDER; :meth:`run` may be called once."""

    def __init__(
        self,
        folder: Path,
        seconds: float,
        children: int,
        seed: int,
        report: Callable[[str], None],
        stop: threading.Event,
    ) -> None:
        """Create the parent and its CHILDREN, NotStarted.

        REPORT gets a line for every change of status; STOP, set from any thread, ends the sweep early.
        """
        self._began = time.monotonic()
        self._folder, self._seconds, self._seed, self._report = folder, seconds, seed, report
        self._stop = stop
        self._uuid = str(uuid.uuid4())
        self._data = folder / "data" / "digits.npz"
        self._runs = folder / "azureml"
        self._cluster = Cluster(self._runs / "cluster.json")
        self._best: tuple[float, Child] | None = None
        self._lock = threading.Lock()
        drawn = space.sample(children, seed)
        self._parent = self._create_parent(drawn)
        self._children = [self._create_child(k, parameters) for k, parameters in enumerate(drawn)]
        self._queue = deque(self._children)
        self._parent.note(
            tags={f"_aml_system_{c.record.run_id}": c.parameters.options() for c in self._children},
        )
        self._log("API", "Experiment created")

    def run(self) -> int:
        """Run to the end. Gives 0 when the sweep completed, 1 when it failed or was stopped."""
        try:
            self._move(self._parent, "Preparing")
            self._cluster.grow()
            if not self._prepare_data():
                return 1
            self._move(self._parent, "Running")
            self._log("GENERATOR", f"Successfully sampled '{len(self._children)}' jobs")
            self._wait_in_queue()
            self._cluster.ready()
            return 0 if self._train_all() and not self._stop.is_set() else 1
        finally:
            # Whatever ended the sweep early, nothing is left running or looking as if it were.
            self._cancel_rest()

    def _train_all(self) -> bool:
        """Everything after the preparation; whether the sweep completed."""
        left = max(0.0, self._seconds - (time.monotonic() - self._began))
        timing = Timing.spread(left, len(self._children))
        with ThreadPoolExecutor(MAX_NODES + 1) as pool, self._stopping_on_error():
            baseline = pool.submit(self._run_job, "baseline", 0.6 * left)
            nodes = [pool.submit(self._serve, node, timing) for node in self._cluster.nodes]
            for future in nodes:
                future.result()
            self._cluster.shrink()
            best = self._conclude()
            if best:
                self._run_job("evaluate", timing.evaluate, model=best.record.folder / "outputs/model.npz")
            baseline.result()
            return best is not None

    @contextlib.contextmanager
    def _stopping_on_error(self) -> Iterator[None]:
        """Other threads do not go on for the rest of their time before an error is seen."""
        try:
            yield
        except BaseException:
            self._stop.set()
            raise

    def _create_parent(self, drawn: list[Parameters]) -> RunRecord:
        run_id = f"HD_{self._uuid}"
        record = RunRecord(
            self._runs / run_id,
            {
                **self._common_fields(),
                "rootRunId": run_id,
                "parentRunId": None,
                "displayName": f"digits sweep {self._uuid[:8]}",
                "runType": "hyperdrive",
                "runTypeV2": {"orchestrator": "HyperDrive", "traits": []},
                "primaryMetricName": _PRIMARY["name"],
            },
        )
        search = {"name": "RANDOM", "parameter_space": space.parameter_space()}
        record.note(
            tags={
                "primary_metric_config": _PRIMARY,
                "generator_config": search,
                "max_concurrent_jobs": len(drawn),
                "max_total_jobs": len(drawn),
            },
            properties={"primary_metric_config": _PRIMARY, "runTemplate": "HyperDrive", "seed": self._seed},
        )
        return record

    def _create_child(self, k: int, parameters: Parameters) -> Child:
        parent = self._parent
        run_id = f"{parent.run_id}_{k}"
        layout = _LAYOUTS[k % len(_LAYOUTS)]
        record = RunRecord(
            self._runs / run_id,
            {
                **self._common_fields(),
                "rootRunId": parent.run_id,
                "parentRunId": parent.run_id,
                "displayName": parameters.label(),
                "runType": "azureml.scriptrun",
                "runTypeV2": {"orchestrator": "Execution", "traits": []},
                "scriptName": SCRIPT,
                "runDefinition": {
                    "script": SCRIPT,
                    "arguments": _options(parameters),
                    "target": NAME,
                    "framework": "Python",
                },
            },
        )
        record.note(
            tags={"hyperparameters": parameters.options()},
            properties={"runTemplate": "HyperDrive", "seed": self._seed + k},
        )
        return Child(record, parameters, layout, self._seed + k)

    def _common_fields(self) -> dict[str, object]:
        return {
            "runNumber": sum(1 for _ in self._runs.glob("*/run_details.json")) + 1,
            "experimentName": EXPERIMENT,
            "experimentId": str(uuid.uuid5(uuid.NAMESPACE_URL, EXPERIMENT)),
            "target": NAME,
            "submittedBy": _user(),
        }

    def _prepare_data(self) -> bool:
        if self._data.exists():
            return True
        log = self._parent.folder / "logs/azureml/data_prep.log"
        code = process.run("graphql_runs.demo.digits", [str(self._data)], self._folder, log, self._stop)
        if code and not self._stop.is_set():
            self._parent.fail("SystemError", f"preparing the data failed: {_last_line(log)}")
            self._report(f"{self._parent.run_id} Failed")
        return not code

    def _wait_in_queue(self) -> None:
        with self._lock:
            for position, child in enumerate(self._queue, start=1):
                if child.record.status != "Queued":
                    self._report(f"{child.record.run_id} Queued")
                child.record.queue(position, MAX_NODES)

    def _serve(self, node: Node, timing: Timing) -> None:
        """A node's life: take the next child, as long as there is one."""
        with self._stopping_on_error():
            while not self._stop.is_set():
                with self._lock:
                    if not self._queue:
                        return
                    child = self._queue.popleft()
                self._cluster.assign(node, child.record.run_id)
                self._log("SCHEDULER", f"Scheduling job, id='{child.record.run_id}'")
                self._run_child(child, node, timing)
                self._cluster.release(node)

    def _run_child(self, child: Child, node: Node, timing: Timing) -> None:
        record, layout = child.record, child.layout
        self._move(record, "Preparing")
        self._wait_in_queue()
        arguments = _options(child.parameters)
        job = Job(record.folder, record.run_id, self._parent.run_id, NAME, node.node_id, SCRIPT, arguments)
        layout.prepare(job)
        record.refresh()
        if self._stop.wait(timing.prepare):
            return
        (record.folder / "outputs").mkdir()
        layout.launch(job)
        self._move(record, "Running")
        batches = digits.TRAINING_SAMPLES // child.parameters.batch_size
        epochs = min(MAX_EPOCHS, max(MIN_EPOCHS, round(timing.train * STEPS_PER_SECOND / batches)))
        hidden = ["--data", os.path.relpath(self._data, record.folder), "--epochs", str(epochs)]
        hidden += ["--seed", str(child.seed), "--pace", str(timing.train)]
        log = record.folder / layout.main_log
        code = process.run("graphql_runs.demo.train", [*arguments, *hidden], record.folder, log, self._stop)
        if self._stop.is_set():
            return
        message = f"User program failed with {_last_line(log)}" if code else ""
        self._move(record, "Finalizing")
        began = time.monotonic()
        layout.exited(job, code)
        if self._stop.wait(timing.finalize):
            return
        files = sum(1 for file in (record.folder / "outputs").rglob("*") if file.is_file())
        layout.release(job, time.monotonic() - began, files)
        if code:
            record.fail("UserError", message)
            self._report(f"{record.run_id} Failed: {message}")
        else:
            self._move(record, "Completed")
            self._consider(child)

    def _consider(self, child: Child) -> None:
        """Note CHILD as the best, if it is: Azure ML's properties, and a tag for people."""
        score = _score(child.record.folder / "outputs/metrics.jsonl")
        with self._lock:
            if score is None or (self._best and self._best[0] >= score):
                return
            self._best = (score, child)
            best = child.record.run_id
            properties = {"best_child_run_id": best, "score": score, "best_metric_status": "Succeeded"}
            self._parent.note(tags={"best_child_run_id": best}, properties=properties)

    def _conclude(self) -> Child | None:
        if self._stop.is_set():
            return None
        self._move(self._parent, "Finalizing")
        if self._best is None:
            self._parent.fail("UserError", "No child of the sweep completed.")
            self._report(f"{self._parent.run_id} Failed")
            return None
        score, child = self._best
        self._log("CONTROLLER", f"Experiment completed, best job id='{child.record.run_id}', score={score}")
        self._move(self._parent, "Completed")
        return child

    def _cancel_rest(self) -> None:
        for record in [*(child.record for child in self._children), self._parent]:
            if record.status not in TERMINAL:
                self._move(record, "CancelRequested")
                self._move(record, "Canceled")
        self._cluster.shrink()
        self._cluster.empty()

    def _run_job(self, name: str, seconds: float, **paths: Path) -> None:
        """Run a job outside of the sweep in about SECONDS, PATHS given to it as options."""
        if self._stop.is_set():
            return
        folder = self._folder / "jobs" / f"{name}-{self._uuid[:8]}"
        folder.mkdir(parents=True)
        arguments = ["--seed", str(self._seed), "--pace", str(seconds)]
        for option, path in {"data": self._data, **paths}.items():
            arguments += [f"--{option}", os.path.relpath(path, folder)]
        log = folder / "stdout.log"
        code = process.run(f"graphql_runs.demo.{name}", arguments, folder, log, self._stop)
        # What a batch script writes last, so that whoever watches the folder knows how the job ended.
        (folder / "exit_code").write_text(f"{code}\n")
        self._report(f"{folder.name} ended with exit code {code}")

    def _move(self, record: RunRecord, status: str) -> None:
        record.move(status)
        self._report(f"{record.run_id} {status}")

    def _log(self, component: str, text: str) -> None:
        record = f"<START>[{timestamp()}][{component}][INFO]{text}<END>"
        with self._lock:
            append(self._parent.folder / "azureml-logs/hyperdrive.txt", record)


def _options(parameters: Parameters) -> list[str]:
    return [text for name, value in parameters.options().items() for text in (name, str(value))]


def _user() -> str:
    # A container may run as a user without a name.
    with contextlib.suppress(OSError, KeyError):
        return getpass.getuser()
    return "unknown"


def _last_line(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LOG_TAIL_BYTES))
        lines = file.read().decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "no output")


def _score(metrics: Path) -> float | None:
    """The best finite value of the primary metric in a child's metrics."""
    with metrics.open(encoding="utf-8") as file:
        values = [json.loads(line).get(_PRIMARY["name"]) for line in file]
    return max((float(v) for v in values if v is not None and math.isfinite(v)), default=None)
