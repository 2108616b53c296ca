"""Asking a cluster: which commands, in which form each version knows, and how often."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from graphql_runs.ingest.api import Skipped, Unreadable
from graphql_runs_slurm import accounting, oneline, queue
from graphql_runs_slurm.cluster import Node, nodes_in, nodes_of, partitions_in, partitions_of
from graphql_runs_slurm.command import Commands, Refused
from graphql_runs_slurm.config import SlurmConfig
from graphql_runs_slurm.document import load
from graphql_runs_slurm.job import Attempt
from graphql_runs_slurm.status import GONE
from graphql_runs_slurm.value import nested, text

_EPOCH = {"SLURM_TIME_FORMAT": "%s"}
_CONFIG = re.compile(r"^(\w+)\s*=\s*(.*?)\s*$", re.MULTILINE)
_NOTHING = re.compile("nothing|empty|no (?:jobs|nodes|records)", re.IGNORECASE)
"""Errors that say that there are none, which is an answer."""
_OVERLAP = 600
"""Seconds that a further question to the accounts looks back beyond the last answer."""
_ANEW = 3600.0
"""What the cluster is called and can do is asked for again so often."""
_JSON_ACCOUNTS = (23, 2)
"""Before this version sacct gives exit code 0 in JSON for jobs that failed, so lines are asked for."""


@dataclass(slots=True)
class Facts:
    """What `scontrol show config` says."""

    cluster: str
    version: tuple[int, int]
    accounts: bool


@dataclass(slots=True)
class _Due:
    """When something is asked next."""

    seconds: float
    at: float = -math.inf

    def now(self) -> bool:
        return time.monotonic() >= self.at

    def done(self) -> None:
        self.at = time.monotonic() + self.seconds


@dataclass(slots=True)
class Answer:
    """Everything that is known of a cluster now.

    everyone: no job of its queue was filtered out.
    number:   the same as long as nothing was asked.
    """

    cluster: str
    accounts: Sequence[Attempt]
    queue: Sequence[Attempt]
    partitions: dict[str, str]
    nodes: Sequence[Node]
    everyone: bool
    number: int
    skipped: list[Skipped] = field(default_factory=list)


class Scheduler:
    """One cluster. `ask` is called again and again, and asks the commands whose turn it is."""

    def __init__(self, wanted: str, config: SlurmConfig) -> None:
        self._wanted = wanted
        self._config = config
        self._commands = Commands(config.prefix, config.timeout_seconds, config.output_bytes)
        self._facts: Facts | None = None
        self._clusters: tuple[str, ...] = ()
        self._facts_due = _Due(_ANEW)
        self._queue_due = _Due(config.queue_seconds)
        self._nodes_due = _Due(config.nodes_seconds)
        self._accounts_due = _Due(config.accounting_seconds)
        self._accounts_at: float | None = None
        self._accounts: dict[tuple[int, int | None, int | None], Attempt] = {}
        self._queue: list[Attempt] = []
        self._gone: dict[tuple[int, int | None, int | None], Attempt] = {}
        self._partitions: dict[str, str] = {}
        self._nodes: list[Node] = []
        self._skipped: list[Skipped] = []
        self._failed: dict[str, Skipped] = {}
        self._number = 0
        self._plain: set[str] = set()
        """Commands that know no JSON here."""

    def ask(self) -> Answer:
        """What is known now. Raises OSError, Unreadable."""
        if self._facts is None or self._facts_due.now():
            self._facts = self._identify()
            self._plain.clear()
            self._facts_due.done()
        facts = self._facts
        left = self._ask_queue(facts) if self._queue_due.now() else False
        if facts.accounts and (left or self._accounts_due.now()):
            self._without("sacct", partial(self._ask_accounts, facts))
            self._accounts_due.done()
        if self._nodes_due.now():
            self._without("nodes", self._ask_nodes)
            self._nodes_due.done()
        self._forget()
        config = self._config
        return Answer(
            facts.cluster,
            [*self._gone.values(), *self._accounts.values()],
            self._queue,
            self._partitions,
            self._nodes,
            everyone=not (config.users or config.accounts or config.partitions),
            number=self._number,
            skipped=[*self._skipped, *self._failed.values()],
        )

    def _without(self, what: str, ask: Callable[[], None]) -> None:
        """Ask for what the rest can do without: the accounts may be down while jobs run on."""
        try:
            ask()
        except (OSError, Unreadable) as error:
            self._failed[what] = Skipped(what, f"cannot be asked: {error}")
        else:
            self._failed.pop(what, None)

    # What the cluster is

    def _identify(self) -> Facts:
        """Its name, version, and whether it keeps accounts. `slurm:NAME` may be the cluster at hand or another of its federation."""
        said = self._commands.run("scontrol", "show", "config").decode("utf-8", "replace")
        found = dict(_CONFIG.findall(said))
        if self._wanted and found.get("ClusterName") != self._wanted:
            self._clusters = (f"--clusters={self._wanted}",)
            said = self._commands.run("scontrol", *self._clusters, "show", "config").decode(
                "utf-8", "replace"
            )
            found = dict(_CONFIG.findall(said))
        name = found.get("ClusterName", "")
        if not re.fullmatch(r"[\w.-]{1,100}", name, re.ASCII):
            raise Unreadable(f"scontrol show config names no cluster: {name[:100]!r}")
        version = re.match(r"(\d+)\.(\d+)", found.get("SLURM_VERSION", ""))
        return Facts(
            name,
            (int(version[1]), int(version[2])) if version else (0, 0),
            accounts=self._config.accounting and "slurmdbd" in found.get("AccountingStorageType", ""),
        )

    # Jobs

    def _ask_queue(self, facts: Facts) -> bool:
        """Ask for the queue. True when jobs left it that had not ended, so that the accounts have to say what became of them."""
        asked = ["--states=all", *self._filters("--users=", "--account=", "--partition=")]
        said = self._json("jobs", "squeue", *self._clusters, "--json", *asked)
        if said is not None:
            found = list(queue.attempts(said, facts.cluster))
        else:
            lines = self._run_plain("scontrol", *self._clusters, "show", "job", "--oneliner")
            found = list(oneline.attempts(lines, facts.cluster))
        before, self._queue = self._queue, [one for one in found if self._is_wanted(one)]
        self._queue_due.done()
        there, arrays = {_same(one) for one in self._queue}, {one.array for one in self._queue}
        left = [
            one
            for one in before
            if not one.over and (one.array not in arrays if one.waiting else _same(one) not in there)
        ]
        for one in left:
            self._gone[_same(one)] = replace(one, words=(GONE,), reason="", ended=None)
        for one in self._queue:
            self._gone.pop(_same(one), None)
        return bool(left)

    def _ask_accounts(self, facts: Facts) -> None:
        now = time.time()
        days = self._config.since_days * 86_400
        seconds = days if self._accounts_at is None else min(days, now - self._accounts_at + _OVERLAP)
        asked = [
            *self._clusters, "--duplicates", "--allusers", f"--starttime=now-{math.ceil(seconds / 60)}minutes",
            *self._filters("--user=", "--accounts=", "--partition="),
        ]  # fmt: skip
        self._skipped = []
        said = self._json("jobs", "sacct", "--json", *asked) if facts.version >= _JSON_ACCOUNTS else None
        if said is not None:
            found = list(accounting.attempts(said, facts.cluster))
        else:
            form = ("--parsable2", "--noheader", "--allocations", f"--format={','.join(accounting.FIELDS)}")
            lines = self._run_plain("sacct", *form, *asked)
            found, self._skipped = accounting.from_lines(lines, facts.cluster)
        for one in found:
            if self._is_wanted(one):
                self._accounts[_same(one)] = one
        self._accounts_at = now

    def _forget(self) -> None:
        """Jobs that ended before the time that is looked back; what the accounts know is not gone."""
        since = (time.time() - self._config.since_days * 86_400) * 1e6
        for key, one in list(self._accounts.items()):
            if one.ended is not None and one.ended < since:
                del self._accounts[key]
            elif one.over:
                self._gone.pop(key, None)

    def _is_wanted(self, one: Attempt) -> bool:
        """By the same filters that the commands were given: not all forms of them take all."""
        config = self._config
        return (
            (not config.users or one.user in config.users)
            and (not config.accounts or one.account in config.accounts)
            and (not config.partitions or bool(set(one.partition.split(",")) & set(config.partitions)))
        )

    def _filters(self, users: str, accounts: str, partitions: str) -> list[str]:
        config = self._config
        named = ((users, config.users), (accounts, config.accounts), (partitions, config.partitions))
        return [f"{option}{','.join(values)}" for option, values in named if values]

    # Nodes

    def _ask_nodes(self) -> None:
        show = ("scontrol", *self._clusters, "show")
        said = self._json("partitions", *show, "partition", "--json")
        if said is not None:
            partitions = partitions_of(said)
        else:
            partitions = partitions_in(self._run_plain(*show, "partition", "--oneliner"))
        wanted = self._config.partitions
        self._partitions = {name: state for name, state in partitions.items() if not wanted or name in wanted}
        said = self._json("nodes", *show, "node", "--json")
        self._nodes = (
            nodes_of(said) if said is not None else nodes_in(self._run_plain(*show, "node", "--oneliner"))
        )

    # Commands

    def _json(self, listing: str, *command: str) -> object:
        """The JSON that a command prints; None where this version has none, or a broken one. Raises OSError when it fails otherwise."""
        place = " ".join(word for word in command if "=" not in word)
        if place in self._plain:
            return None
        try:
            found = load(self._run(*command))
        except Refused as error:
            if not _knows_no_json(str(error)):
                raise
        except ValueError:
            pass  # the lines are asked for instead, and say what there is
        else:
            if isinstance(nested(found, listing), list):
                _raise_errors(found, listing, command[0])
                return found
        self._plain.add(place)
        return None

    def _run_plain(self, *command: str) -> str:
        return self._run(*command, variables=_EPOCH).decode("utf-8", "replace")

    def _run(self, *command: str, variables: Mapping[str, str] | None = None) -> bytes:
        self._number += 1
        return self._commands.run(*command, variables=variables)


def _raise_errors(document: object, listing: str, name: str) -> None:
    """Some versions end well when they cannot reach the controller, and say so in the document only."""
    errors = nested(document, "errors")
    if nested(document, listing) or not isinstance(errors, list):
        return
    for one in errors:
        said = text(nested(one, "description")) or text(nested(one, "error"))
        if said and not _NOTHING.search(said):
            raise Refused(f"{name}: {said[:500]}")


def _knows_no_json(error: str) -> bool:
    """Does a command that failed say that it does not know JSON, or lacks the plugins for it?"""
    folded = error.lower()
    return any(word in folded for word in ("option", "json", "serializer", "openapi", "data_parser", "usage"))


def _same(one: Attempt) -> tuple[int, int | None, int | None]:
    """What tells an attempt from all others, whoever tells of it."""
    return (one.array or one.id, one.task if one.array else one.offset, one.submitted)
