"""A run's details: what `Run.get_details()` gives, or the run document of Azure's run history (RunDto), or both in one.

Field names follow azureml-core 1.61 (`_restclient/models/run_dto.py`, `run_details_dto.py`). A run id and a status are
needed; every other field may be missing, and one of a wrong type is left out and noted in `problems`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import quote, unquote

from graphql_runs.ingest.api import Unreadable
from graphql_runs.model.run import Goal, Queueing, RunFailure, RunWarning
from graphql_runs.model.status import RunStatus, status_from
from graphql_runs.model.time import Micros
from graphql_runs_azureml.arguments import params_of
from graphql_runs_azureml.document import Document
from graphql_runs_azureml.fields import Fields, kind
from graphql_runs_azureml.text import clean, cut, name_problem, run_id_problem, shown

SYSTEM_TAG = "_aml_system_"
"""Tags of the service itself; older SDKs wrote the same names without it."""
_PROBLEMS = 100
_WARNINGS = 1000
_URIS = ("cancelUri", "completeUri", "diagnosticsUri")
_EXPERIMENT = re.compile(r"/experiments/([^/?#]+)/runs/")
_WORKSPACE = re.compile(
    r"/subscriptions/([^/?#]+)/resourceGroups/([^/?#]+)/providers/Microsoft\.MachineLearningServices/workspaces/([^/?#]+)",
    re.IGNORECASE,
)
_POSITION = re.compile(r"\bposition (\d{1,9})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Details:
    """What the details of one run say.

    status_field: the field that the status was read from (AutoML has a tag that goes before `status`).
    children:     params of child runs by their run id, as a HyperDrive parent keeps them in its tags.
    problems:     one sentence for everything that was left out.
    """

    run_id: str
    status: RunStatus
    original: str
    status_field: str
    parent_id: str | None = None
    root_id: str | None = None
    experiment: str | None = None
    name: str | None = None
    display_name: str | None = None
    description: str | None = None
    kind: str | None = None
    target: str | None = None
    submitted_by: str | None = None
    created_at: Micros | None = None
    started_at: Micros | None = None
    ended_at: Micros | None = None
    primary_metric: str | None = None
    primary_metric_goal: Goal | None = None
    portal_url: str | None = None
    error: RunFailure | None = None
    warnings: tuple[RunWarning, ...] | None = None
    queueing: Queueing | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    children: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def is_details(value: object) -> bool:
    """Is this JSON value the details of a run?"""
    return isinstance(value, dict) and "runId" in value and "status" in value


def details_of(documents: Sequence[Document]) -> Details:
    """The details in one or more documents of one run; what a later document says goes before what an earlier one says.

    Raises Unreadable, naming the last document, when there is no usable run id or status, or two ids.
    """
    merged: dict[str, object] = {}
    for document in documents:
        assert isinstance(document.value, dict)
        if "runId" in merged and merged["runId"] != document.value["runId"]:
            raise Unreadable("is of another run than the details beside it", path=str(document.path))
        merged |= {
            name: value for name, value in document.value.items() if value is not None or name not in merged
        }
    return parse_details(merged, documents[-1].path)


def parse_details(value: Mapping[str, object], path: PurePosixPath) -> Details:
    """The details in a JSON object. Raises Unreadable when it has no usable run id or status."""
    fields = Fields(value)
    run_id = _run_id(value, path)
    tags = fields.texts("tags")
    properties = fields.texts("properties")
    status_field, original = _status(value, tags, path)
    primary = _primary_metric(fields, tags, properties)
    uris = [uri for name in _URIS if (uri := fields.text(name)) is not None]
    _check_log_files(fields)
    return Details(
        run_id=run_id,
        status=status_from(original),
        original=original,
        status_field=status_field,
        parent_id=_other_run(fields, "parentRunId") or _pipeline(properties, run_id),
        root_id=_other_run(fields, "rootRunId"),
        experiment=fields.name("experimentName") or _experiment_in(uris),
        name=fields.name("name"),
        display_name=fields.text("displayName"),
        description=fields.text("description"),
        kind=fields.text("runType") or fields.nested("runTypeV2").text("orchestrator"),
        target=fields.name("target") or fields.nested("runDefinition").name("target"),
        submitted_by=fields.text("submittedBy") or fields.nested("createdBy").text("userName"),
        created_at=fields.time("createdUtc"),
        started_at=fields.time("startTimeUtc"),
        ended_at=fields.time("endTimeUtc"),
        primary_metric=primary[0],
        primary_metric_goal=primary[1],
        portal_url=_portal_url(uris, run_id),
        error=_failure(fields),
        warnings=_warnings(fields),
        queueing=_queueing(fields),
        tags=tags,
        params=_params(fields, tags, properties),
        properties=properties,
        children=_children(run_id, fields, tags),
        problems=_bounded(fields.problems),
    )


def system_tag(tags: Mapping[str, str], name: str) -> tuple[str, str] | None:
    """A tag of the service by its name without prefix: the key it has and its value. The prefixed one goes first."""
    for key in (SYSTEM_TAG + name, name):
        if value := tags.get(key):
            return key, value
    return None


# Identity


def _run_id(value: Mapping[str, object], path: PurePosixPath) -> str:
    given = value.get("runId")
    if not isinstance(given, str):
        raise Unreadable(f"runId is {kind(given)}, not a text", path=str(path))
    run_id = clean(given)
    problem = run_id_problem(run_id)
    if problem is not None:
        raise Unreadable(f"runId {problem}: {shown(run_id)}", path=str(path))
    return run_id


def _other_run(fields: Fields, name: str) -> str | None:
    text = fields.text(name)
    if text is None:
        return None
    problem = run_id_problem(text)
    if problem is not None:
        fields.note(name, problem)
        return None
    return text


def _pipeline(properties: Mapping[str, str], run_id: str) -> str | None:
    # get_details() of a pipeline's step names its parent nowhere else.
    parent = properties.get("azureml.pipelinerunid")
    return parent if parent and parent != run_id and run_id_problem(parent) is None else None


def _experiment_in(uris: Sequence[str]) -> str | None:
    # The run document has the experiment's GUID; its name is in the addresses for cancelling and diagnosing the run.
    for uri in uris:
        if found := _EXPERIMENT.search(uri):
            name = clean(unquote(found[1]))
            if name_problem(name) is None:
                return name
    return None


def _portal_url(uris: Sequence[str], run_id: str) -> str | None:
    for uri in uris:
        if found := _WORKSPACE.search(uri):
            subscription, group, workspace = found.groups()
            place = f"/subscriptions/{subscription}/resourcegroups/{group}/workspaces/{workspace}"
            return cut(f"https://ml.azure.com/runs/{quote(run_id, safe='')}?wsid={place}")
    return None


# Status


def _status(value: Mapping[str, object], tags: Mapping[str, str], path: PurePosixPath) -> tuple[str, str]:
    given = value.get("status")
    if not isinstance(given, str) or not given.strip():
        shown_kind = "an empty text" if isinstance(given, str) else f"{kind(given)}, not a text"
        raise Unreadable(f"status is {shown_kind}", path=str(path))
    automl = tags.get(f"{SYSTEM_TAG}automl_status")
    if automl:
        return f"tags.{SYSTEM_TAG}automl_status", cut(automl, 256)
    return "status", cut(clean(given), 256)


def _failure(fields: Fields) -> RunFailure | None:
    outer = fields.value.get("error")
    if not outer:
        return None
    if isinstance(outer, str):
        message = fields.text("error")
        return None if message is None else RunFailure(message)
    wrapper = fields.nested("error")
    error = wrapper.nested("error") if isinstance(wrapper.value.get("error"), dict) else wrapper
    code = error.text("code")
    message = error.text("message") or error.text("messageFormat") or code
    if message is None:
        return None
    return RunFailure(message, code, _failure_detail(error))


def _failure_detail(error: Fields) -> str | None:
    """Inner codes from the outside in, then further messages, one a line."""
    inner = error
    codes: list[str] = []
    while isinstance(inner.value.get("innerError"), dict) and len(codes) < 20:
        inner = inner.nested("innerError")
        if code := inner.text("code"):
            codes.append(code)
    lines = [" > ".join(codes)] if codes else []
    for detail in error.objects("details"):
        parts = [part for part in (detail.text("code"), detail.text("message")) if part]
        if parts:
            lines.append(": ".join(parts))
    return cut("\n".join(lines)) if lines else None


def _warnings(fields: Fields) -> tuple[RunWarning, ...] | None:
    if fields.value.get("warnings") is None:
        return None
    given = fields.objects("warnings")
    if len(given) > _WARNINGS:
        fields.note("warnings", f"has {len(given)} entries, those after the first {_WARNINGS} were left out")
    found = ((entry.text("message"), entry.text("source")) for entry in given[:_WARNINGS])
    return tuple(RunWarning(message, source) for message, source in found if message is not None)


def _queueing(fields: Fields) -> Queueing | None:
    if not fields.value.get("queueingInfo"):
        return None
    info = fields.nested("queueingInfo")
    message = info.text("message")
    position = info.count("position")
    if position is None and message is not None and (found := _POSITION.search(message)):
        position = int(found[1])
    return Queueing(info.text("code"), message, info.time("lastRefreshTimestamp"), position)


# What it was run with, and what for


def _primary_metric(
    fields: Fields, tags: Mapping[str, str], properties: Mapping[str, str]
) -> tuple[str | None, Goal | None]:
    """HyperDrive: tag or property `primary_metric_config`. AutoML: the parent's settings, a child's `goal`."""
    name = fields.name("primaryMetricName")
    for place, values in (("tags.", tags), ("properties.", properties)):
        if found := system_tag(values, "primary_metric_config"):
            config = Fields(values, place, fields.problems).embedded(found[0])
            if config is not None:
                return config.name("name") or name, _goal(config.text("goal"))
    settings = Fields(properties, "properties.", fields.problems).embedded("AMLSettingsJsonString")
    if settings is not None:
        return settings.name("primary_metric") or name, _goal(settings.text("metric_operation"))
    # A child's goal is the metric's name with _max or _min after it.
    goal = properties.get("goal", "")
    stem, _, suffix = goal.rpartition("_")
    if suffix in ("max", "min") and name_problem(stem) is None:
        return name or stem, _goal(suffix)
    return name, None


def _goal(word: str | None) -> Goal | None:
    # `maximize`, `MAXIMIZE`, `PrimaryMetricGoal.MAXIMIZE`, `max`
    folded = (word or "").lower()
    if "max" in folded:
        return Goal.MAXIMIZE
    return Goal.MINIMIZE if "min" in folded else None


def _params(fields: Fields, tags: Mapping[str, str], properties: Mapping[str, str]) -> dict[str, str]:
    """From the script's arguments, AutoML's choice of pipeline, and the hyperparameters, the later before the earlier."""
    definition = fields.nested("runDefinition")
    found = params_of(definition)
    for name in ("run_algorithm", "run_preprocessor"):
        if value := properties.get(name):
            found[name] = value
    hyperparameters = fields.embedded("hyperparameters")
    if hyperparameters is None and (tag := system_tag(tags, "hyperparameters")):
        hyperparameters = Fields(tags, "tags.", fields.problems).embedded(tag[0])
    if hyperparameters is not None:
        found |= _named(hyperparameters)
    return found


def _children(run_id: str, fields: Fields, tags: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """A HyperDrive parent has a tag for every child, named by the child's id: the parent's, `_`, and a number."""
    found: dict[str, dict[str, str]] = {}
    reader = Fields(tags, "tags.", fields.problems)
    for key in tags:
        child = key.removeprefix(SYSTEM_TAG)
        number = child.removeprefix(f"{run_id}_")
        if number == child or not number.isdecimal() or (key == child and SYSTEM_TAG + key in tags):
            continue
        params = reader.embedded(key)
        if params is not None:
            found[child] = _named(params)
    return found


def _named(params: Fields) -> dict[str, str]:
    """Hyperparameters by name. HyperDrive names them by the script's options, so the dashes in front go."""
    pairs = (params.pair(key.lstrip("-") or key, value) for key, value in params.value.items())
    return dict(pair for pair in pairs if pair is not None)


def _check_log_files(fields: Fields) -> None:
    """Log files are found in the folder; the signed URLs beside their names are never looked at. Names that lead out of
    the folder are worth a word, as somebody may have meant harm."""
    for name in fields.nested("logFiles").value:
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or "\0" in name:
            fields.note("logFiles", f"names a file outside of the run's folder: {shown(name)}")


def _bounded(problems: Sequence[str]) -> tuple[str, ...]:
    kept = tuple(cut(clean(problem), 500) for problem in dict.fromkeys(problems))
    if len(kept) <= _PROBLEMS:
        return kept
    return (*kept[:_PROBLEMS], f"{len(kept) - _PROBLEMS} further fields were left out")
