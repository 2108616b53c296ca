"""The record that Azure ML's run history keeps of a run, as a ``run_details.json`` in the folder of the run.

It has the fields of the SDK's ``Run.get_details()`` and, as the service does, those of the run document
(RunDto). ``logFiles`` maps each name to itself: signed URLs have no place in a file that is kept.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphql_runs.demo.files import timestamp, write_json

TERMINAL = frozenset({"Completed", "Failed", "Canceled"})
_LOG_FOLDERS = ("azureml-logs", "logs", "user_logs", "system_logs")


class RunRecord:
    """A run's folder and its document, rewritten whole at every change. Safe for threads."""

    def __init__(self, folder: Path, fields: Mapping[str, Any]) -> None:
        """Create FOLDER, named like the run's id, the run NotStarted. FileExistsError when it exists."""
        folder.mkdir(parents=True)
        self.folder = folder
        self.run_id = folder.name
        self._lock = threading.Lock()
        self._document: dict[str, Any] = {
            "runId": self.run_id,
            "runUuid": str(uuid.uuid4()),
            "dataContainerId": f"dcid.{self.run_id}",
            "status": "NotStarted",
            "createdUtc": timestamp(),
            "services": {},
            "warnings": [],
            "tags": {},
            "properties": {},
            "inputDatasets": [],
            "outputDatasets": [],
            "hidden": False,
            "heartbeatEnabled": False,
            **fields,
        }
        self._write()

    @property
    def status(self) -> str:
        """Azure ML's name of the run's state."""
        return str(self._document["status"])

    def move(self, status: str) -> None:
        """Enter STATUS, with the time of the start or the end. Raises ValueError after the run has ended."""
        with self._lock:
            if self.status in TERMINAL:
                raise ValueError(f"run {self.run_id} is {self.status} and cannot become {status}")
            self._document["status"] = status
            if status == "Running":
                self._document["startTimeUtc"] = timestamp()
            if status in TERMINAL:
                self._document["endTimeUtc"] = timestamp()
            if status != "Queued":
                self._document.pop("queueingInfo", None)
            self._write()

    def queue(self, position: int, nodes: int) -> None:
        """Be Queued at POSITION (from 1), waiting for one of NODES nodes."""
        with self._lock:
            self._document["status"] = "Queued"
            self._document["queueingInfo"] = {
                "code": "WaitingForNodes",
                "message": f"Position {position} in the queue; none of {nodes} nodes is free.",
                "lastRefreshTimestamp": timestamp(),
            }
            self._write()

    def fail(self, code: str, message: str) -> None:
        """End as Failed because of MESSAGE; CODE is Azure ML's: UserError, SystemError."""
        with self._lock:
            self._document["error"] = {"error": {"code": code, "message": message, "details": []}}
        self.move("Failed")

    def note(
        self, tags: Mapping[str, object] | None = None, properties: Mapping[str, object] | None = None
    ) -> None:
        """Set tags and properties. Values are strings, as in Azure ML; others become JSON text."""
        with self._lock:
            self._document["tags"].update(_strings(tags or {}))
            self._document["properties"].update(_strings(properties or {}))
            self._write()

    def refresh(self) -> None:
        """Rewrite the document with the log files there are now."""
        with self._lock:
            self._write()

    def _write(self) -> None:
        roots = [self.folder / name for name in _LOG_FOLDERS]
        files = (file for root in roots for file in sorted(root.rglob("*")) if file.is_file())
        names = [file.relative_to(self.folder).as_posix() for file in files]
        self._document["logFiles"] = {name: name for name in names}
        write_json(self.folder / "run_details.json", self._document)


def _strings(values: Mapping[str, object]) -> dict[str, str]:
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
