"""The plugin for addresses: `slurm:` is the cluster that the commands know by themselves, `slurm:NAME` one of several."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import PurePosixPath

from pydantic import BaseModel

from graphql_runs.ingest.api import Context, Delivery, Limits, RunFolder, Skipped, Stability, Unit
from graphql_runs.ingest.remote import Look, Seen
from graphql_runs.model.operation import DescribeCluster
from graphql_runs.model.time import now
from graphql_runs_slurm.cluster import describe
from graphql_runs_slurm.config import SlurmConfig
from graphql_runs_slurm.facts import declared, digest, operations
from graphql_runs_slurm.family import Member, gather
from graphql_runs_slurm.hosts import hosts
from graphql_runs_slurm.logs import Log, Reach, logs_of, place_of, read_log, regular, version_of
from graphql_runs_slurm.scheduler import Answer, Scheduler
from graphql_runs_slurm.status import status_of

_ADDRESS = re.compile(r"slurm:([A-Za-z0-9_.-]{0,100})", re.ASCII)
_SETTLED = 600_000_000
"""Micros after a job's end when its files are no longer looked at."""
_NODES = 10_000
_SHOWN = 5


class SlurmRemote:
    """Asks `squeue`, `sacct` and `scontrol`, and reads what jobs print."""

    name = "slurm"
    description = "A Slurm cluster by slurm: or slurm:NAME, asked with squeue, sacct and scontrol; output files of jobs are followed."
    stability = Stability.BETA
    schemes: Sequence[str] = ("slurm",)
    poll_seconds = 2.0
    config: type[BaseModel] = SlurmConfig

    def connect(self, address: str, name: str, config: BaseModel, limits: Limits) -> SlurmConnection:
        """Raises ValueError for an address of another form."""
        match = _ADDRESS.fullmatch(address)
        if match is None:
            raise ValueError(
                f"an address is slurm: or slurm:NAME with the name of a cluster, not {address!r}"
            )
        assert isinstance(config, SlurmConfig)
        return SlurmConnection(match[1], config)


class SlurmConnection:
    """A cluster that is asked."""

    def __init__(self, wanted: str, config: SlurmConfig) -> None:
        self._config = config
        self._scheduler = Scheduler(wanted, config)
        self._reach = Reach.of(config.log_roots)
        self._outputs: dict[str, tuple[str, str, int | None]] = {}
        self._settled: dict[str, str | None] = {}
        self._known: _Known | None = None

    def look(self) -> Look:
        """All jobs, their files and the partitions. Which command is asked how often the configuration says."""
        answer = self._scheduler.ask()
        if self._known is None or self._known.number != answer.number:
            self._known = self._derive(answer)
        known = self._known
        logs, missing = self._seen_logs(known)
        return Look([*known.units, *logs], [*known.skipped, *missing])

    def read(
        self, unit: Unit, checkpoint: Mapping[str, object] | None, context: Context
    ) -> Iterator[Delivery]:
        """What is new of a job, a log or the partitions."""
        member, log, clusters = (unit.hints.get(name) for name in ("member", "log", "clusters"))
        if isinstance(clusters, tuple):
            yield Delivery({}, clusters=[one for one in clusters if isinstance(one, DescribeCluster)])
        elif isinstance(log, Log) and isinstance(member, Member):
            declaration = declared(member, self._config)
            yield from read_log(log, declaration, self._reach, checkpoint, context.limits)
        elif isinstance(member, Member):
            yield from read_member(member, checkpoint, self._config)

    def close(self) -> None:
        """Nothing is held."""

    def _derive(self, answer: Answer) -> _Known:
        """What follows from an answer; only the files are looked at more often."""
        config = self._config
        found = gather(
            answer.accounts, answer.queue, config.jobs, config.array_tasks, everyone=answer.everyone
        )
        members = self._remember(found.members)
        return _Known(
            answer.number,
            {member.run_id: member for member in members},
            [*(_seen_job(member) for member in members), *self._seen_clusters(answer, members)],
            logs_of(members, _Users()) if config.logs else [],
            [*answer.skipped, *found.skipped],
        )

    def _remember(self, members: Sequence[Member]) -> list[Member]:
        """Members whose output files are known: before 24.05 the accounts do not have them, and the queue forgets jobs."""
        outputs: dict[str, tuple[str, str, int | None]] = {}
        known = []
        for member in members:
            if member.attempts:
                last = member.attempts[-1]
                before = self._outputs.get(member.run_id)
                if last.stdout or last.stderr:
                    uid = last.uid if last.uid is not None else before[2] if before else None
                    outputs[member.run_id] = last.stdout, last.stderr, uid
                elif before is not None:
                    outputs[member.run_id] = before
                member = with_output(member, outputs.get(member.run_id))
            known.append(member)
        self._outputs = outputs
        return known

    def _seen_clusters(self, answer: Answer, members: Iterable[Member]) -> Iterator[Seen]:
        clusters = tuple(describe(answer.cluster, answer.partitions, answer.nodes, runs_on(members)))
        if clusters:
            version = blake2b(repr(clusters).encode("utf-8", "replace"), digest_size=16).hexdigest()
            unit = Unit(f"clusters/{answer.cluster}", None, (), hints={"clusters": clusters})
            yield Seen(unit, version, now())

    def _seen_logs(self, known: _Known) -> tuple[list[Seen], list[Skipped]]:
        """The logs that are there, and those that are not or may not be read."""
        found: list[Seen] = []
        skipped: list[Skipped] = []
        missing: list[str] = []
        settled: dict[str, str | None] = {}
        for log in known.logs:
            long_over = log.ended is not None and log.ended < now() - _SETTLED
            reason: str | None = None
            if long_over and log.path in self._settled:
                version, modified = self._settled[log.path], log.ended or 0
            else:
                version, modified, reason = self._look_at(log)
            if reason is not None:
                skipped.append(Skipped(log.path, reason))
            elif long_over:
                settled[log.path] = version
            elif version is None and not log.over:
                missing.append(log.path)
            if version is not None:
                member = known.members[log.run_id]
                unit = _unit(member, f"log/{log.name}", {"member": member, "log": log})
                found.append(Seen(unit, version, modified))
        self._settled = settled
        if missing:
            named = ", ".join(missing[:_SHOWN]) + (", …" if len(missing) > _SHOWN else "")
            skipped.append(
                Skipped("logs", f"output files that cannot be seen from here: {len(missing)} ({named})")
            )
        return found, skipped

    def _look_at(self, log: Log) -> tuple[str | None, int, str | None]:
        """The version of a log's file, None when there is none, when it was changed, and why it may not be read."""
        try:
            found = os.lstat(log.path)
        except OSError:
            return None, 0, None
        reason = None if regular(found) else "it is no regular file"
        reason = reason or self._reach.refusal(log, place_of(log.path), found.st_uid)
        version = version_of(log, found) if reason is None else None
        return version, found.st_mtime_ns // 1000, reason


@dataclass(frozen=True, slots=True)
class _Known:
    """What follows from the answer of that number."""

    number: int
    members: Mapping[str, Member]
    units: Sequence[Seen]
    logs: Sequence[Log]
    skipped: Sequence[Skipped]


class _Users:
    """The numbers of users, as this machine knows them, each looked up once."""

    def __init__(self) -> None:
        self._known: dict[str, int | None] = {}

    def __call__(self, name: str) -> int | None:
        if name not in self._known:
            try:
                self._known[name] = pwd.getpwnam(name).pw_uid
            except (KeyError, ValueError):
                self._known[name] = None
        return self._known[name]


def with_output(member: Member, output: tuple[str, str, int | None] | None) -> Member:
    """The run with paths that were known before."""
    if output is None:
        return member
    stdout, stderr, uid = output
    last = member.attempts[-1]
    changed = replace(
        last,
        stdout=last.stdout or stdout,
        stderr=last.stderr or stderr,
        uid=last.uid if last.uid is not None else uid,
    )
    return member if changed == last else replace(member, attempts=(*member.attempts[:-1], changed))


def read_member(
    member: Member, checkpoint: Mapping[str, object] | None, config: SlurmConfig
) -> Iterator[Delivery]:
    """All facts of a run when any differs from what was told with the checkpoint; else nothing."""
    told = digest(member)
    if checkpoint is None or checkpoint.get("told") != told:
        yield Delivery({"told": told}, operations(member, config))


def runs_on(members: Iterable[Member]) -> dict[str, str]:
    """The run that began last on each node, of those that are there."""
    found: dict[str, tuple[int, str]] = {}
    for member in members:
        last = member.attempts[-1] if member.attempts else None
        if last is None or last.started is None or status_of(last).terminal or not last.nodes:
            continue
        for node in hosts(last.nodes, _NODES):
            found[node] = max(found.get(node, (0, "")), (last.started, member.run_id))
    return {node: run for node, (_, run) in found.items()}


def folder_of(member: Member) -> RunFolder:
    """How the host knows the run."""
    return RunFolder(PurePosixPath(member.run_id), member.run_id, member.root_id)


def _unit(member: Member, key: str, hints: Mapping[str, object]) -> Unit:
    return Unit(key, folder_of(member), (), hints=hints)


def _seen_job(member: Member) -> Seen:
    latest = [time for one in member.attempts for time in (one.submitted, one.started, one.ended) if time]
    return Seen(_unit(member, "job", {"member": member}), digest(member), max(latest, default=0))
