"""Folders that are runs only because files lie in them: the host declares them and derives their status.

Nobody reports how such a run is doing, so its status is derived from what lies in its folder, and each statement names the
file it comes from. docs/ingesters.md has the rules for users.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from graphql_runs.ingest.api import IDLE_SECONDS, File, RunFolder, Skipped, Unreadable
from graphql_runs.ingest.files import open_file
from graphql_runs.ingest.writer import Records, Refusal, Refused, Writer
from graphql_runs.model.operation import Annotate, DeclareRun, RunOperation, SetStatus
from graphql_runs.model.status import RunStatus
from graphql_runs.model.time import Micros

EXIT_FILE = "exit_code"
_EXIT_BYTES = 64
_HEARTBEAT_SECONDS = 200.0
"""Three missed ones make a run stale, which is reversible: ten minutes without a sign of life."""
_RESTARTED = 60_000_000
"""Micros by which data has to be newer than an exit code to belong to another attempt."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a run's folder at one moment. Times are of the files' last changes.

    exit_code: the number in the file `exit_code`, with the file's time.
    newest_path: the file that was changed last; None when no file is left.
    ended:     a unit of the run read a terminal status that the run's own files report.
    """

    oldest: Micros
    newest: Micros
    newest_path: str | None
    exit_code: tuple[int, Micros] | None = None
    ended: bool = False


@dataclass(frozen=True, slots=True)
class _Said:
    """The last derived status that was written."""

    status: RunStatus
    at: Micros


class FolderRun:
    """One such run. `declare` before anything else is written of it, `settle` whenever something may have changed."""

    def __init__(
        self,
        run: RunFolder,
        source: str,
        source_name: str,
        records: Records,
        workspace: str,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self.run = run
        self.writer_name = f"folder:{run.run_id}"
        self._source = source
        self._source_name = source_name
        self._idle = round(idle_seconds * 1e6)
        self._writer = Writer(records, workspace, run.root_id, self.writer_name)
        self._created: Micros | None = None
        self._said: _Said | None = None

    @property
    def declared(self) -> bool:
        """Whether the run is known to be in the store."""
        return self._created is not None and self._writer.opened

    async def settle(self, facts: Facts, now: Micros) -> None:
        """Write what the facts say and was not written yet. Raises what a Writer does."""
        if not self._writer.opened:
            note = await self._writer.open()
            self._created = _integer(note.get("created_at"))
            at, word = _integer(note.get("at")), note.get("status")
            self._said = None if at is None or not isinstance(word, str) else _Said(RunStatus(word), at)
        operations: list[RunOperation] = []
        created = self._created
        if created is None:
            created = facts.oldest
            operations.append(self._declaration(created))
        status = self._status(facts, created, now)
        said = self._said
        if status is not None:
            operations += status
            first = status[0]
            assert isinstance(first, SetStatus)
            said = _Said(first.status, first.at or now)
        if operations:
            written = {
                "created_at": created,
                "status": said.status if said else None,
                "at": said.at if said else None,
            }

            def leaving(refusals: Sequence[Refusal]) -> Mapping[str, object]:
                if refusals:
                    raise Refused(str(refusals[0].error))
                return written

            leaving(await self._writer.write(operations, leaving))
            self._created, self._said = created, said

    def due(self, facts: Facts) -> Micros | None:
        """When `settle` has to be called again even if no file changes; None when only a change matters."""
        if facts.ended or self._said is None or self._said.status is not RunStatus.RUNNING:
            return None
        return facts.newest + self._idle

    def _declaration(self, created: Micros) -> DeclareRun:
        run = self.run
        parts = run.path.parts
        return DeclareRun(
            run.run_id,
            experiment=parts[0] if len(parts) > 1 else self._source_name,
            name=run.path.name or self._source_name,
            source=self._source,
            parent=run.root_id if run.root_id != run.run_id else None,
            root=run.root_id,
            created_at=created,
            heartbeat_seconds=_HEARTBEAT_SECONDS,
        )

    def _status(self, facts: Facts, created: Micros, now: Micros) -> Sequence[RunOperation] | None:
        """A SetStatus and what goes with it, or None when there is nothing new to say."""
        run_id, said = self.run.run_id, self._said
        recent = facts.newest + self._idle > now
        if facts.exit_code is not None and not self._outdated(facts.exit_code[1], facts.newest, recent):
            code, at = facts.exit_code
            status = RunStatus.FAILED if code else RunStatus.COMPLETED
            if said == _Said(status, at):
                return None
            path = str(self.run.path / EXIT_FILE)
            return [
                SetStatus(run_id, status, path, at, reported=False, detail=f"exit code {code}"),
                Annotate(run_id, exit_code=code, ended_at=at),
            ]
        if facts.ended or (
            said is not None and said.status.terminal and (not recent or facts.newest <= said.at)
        ):
            return None
        status = RunStatus.RUNNING if recent else RunStatus.UNKNOWN
        if said is not None and said.status is status:
            return None
        if recent:
            at, detail = created if said is None else facts.newest, "files grow"
        else:
            at = facts.newest + self._idle
            detail = f"nothing was written for {self._idle // 1_000_000} seconds, and nothing says how the run ended"
        return [
            SetStatus(
                run_id, status, facts.newest_path or str(self.run.path), at, reported=False, detail=detail
            )
        ]

    def _outdated(self, at: Micros, newest: Micros, recent: bool) -> bool:
        """Whether an exit code of that time belongs to an attempt before the one that writes now."""
        said = self._said
        if said is None:
            return False
        return recent and newest > at + _RESTARTED if said.status.terminal else said.at > at


def gather(
    folder: Path, run: RunFolder, files: Sequence[PurePosixPath], known: Mapping[str, File], *, ended: bool
) -> tuple[Facts, Skipped | None]:
    """The facts of a run from the files that are read of it, and what is wrong with its exit code. Reads small files.

    `files` are not empty; those that went away meanwhile do not count.
    """
    there = [known[str(path)] for path in files if str(path) in known]
    newest = max(there, key=lambda file: file.modified_ns, default=None)
    times = [file.modified_ns // 1000 for file in there]
    try:
        # A folder changes when its first file is made, a file whenever it grows: the earlier one is nearer to the start.
        times.append((folder / run.path).stat().st_mtime_ns // 1000)
    except OSError:
        times = times or [0]
    facts = Facts(
        oldest=min(times),
        newest=newest.modified_ns // 1000 if newest else max(times),
        newest_path=str(newest.path) if newest else None,
        ended=ended,
    )
    exit_path = run.path / EXIT_FILE
    found = known.get(str(exit_path))
    if found is None:
        return facts, None
    try:
        code = _exit_code(folder, exit_path)
    except FileNotFoundError:
        return facts, None
    except (ValueError, OSError, Unreadable) as error:
        return facts, Skipped(str(exit_path), f"not an exit code: {error}")
    if code is None:
        return facts, None
    at = found.modified_ns // 1000
    return replace(facts, exit_code=(code, at)), None


def _exit_code(folder: Path, path: PurePosixPath) -> int | None:
    """The number in the file; None while it is empty. Raises ValueError."""
    with open_file(folder, path) as file:
        text = os.pread(file.fileno(), _EXIT_BYTES, 0).strip()
    if not text:
        return None
    code = int(text)
    if not -(2**31) <= code < 2**31:
        raise ValueError(f"{code} is out of range")
    return code


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) else None
