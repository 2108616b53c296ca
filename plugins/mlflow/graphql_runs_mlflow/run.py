"""What is known of a run, wherever it was read, as operations; and MLflow's words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from graphql_runs.ingest.api import Unreadable
from graphql_runs.model.operation import Annotate, DeclareRun, RestoreRun, RunOperation, SetStatus, TrashRun
from graphql_runs.model.status import RunStatus

STATUSES = {
    1: ("RUNNING", RunStatus.RUNNING),
    2: ("SCHEDULED", RunStatus.QUEUED),
    3: ("FINISHED", RunStatus.COMPLETED),
    4: ("FAILED", RunStatus.FAILED),
    5: ("KILLED", RunStatus.CANCELED),
}
"""RunStatus of mlflow/entities/run_status.py, by number and, in other files, by name."""
WORDS = dict(STATUSES.values())
"""MLflow's words for statuses."""
OWN = "mlflow."
"""What the names of MLflow's own tags begin with."""
NAME, NOTE, PARENT, USER = "mlflow.runName", "mlflow.note.content", "mlflow.parentRunId", "mlflow.user"
DATASET = "dataset."
"""What the properties begin with that datasets are kept as."""
MODEL = "logged-model."
"""What the properties begin with that logged models are kept as."""
MODELS = "logged-models"
"""The property of runs that have logged models."""
DATASET_FIELDS = ("name", "digest", "source_type", "source", "schema", "profile")
UNIT = "facts"
"""The key of the unit that declares a run, the same for every place that a run can be read from: so the host notices when
a run is there twice, and whoever reads on finds what was read elsewhere."""
_DELETED = "deleted"
_NOBODY = "unknown"
"""What MLflow calls a user that it does not know."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """A run as MLflow describes it.

    experiment: its name. word: MLflow's word for the status. started_at, ended_at: microseconds.
    tags:       all of them, MLflow's own included. properties: facts that MLflow keeps elsewhere.
    deleted:    it is in MLflow's trash.
    where:      what says so, for the status.
    """

    run_id: str
    experiment: str
    where: str
    word: str
    name: str | None = None
    parent: str | None = None
    root: str | None = None
    user: str | None = None
    started_at: int | None = None
    ended_at: int | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    deleted: bool = False

    @property
    def others(self) -> dict[str, str]:
        """The tags that are not MLflow's own."""
        return {name: value for name, value in self.tags.items() if not name.startswith(OWN)}

    def operations(self, before: Told | None) -> list[RunOperation]:
        """All of it; `before` is what was told last."""
        own = {name: value for name, value in self.tags.items() if name.startswith(OWN)}
        others = self.others
        status = WORDS.get(self.word, RunStatus.UNKNOWN)
        user = next((one for one in (self.user, own.get(USER)) if one and one != _NOBODY), None)
        declared = DeclareRun(
            self.run_id,
            experiment=self.experiment,
            name=own.get(NAME) or self.name or self.run_id,
            source="mlflow",
            parent=self.parent,
            root=self.root if self.parent is not None else None,
            submitted_by=user,
            created_at=self.started_at,
            identities=(identity(self.run_id),),
        )
        facts = Annotate(
            self.run_id,
            description=own.get(NOTE),
            tags=others,
            remove_tags=[tag for tag in (before.tags if before else ()) if tag not in others],
            params=self.params,
            properties={**own, **({USER: user} if user else {}), **self.properties},
            started_at=self.started_at,
            ended_at=self.ended_at if status.terminal else None,
        )
        at = self.ended_at if status.terminal else self.started_at
        found: list[RunOperation] = [
            declared,
            facts,
            SetStatus(self.run_id, status, self.where, at=at, original=self.word),
        ]
        was_deleted = before is not None and before.deleted
        if self.deleted != was_deleted:
            found.append(TrashRun(self.run_id) if self.deleted else RestoreRun(self.run_id))
        return found


@dataclass(frozen=True, slots=True)
class Told:
    """What a checkpoint keeps of the facts that were told: a digest of them all, the names of tags (to notice when one is
    gone), and whether the run was in the trash."""

    digest: str
    tags: tuple[str, ...] = ()
    deleted: bool = False

    @staticmethod
    def of(facts: RunFacts, *more: object) -> Told:
        """Of these facts, and others that are told with them."""
        listed = [
            (name, sorted(value.items()) if isinstance(value, Mapping) else value)
            for name in RunFacts.__slots__
            if name != "where"
            for value in (getattr(facts, name),)
        ]
        text = repr((listed, *more))
        digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()
        return Told(digest, tuple(sorted(facts.others)[:1000]), facts.deleted)

    def to_json(self, *, complete: bool = True) -> dict[str, object]:
        """For a checkpoint; `complete` says that everything of it is told with it."""
        return {
            "told": self.digest if complete else "",
            "tags": list(self.tags),
            **({_DELETED: True} if self.deleted else {}),
        }

    @staticmethod
    def from_json(checkpoint: Mapping[str, object] | None) -> Told | None:
        """What was told with a checkpoint."""
        match checkpoint:
            case {"told": str(digest), "tags": list(tags), **others}:
                return Told(digest, tuple(map(str, tags)), bool(others.get(_DELETED)))
        return None


PLACES = {
    "files": "MLflow's file store",
    "database": "a database of MLflow's",
    "server": "a tracking server of MLflow's",
}
"""Where a run may be read, by the `place` of its checkpoint; the file store has none in its."""


def same_place(checkpoint: Mapping[str, object] | None, place: str) -> None:
    """Raises Unreadable when the checkpoint is of a reading from another kind of place: what had been read there would come twice."""
    if checkpoint is None:
        return
    before = str(checkpoint.get("place", "files"))
    if before != place:
        raise Unreadable(
            f"this run was read from {PLACES.get(before, before)} before; it is not read from {PLACES[place]} too, so that "
            "nothing comes twice. Read it from there again, or purge it here first"
        )


def identity(run_id: str) -> str:
    """By what other sources may know a run of MLflow's."""
    return f"mlflow:{run_id}"


def dataset_property(dataset: Mapping[str, str | None], tags: Mapping[str, str]) -> tuple[str, str]:
    """A dataset that a run used, as a property: `dataset` has DATASET_FIELDS, name and digest are needed."""
    kept = {
        "tags": [{"key": key, "value": value} for key, value in tags.items()],
        "dataset": {name: text for name in DATASET_FIELDS if (text := dataset.get(name)) is not None},
    }
    return f"{DATASET}{dataset['name']}.{dataset['digest']}", json.dumps(kept)


def status_word(value: object) -> str:
    """MLflow's word for a status that is given as a word or a number."""
    if isinstance(value, int) and value in STATUSES:
        return STATUSES[value][0]
    return str(value)


def micros(value: object) -> int | None:
    """From milliseconds."""
    return value * 1000 if isinstance(value, int) and 0 <= value < 1 << 50 else None
