"""Random operations against a server with a filled store: each gets an answer that is meant for it, within the server's time limit.

uv run just fuzz                      ten minutes
uv run just fuzz --seconds 60 --seed 7
"""

from __future__ import annotations

import asyncio
import random
import resource
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, cast

import httpx
import typer
from graphql import build_schema

from tests.server.local import Local, local
from tests.server.plenty import filled, known
from tests.server.queries import Known, Operation, Queries
from tests.server.schemathesising import schemathesised
from tests.server.soundness import SECONDS, SLACK, Unsound, count, read

SDL = Path(__file__).parents[2] / "schema.graphql"
MEMORY = 512
"""MiB by which the process may grow at most."""
KINDS = {"query": 0.86, "mutation": 0.09, "subscription": 0.05}
_SLOW = 1.0


@dataclass
class Fuzz:
    """One run of random operations, and what came of it."""

    server: Local
    seed: int
    done: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    slow: list[tuple[float, str]] = field(default_factory=list)
    known: Known = field(default_factory=Known)

    async def run(self, *, most: int | None = None, seconds: float = 600) -> None:
        """So many operations, or for so long. Raises Unsound for the first one that is not answered well."""
        schema = build_schema(SDL.read_text())
        end = time.monotonic() + seconds
        base = _memory()
        async with httpx.AsyncClient(base_url=self.server.address, timeout=SECONDS + SLACK) as client:
            while self.done != most and time.monotonic() < end:
                chance = random.Random(f"{self.seed} {self.done}")
                operation = Queries(schema, self.known, chance).draw(KINDS)
                await self._one(client, operation, chance)
                self.done += 1
                if _memory() - base > MEMORY:
                    raise self._unsound(operation, f"memory grew by more than {MEMORY} MiB")

    async def _one(self, client: httpx.AsyncClient, operation: Operation, chance: random.Random) -> None:
        begin = time.monotonic()
        try:
            answer = await self._answer(client, operation)
            count(answer, self.codes)
        except (httpx.HTTPError, TimeoutError, AssertionError, Unsound) as error:
            raise self._unsound(operation, repr(error)) from error
        taken = time.monotonic() - begin
        if taken > _SLOW:
            self.slow.append((taken, operation.query))
        if taken > SECONDS + SLACK:
            raise self._unsound(operation, f"it took {taken:.1f} s")
        self.known.learn(answer.get("data"), chance)

    async def _answer(self, client: httpx.AsyncClient, operation: Operation) -> Mapping[str, Any]:
        """The answer, of a subscription the first one."""
        if operation.kind == "subscription":
            answers = self.server.follow("events", operation.query, **operation.variables)
            async with asyncio.timeout(SECONDS + SLACK), aclosing(answers):
                # One that waits for what is not there yet says nothing.
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.5):
                        return cast(Mapping[str, Any], await anext(answers, {}))
                return {}
        body = {"query": operation.query, "variables": operation.variables}
        response = await client.post("/graphql", json=body)
        return read(response.status_code, response.content)

    def _unsound(self, operation: Operation, what: str) -> Unsound:
        where = f"seed {self.seed}, operation {self.done}"
        return Unsound(f"{where}: {what}\n\n{operation.query}\n\nvariables: {operation.variables!r}")


def _memory() -> float:
    """MiB that the process held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def _run(seed: int, seconds: float) -> None:
    with tempfile.TemporaryDirectory(prefix="graphql-runs-fuzz-") as name:
        async with local(await filled(Path(name) / "runs.sqlite"), request_seconds=SECONDS) as server:
            fuzz = Fuzz(server, seed, known=known())
            await fuzz.run(seconds=seconds * 2 / 3)
            typer.echo(f"{fuzz.done} operations: {dict(fuzz.codes)}; at most {_memory():.0f} MiB")
            for taken, query in sorted(fuzz.slow, reverse=True)[:5]:
                typer.echo(f"{taken:.1f} s: {query[:2000]}")
            drawn = partial(
                schemathesised, server.address, seed % (1 << 31), seconds=seconds / 3, examples=25
            )
            codes = await asyncio.to_thread(drawn)
            typer.echo(f"{codes.total()} by schemathesis: {dict(codes)}; at most {_memory():.0f} MiB")


def main(
    seconds: Annotated[float, typer.Option(help="How long.")] = 600,
    seed: Annotated[int | None, typer.Option(help="Which operations; any unless given.")] = None,
) -> None:
    """Ask random operations, two thirds of the time our own, then those of schemathesis; stop at the first that is not answered as
    it has to be."""
    chosen = random.SystemRandom().randrange(1 << 31) if seed is None else seed
    typer.echo(f"seed {chosen}")
    try:
        asyncio.run(_run(chosen, seconds))
    except Unsound as error:
        typer.echo(str(error))
        sys.exit(1)


if __name__ == "__main__":
    # What a field that failed leaves behind is the executor's; see `filterwarnings` in pyproject.toml.
    warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
    typer.run(main)
