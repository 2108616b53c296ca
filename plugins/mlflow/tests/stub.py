"""Something that answers like a tracking server, from runs that a test puts there, or with anything that a test wants."""

from __future__ import annotations

import base64
import json
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Answer = tuple[int, Mapping[str, str], bytes]
START = 1_700_000_000_000


@dataclass
class Stub:
    """Runs by id, each with points by metric. `other` may answer in place of it; `asked` are the questions, `seen` their headers."""

    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    other: Callable[[str, dict[str, Any]], Answer | None] = lambda path, asked: None
    pages: bool = True
    asked: list[str] = field(default_factory=list)
    seen: list[Mapping[str, str]] = field(default_factory=list)

    def put(
        self,
        run_id: str,
        status: str = "RUNNING",
        parent: str | None = None,
        **points: list[tuple[int, int, float]],
    ) -> None:
        """Add points (time after the start, step, value) to a run, which is made when it is missing."""
        run = self.runs.setdefault(
            run_id, {"points": {}, "tags": {"mlflow.parentRunId": parent} if parent else {}}
        )
        run["status"] = status
        for key, some in points.items():
            run["points"].setdefault(key, []).extend(some)

    def answer(self, path: str, asked: dict[str, Any]) -> Answer:
        """The answer to a question."""
        self.asked.append(path)
        found = self.other(path, asked)
        if found is not None:
            return found
        method = getattr(self, f"_{path.replace('/', '_').replace('-', '_')}", None)
        if method is None:
            return 404, {}, b'{"error_code": "ENDPOINT_NOT_FOUND"}'
        return 200, {}, json.dumps(method(asked)).encode()

    def _experiments_search(self, asked: dict[str, Any]) -> Any:
        return {"experiments": [{"experiment_id": "1", "name": "exp"}]}

    def _runs_search(self, asked: dict[str, Any]) -> Any:
        runs = [self._run(run_id) for run_id in reversed(self.runs)]
        if "RUNNING" in asked.get("filter", ""):
            runs = [run for run in runs if run["info"]["status"] == "RUNNING"]
        first, size = int(asked.get("page_token", 0)), asked["max_results"]
        more = {"next_page_token": str(first + size)} if len(runs) > first + size else {}
        return {"runs": runs[first : first + size], **more}

    def _runs_get(self, asked: dict[str, Any]) -> Any:
        return {"run": self._run(asked["run_id"])}

    def _artifacts_list(self, asked: dict[str, Any]) -> Any:
        return {"files": []}

    def _metrics_get_history(self, asked: dict[str, Any]) -> Any:
        points = sorted(self.runs[asked["run_id"]]["points"].get(asked["metric_key"], []))
        found = [self._point(asked["metric_key"], point) for point in points]
        if not self.pages:
            return {"metrics": found}
        token = asked.get("page_token")
        first = json.loads(base64.b64decode(token))["offset"] if token else 0
        size = int(asked.get("max_results", 25_000))
        following = base64.b64encode(json.dumps({"offset": first + size}).encode()).decode()
        more = {"next_page_token": following} if len(found) > first + size else {}
        return {"metrics": found[first : first + size], **more}

    def _run(self, run_id: str) -> dict[str, Any]:
        run = self.runs[run_id]
        last = {
            key: max(points, key=lambda point: (point[1], point[0]))
            for key, points in run["points"].items()
            if points
        }
        return {
            "info": {
                "run_id": run_id,
                "experiment_id": "1",
                "status": run["status"],
                "start_time": START,
                "lifecycle_stage": "active",
            },
            "data": {
                "metrics": [self._point(key, point) for key, point in last.items()],
                "tags": [{"key": key, "value": value} for key, value in run["tags"].items()],
            },
        }

    @staticmethod
    def _point(key: str, point: tuple[int, int, float]) -> dict[str, Any]:
        after, step, value = point
        # As protobuf has it in JSON.
        return {
            "key": key,
            "timestamp": START + after,
            "step": step,
            "value": value if math.isfinite(value) else "NaN",
        }


@contextmanager
def serving(stub: Stub) -> Iterator[str]:
    """The stub on a free port, by its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet

        def do_GET(self) -> None:
            self._reply(dict(parse_qsl(urlsplit(self.path).query)))

        def do_POST(self) -> None:
            self._reply(json.loads(self.rfile.read(int(self.headers["content-length"]))))

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

        def _reply(self, asked: dict[str, Any]) -> None:
            stub.seen.append({name.lower(): text for name, text in self.headers.items()})
            path = urlsplit(self.path).path.removeprefix("/api/2.0/mlflow/")
            status, headers, data = stub.answer(path, asked)
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"mlflow+http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
