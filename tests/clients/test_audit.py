"""GraphQL over HTTP, as its reference implementation audits it: https://github.com/graphql/graphql-http"""

from __future__ import annotations

from tests.clients.conftest import RunScript
from tests.server.processes import ServerProcess


async def test_every_audit_passes(script: RunScript, server: ServerProcess) -> None:
    printed = await script("audit.js", server.graphql)
    assert [line.split()[0] for line in printed.splitlines()] == ["ok"] * 61
