"""What `graphql-runs sources` does: asks a server that runs how its sources stand."""

from __future__ import annotations

import json
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from graphql_runs.server.auth import read_tokens
from graphql_runs.server.fault import CommandError
from graphql_runs.server.settings import Settings

_QUERY = """query Sources {
  server {
    sources {
      name uri workspace plugin state runs files points lines lastReadAt lastError skippedCount
      skipped { path line reason at }
    }
  }
}"""
_SECONDS = 30.0


def server_address(settings: Settings) -> str:
    """Where the server of these settings answers on this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)
    return f"http://{host}:{settings.port}"


def ask_sources(address: str, settings: Settings) -> list[dict[str, Any]]:
    """The sources of a server, as GraphQL gives them. Raises CommandError when it does not answer with them."""
    request = Request(
        f"{address.rstrip('/')}/graphql",
        json.dumps({"query": _QUERY}).encode(),
        {"content-type": "application/json", "accept": "application/graphql-response+json, application/json"},
    )
    token = read_tokens(settings).first
    if token is not None:
        request.add_header("authorization", f"Bearer {token}")
    try:
        with urlopen(request, timeout=_SECONDS) as response:
            answer = json.load(response)
    except HTTPError as error:
        reason = "it wants a token (GRAPHQL_RUNS_TOKEN)" if error.code == 401 else f"it answers {error.code}"
        raise CommandError(f"{address}: {reason}") from error
    except (URLError, TimeoutError, ValueError) as error:
        reason = str(getattr(error, "reason", error))
        raise CommandError(f"no server answers at {address}: {reason}") from error
    match answer:
        case {"data": {"server": {"sources": list(found)}}}:
            return found
    raise CommandError(f"{address}: not an answer of graphql-runs: {json.dumps(answer)[:500]}")


def rows(sources: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Lines of a table: name, plugin, state, runs, files, points, lines, what was left out, the last error."""
    return [
        (
            str(one["name"]),
            str(one["plugin"]),
            str(one["state"]),
            *(f"{one[key]:,.0f}" for key in ("runs", "files", "points", "lines", "skippedCount")),
            str(one["lastError"] or ""),
        )
        for one in sources
    ]


def left_out(sources: list[dict[str, Any]]) -> list[str]:
    """A line for each input that is known to be left out, the newest last."""
    lines = []
    for one in sources:
        for skipped in one["skipped"]:
            line = "" if skipped["line"] is None else f":{skipped['line']}"
            lines.append(f"skipped {one['name']}/{skipped['path']}{line}: {skipped['reason']}")
        more = int(one["skippedCount"]) - len(one["skipped"])
        if more > 0:
            lines.append(f"skipped {more:,} more of {one['name']} ({one['plugin']})")
    return lines
