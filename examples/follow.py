"""Follow a run and everything below it, live, and continue after any interruption.

    uv run python examples/follow.py RUN [http://127.0.0.1:8765]

RUN is the server's id of a run or the producer's. Needs `gql[websockets]`, which `uv run` brings.
"""

from __future__ import annotations

import asyncio
import sys

from gql import Client, gql
from gql.transport.exceptions import TransportError
from gql.transport.websockets import WebsocketsTransport

FOLLOW = gql(
    """
    subscription Follow($run: ID!, $after: String) {
      runTree(run: $run, after: $after, until: TERMINAL) {
        cursor
        runs { name status }
        metrics { runId name steps values }
        logs { path text }
      }
    }
    """
)


async def follow(run: str, server: str) -> None:
    """Print what happens until the run has ended."""
    cursor = None
    url = server.replace("http", "ws", 1) + "/graphql"
    while True:
        transport = WebsocketsTransport(url=url, subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL])
        try:
            async with Client(transport=transport) as session:
                FOLLOW.variable_values = {"run": run, "after": cursor}
                async for result in session.subscribe(FOLLOW):
                    update = result["runTree"]
                    cursor = update["cursor"]
                    show(update)
                return
        except (OSError, TransportError) as error:
            print(f"-- cut off ({error}); continuing in a second", file=sys.stderr)
            await asyncio.sleep(1)


def show(update: dict) -> None:  # type: ignore[type-arg]  # JSON
    """One update for a terminal."""
    for run in update["runs"]:
        print(f"{run['name']}: {run['status']}")
    for metric in update["metrics"]:
        for step, value in zip(metric["steps"] or [], metric["values"], strict=False):
            print(f"{metric['runId']} {metric['name']} {step}: {value}")
    for log in update["logs"]:
        print(log["text"], end="")


if __name__ == "__main__":
    arguments = [*sys.argv[1:], "http://127.0.0.1:8765"]
    if len(arguments) < 2:
        sys.exit(__doc__)
    asyncio.run(follow(arguments[0], arguments[1]))
