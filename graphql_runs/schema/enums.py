"""Enums of the API, with a description for every value."""

from __future__ import annotations

from collections.abc import Mapping
from enum import EnumMeta, StrEnum
from typing import TypeVar

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

from graphql_runs.model.filter import Stat
from graphql_runs.model.records import ColumnType, LogStream, MetricKind
from graphql_runs.model.run import Goal
from graphql_runs.model.source import PluginKind, SourceState
from graphql_runs.model.status import RunStatus, StatusClass
from graphql_runs.read.charts import ChartKind
from graphql_runs.read.levels import LogLevel
from graphql_runs.read.lines import LogView
from graphql_runs.read.metrics import MetricOrder
from graphql_runs.read.search import LogOrder
from graphql_runs.read.series import XAxis

E = TypeVar("E", bound=EnumMeta)


def describe(cls: E, description: str, values: Mapping[str, str], *, name: str | None = None) -> E:
    """Make an enum known to GraphQL. `values` describes each of its names."""
    strawberry.enum(cls, name=name, description=description)
    definition: StrawberryEnumDefinition = cls.__strawberry_definition__  # type: ignore[attr-defined]  # set just above
    for value in definition.values:
        value.description = values[value.name]
    return cls


describe(
    RunStatus,
    "The state of a run: the fifteen of Azure Machine Learning, and UNKNOWN. Other trackers' words are mapped to them.",
    {
        "NOT_STARTED": "Known, not yet submitted.",
        "STARTING": "Accepted; it has an id and is being looked at.",
        "PROVISIONING": "Compute is being created for it.",
        "PREPARING": "Its environment is being built.",
        "QUEUED": "Waits for free compute.",
        "RUNNING": "The user's code runs.",
        "UNAPPROVED": "Waits for somebody's approval.",
        "PAUSING": "About to pause.",
        "PAUSED": "Paused.",
        "NOT_RESPONDING": "Sends heartbeats and has missed some; it may come back to any other state.",
        "CANCEL_REQUESTED": "Somebody asked to cancel it.",
        "FINALIZING": "The user's code is done; outputs are being collected.",
        "COMPLETED": "Ended well.",
        "FAILED": "Ended with an error.",
        "CANCELED": "Was canceled.",
        "UNKNOWN": "In a state we have no word for; see originalStatus.",
    },
)
describe(
    StatusClass,
    "What a status means for somebody who waits.",
    {
        "PENDING": "Has not begun to run.",
        "ACTIVE": "Runs, or is paused while running.",
        "POST_PROCESSING": "Is being ended.",
        "TERMINAL": "Over: COMPLETED, FAILED or CANCELED.",
    },
)
describe(
    Goal,
    "Which way a metric is better.",
    {"MINIMIZE": "The smaller the better.", "MAXIMIZE": "The larger the better."},
)
describe(
    MetricKind,
    "How a metric was logged.",
    {
        "SCALAR": "One number at a time.",
        "LIST": "A list of numbers at once.",
        "ROW": "One row of named columns at a time.",
        "TABLE": "A table of named columns at once.",
        "IMAGE": "An image.",
        "CONFUSION_MATRIX": "A confusion matrix.",
        "ACCURACY_TABLE": "Counts by threshold, for ROC, precision-recall and lift curves.",
        "RESIDUALS": "A histogram of residuals.",
        "PREDICTIONS": "Predicted against true values, binned.",
        "HISTOGRAM": "A histogram.",
        "TEXT": "Text.",
    },
)
describe(
    ColumnType,
    "The type of a column of a metric.",
    {"FLOAT": "Numbers.", "INT": "Integers.", "BOOL": "True or false.", "TEXT": "Texts."},
    name="MetricColumnType",
)
describe(
    ChartKind,
    "The chart that suits a metric, by the rules of Azure Machine Learning's studio.",
    {
        "SINGLE_LINE": "One line: value by step.",
        "TWO_VARIABLE_LINE": "One line: the second column by the first.",
        "TABLE": "A table.",
        "IMAGE": "An image.",
        "CONFUSION_MATRIX": "A confusion matrix.",
        "ROC_PR_LIFT": "ROC, precision-recall and lift curves.",
        "RESIDUALS": "A histogram of residuals.",
        "PREDICTIONS": "Predicted against true values.",
        "HISTOGRAM": "A histogram.",
        "NONE": "No chart.",
    },
)
describe(
    XAxis,
    "What a curve is drawn over.",
    {
        "STEP": "The step of each point; its row where no step was given.",
        "INDEX": "The row of each point: 0, 1, 2, …",
        "TIME": "The time of each point, in Unix seconds.",
        "RELATIVE_TIME": "Seconds since the run started, or since the first point if that is earlier.",
    },
)
describe(
    Stat,
    "A number of a metric's summary.",
    {
        "LAST": "The last value.",
        "MIN": "The smallest finite value.",
        "MAX": "The largest finite value.",
        "MEAN": "The mean of the finite values.",
        "COUNT": "How many points there are.",
        "FIRST_NON_FINITE_STEP": "The step of the first NaN or infinity.",
    },
)
describe(
    LogStream,
    "Which stream of the job a log file holds.",
    {
        "STDOUT": "Standard output.",
        "STDERR": "Standard error.",
        "SYSTEM": "What the system around the job wrote.",
        "OTHER": "Something else.",
    },
)
describe(
    LogLevel,
    "How serious a log line says it is.",
    {
        "DEBUG": "For debugging.",
        "INFO": "Ordinary news.",
        "WARNING": "Something is odd.",
        "ERROR": "Something went wrong.",
        "CRITICAL": "The program cannot go on.",
    },
)
describe(
    LogView,
    "How the bytes of a log become lines.",
    {
        "RAW": "Lines as they were written, split at line feeds only.",
        "RENDERED": "Lines as a terminal shows them, after carriage returns, cursor moves and erasures; colours are in `spans`.",
    },
)
describe(
    LogOrder,
    "In which order lines of several log files come.",
    {
        "TIME": "By the time that they were written, as far as they say.",
        "FILE": "File after file: those of the run, then those of the runs below it, by path.",
    },
)
describe(
    MetricOrder,
    "The order of a run's metrics.",
    {
        "NAME": "By name.",
        "FIRST_NON_FINITE_STEP": "Those that went NaN or infinite first come first; those that never did come last.",
        "LAST_AT": "The one written to last comes first.",
    },
)


describe(
    SourceState,
    "How far the reading of a source has come.",
    {
        "STARTING": "Nothing was looked at yet.",
        "SCANNING": "What is there is being read.",
        "FOLLOWING": "Everything there was is read; changes are read as they happen.",
        "RETRYING": "A passing trouble is being waited out; nothing is lost.",
        "FAILED": "Something cannot be read until it changes, see lastError; all the rest goes on.",
        "STOPPED": "The server stopped reading.",
    },
)
describe(
    PluginKind,
    "What a plugin does.",
    {
        "INGESTER": "Reads files, and follows them as they grow.",
        "REMOTE": "Asks something that has an address, again and again.",
        "RECEIVER": "Takes what is sent to the server over HTTP.",
    },
)


class Direction(StrEnum):
    """Which way a list is sorted."""

    ASC = "ASC"
    DESC = "DESC"


describe(
    Direction,
    "Which way a list is sorted.",
    {
        "ASC": "Smallest, earliest or first in the alphabet first.",
        "DESC": "Largest, latest or last in the alphabet first.",
    },
)


class Nulls(StrEnum):
    """Where runs without a value go."""

    FIRST = "FIRST"
    LAST = "LAST"


describe(
    Nulls,
    "Where runs without a value go, whichever the direction.",
    {"FIRST": "Before all others.", "LAST": "After all others."},
)
