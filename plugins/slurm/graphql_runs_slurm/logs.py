"""What jobs print: which files that are, whether they may be read, and reading them on.

A job's owner chooses these paths, and the server may have more rights than that person. So a file is only read when it is a
regular file that belongs to the job's user, checked on the opened file, and its name is no symbolic link; `log_roots` bounds where
it may lie besides.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path, PurePosixPath

from graphql_runs.ingest.api import Delivery, Limits, Skipped, Unreadable
from graphql_runs.ingest.files import Mark, open_file
from graphql_runs.model.operation import DeclareRun, LogText
from graphql_runs.model.records import LogStream
from graphql_runs_slurm.family import Member
from graphql_runs_slurm.job import Attempt
from graphql_runs_slurm.status import status_of

_CUT = "the log was cut or replaced; it goes on with its new beginning"
_ROTATED = ".1"
_MOST_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Log:
    """A log file of a run. `name` is its path in the run, `uid` the number of the job's user, None where that is not sure."""

    run_id: str
    name: str
    path: str
    stream: LogStream
    uid: int | None
    over: bool
    began: int
    ended: int | None


@dataclass(frozen=True, slots=True)
class Reach:
    """Where files may lie, as resolved folders; none stands for anywhere."""

    roots: tuple[Path, ...] = ()

    @staticmethod
    def of(roots: Sequence[Path]) -> Reach:
        """Links in the roots themselves are the administrator's."""
        return Reach(tuple(Path(os.path.realpath(root)) for root in roots))

    def refusal(self, log: Log, folder: Path, owner: int) -> str | None:
        """Why a file of that owner in a resolved folder may not be read, None when it may."""
        if self.roots:
            if not any(folder.is_relative_to(root) for root in self.roots):
                return "it does not lie below log_roots"
        elif log.uid is None:
            return "output of a user who is not known for sure is only read below log_roots"
        elif log.uid == 0:
            return "root's output is only read below log_roots"
        if owner == log.uid or (log.uid is None and owner != 0):
            return None
        return f"it belongs to user {owner}, not to the job's" + ("" if log.uid is None else f" {log.uid}")

    def open(self, log: Log, path: str) -> FileIO:
        """Open a file for reading.

        Raises Unreadable when it may not be read, FileNotFoundError, other OSErrors.
        """
        folder = place_of(path)
        file = open_file(folder, PurePosixPath(path.rpartition("/")[2]))
        reason = self.refusal(log, folder, os.fstat(file.fileno()).st_uid)
        if reason is None:
            return file
        file.close()
        raise Unreadable(reason, path=path)


def place_of(path: str) -> Path:
    """The folder around a file. Links on the way to it are followed: homes often lie behind some."""
    return Path(os.path.realpath(path.rpartition("/")[0] or "/"))


def logs_of(members: Sequence[Member], uid_of: Callable[[str], int | None]) -> list[Log]:
    """The logs of all runs, each file once: of several runs with the same one the run that began last has it, as it began the file
    anew, or the one they lie below when all are of one array or job."""
    there = {member.run_id for member in members}
    found: dict[str, tuple[Log, str]] = {}
    for member in members:
        root = member.root_id
        for log in _of_member(member, uid_of):
            before, of = found.get(log.path, (None, ""))
            if before is not None and of == root and root in there and before.run_id != log.run_id:
                found[log.path] = _shared(before, log, root), root
            elif before is None or before.began <= log.began:
                found[log.path] = log, root
    names: dict[tuple[str, str], Log] = {}
    for log, _ in found.values():
        names.setdefault((log.run_id, log.name), log)
    return list(names.values())


def _of_member(member: Member, uid_of: Callable[[str], int | None]) -> Iterator[Log]:
    if not member.attempts:
        return
    last = member.attempts[-1]
    if last.started is None and len(member.attempts) == 1:
        return
    uid = uid_of(last.user) if last.uid is None and last.sure else last.uid
    out, error = last.stdout, last.stderr
    if out:
        yield _log(member, last, PurePosixPath(out).name, out, LogStream.STDOUT, uid)
    if error and error != out:
        name = PurePosixPath(error).name
        name = f"stderr/{name}" if name == PurePosixPath(out).name else name
        yield _log(member, last, name, error, LogStream.STDERR, uid)


def _log(member: Member, last: Attempt, name: str, path: str, stream: LogStream, uid: int | None) -> Log:
    over = status_of(last).terminal
    return Log(member.run_id, name, path, stream, uid, over, last.started or 0, last.ended if over else None)


def _shared(one: Log, other: Log, root: str) -> Log:
    ended = None if one.ended is None or other.ended is None else max(one.ended, other.ended)
    uid = one.uid if one.uid == other.uid else None
    return Log(
        root, one.name, one.path, one.stream, uid, one.over and other.over, max(one.began, other.began), ended
    )


def version_of(log: Log, found: os.stat_result) -> str:
    """Another one when there is more to read, or the job came to its end."""
    return f"{found.st_ino}:{found.st_size}:{found.st_mtime_ns}:{'end' if log.over else ''}"


def regular(found: os.stat_result) -> bool:
    """Whether it is a file that may be read on."""
    return stat.S_ISREG(found.st_mode)


def read_log(
    log: Log, declaration: DeclareRun, reach: Reach, checkpoint: Mapping[str, object] | None, limits: Limits
) -> Iterator[Delivery]:
    """Its bytes from the checkpoint on, and that it is complete once its job is over and all of it is read."""
    size = min(max(1, limits.delivery_bytes), _MOST_BYTES)
    known = checkpoint or {}
    kept = known.get("mark")
    mark = Mark.from_json(kept) if isinstance(kept, dict) else None
    with reach.open(log, log.path) as file:
        remark = None
        start = 0
        if mark is not None and mark.within(file):
            start = mark.offset
        elif mark is not None:
            for data, at in _rest(log, reach, mark, size):
                yield _delivery(log, declaration, data, {"mark": at.to_json()}, None)
            remark = _CUT
        while data := os.pread(file.fileno(), size, start):
            if len(data) == size:
                data = data[: data.rfind(b"\n") + 1] or data
            start += len(data)
            mark = Mark.at(file, start)
            yield _delivery(log, declaration, data, {"mark": mark.to_json()}, remark)
            remark = None
    if log.over and known.get("complete") != _place(mark):
        end = LogText(log.run_id, log.name, b"", log.stream, complete=True)
        noted = {"complete": _place(mark), **({} if mark is None else {"mark": mark.to_json()})}
        yield Delivery(noted, [declaration, end])


def _place(mark: Mark | None) -> int:
    return 0 if mark is None else mark.offset


def _rest(log: Log, reach: Reach, mark: Mark, size: int) -> Iterator[tuple[bytes, Mark]]:
    """What followed the mark in the file that the log was rotated to."""
    try:
        file = reach.open(log, log.path + _ROTATED)
    except (FileNotFoundError, Unreadable):
        return
    with file:
        start = mark.offset
        if not start or not mark.within(file):
            return
        while data := os.pread(file.fileno(), size, start):
            start += len(data)
            yield data, Mark.at(file, start)


def _delivery(
    log: Log, declaration: DeclareRun, data: bytes, checkpoint: Mapping[str, object], remark: str | None
) -> Delivery:
    said = LogText(log.run_id, log.name, data, log.stream, complete=False)
    return Delivery(checkpoint, [declaration, said], skipped=[Skipped(log.path, remark)] if remark else ())
