"""Filters that MLflow's manual shows (https://mlflow.org/docs/latest/ml/search/search-runs), which people have in their scripts, mean
the same here."""

from __future__ import annotations

import pytest

from graphql_runs.model.errors import InvalidText
from graphql_runs.model.filter import (
    And,
    Attribute,
    AttributeField,
    Bag,
    BagField,
    Compare,
    Field,
    MetricField,
    Op,
    Operand,
    RunFilter,
)
from graphql_runs.read.where import parse

CREATED, STARTED, ENDED = (
    AttributeField(name) for name in (Attribute.CREATED_AT, Attribute.STARTED_AT, Attribute.ENDED_AT)
)
NAME, STATUS, RUN_ID, USER = (
    AttributeField(name)
    for name in (Attribute.NAME, Attribute.STATUS, Attribute.RUN_ID, Attribute.SUBMITTED_BY)
)


def param(key: str, op: Op, operand: Operand) -> Compare:
    return Compare(BagField(Bag.PARAM, key), op, operand)


def tag(key: str, op: Op, operand: Operand) -> Compare:
    return Compare(BagField(Bag.TAG, key), op, operand)


def metric(name: str, op: Op, operand: Operand) -> Compare:
    return Compare(MetricField(name), op, operand)


def one(field: Field, op: Op, operand: Operand) -> Compare:
    return Compare(field, op, operand)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("metrics.accuracy > 0.92", metric("accuracy", Op.GT, 0.92)),
        ("metrics.accuracy < 0.5", metric("accuracy", Op.LT, 0.5)),
        ("metrics.`f1 score` > 0.5", metric("f1 score", Op.GT, 0.5)),
        ('metrics."f1 score" > 0.5', metric("f1 score", Op.GT, 0.5)),
        ("metrics.`error rate` != 0", metric("error rate", Op.NE, 0)),
        ('metrics."2019-04-02 error rate" >= 1', metric("2019-04-02 error rate", Op.GTE, 1)),
        ("metric.mse <= -1.5e-3", metric("mse", Op.LTE, -0.0015)),
        ('params.model = "GPT-3"', param("model", Op.EQ, "GPT-3")),
        ("params.model LIKE 'GPT%'", param("model", Op.LIKE, "GPT%")),
        ("params.model ILIKE '%gpt%'", param("model", Op.ILIKE, "%gpt%")),
        ('params.batch_size = "2"', param("batch_size", Op.EQ, "2")),
        ("params.batch_size != '2'", param("batch_size", Op.NE, "2")),
        ('params.`random_state` = "8888"', param("random_state", Op.EQ, "8888")),
        ('param.solver ILIKE "L%"', param("solver", Op.ILIKE, "L%")),
        ("parameters.alpha = '1'", param("alpha", Op.EQ, "1")),
        ("params.max_depth IS NULL", param("max_depth", Op.EXISTS, False)),
        ("params.max_depth IS NOT NULL", param("max_depth", Op.EXISTS, True)),
        ("tags.model LIKE 'sklearn%'", tag("model", Op.LIKE, "sklearn%")),
        ("tags.`type` ILIKE '%Logistic%'", tag("type", Op.ILIKE, "%Logistic%")),
        ("tags.`mlflow.user` = ''", tag("mlflow.user", Op.EQ, "")),
        ("tags.mlflow.source.name != 'main.py'", tag("mlflow.source.name", Op.NE, "main.py")),
        ("tags.`mlflow.parentRunId` = 'abc'", tag("mlflow.parentRunId", Op.EQ, "abc")),
        ("tag.release.version ILIKE '%1.0%'", tag("release.version", Op.ILIKE, "%1.0%")),
        ('tags."my custom tag" = "my value"', tag("my custom tag", Op.EQ, "my value")),
        ("tags.note IS NULL", tag("note", Op.EXISTS, False)),
        ('attributes.status = "FAILED"', one(STATUS, Op.EQ, "FAILED")),
        ('attributes.status = "FINISHED"', one(STATUS, Op.EQ, "COMPLETED")),
        ("attribute.status != 'KILLED'", one(STATUS, Op.NE, "CANCELED")),
        ("attr.status IN ('RUNNING', 'SCHEDULED')", one(STATUS, Op.IN, ("RUNNING", "QUEUED"))),
        ("status = 'ACTIVE'", one(STATUS, Op.EQ, "RUNNING")),
        ("run.status = 'RUNNING'", one(STATUS, Op.EQ, "RUNNING")),
        ("attributes.created > 1670628787527", one(CREATED, Op.GT, 1670628787527000)),
        ("attributes.Created > 1670628787527", one(CREATED, Op.GT, 1670628787527000)),
        ("attributes.start_time > 1670628787527", one(STARTED, Op.GT, 1670628787527000)),
        ("attributes.end_time < 1670628787527", one(ENDED, Op.LT, 1670628787527000)),
        ("start_time >= 1664067852747", one(STARTED, Op.GTE, 1664067852747000)),
        ('attributes.`run_name` ILIKE "%alpha%"', one(NAME, Op.ILIKE, "%alpha%")),
        ('attributes.`run name` ILIKE "%alpha%"', one(NAME, Op.ILIKE, "%alpha%")),
        ('attributes.`Run name` ILIKE "%alpha%"', one(NAME, Op.ILIKE, "%alpha%")),
        ('attributes.`Run Name` ILIKE "%alpha%"', one(NAME, Op.ILIKE, "%alpha%")),
        ("run_name = 'my-run'", one(NAME, Op.EQ, "my-run")),
        ("attributes.run_id = '1db3c4'", one(RUN_ID, Op.EQ, "1db3c4")),
        ("attributes.run_id IN ('a1', 'b2')", one(RUN_ID, Op.IN, ("a1", "b2"))),
        ("run_id NOT IN ('a1')", one(RUN_ID, Op.NOT_IN, ("a1",))),
        ("attributes.user_id = 'user1'", one(USER, Op.EQ, "user1")),
        (
            'metrics.accuracy > 0.72 and metrics."loss" <= 0.15',
            And((metric("accuracy", Op.GT, 0.72), metric("loss", Op.LTE, 0.15))),
        ),
        (
            'params.alpha = "0.3" and params.lambda = "0.001" and metrics.error <= 0.05',
            And(
                (param("alpha", Op.EQ, "0.3"), param("lambda", Op.EQ, "0.001"), metric("error", Op.LTE, 0.05))
            ),
        ),
        (
            "tags.\"model\" = 'x' AND attributes.status = 'FAILED'\n  AND params.`batch size` LIKE '1_'",
            And((tag("model", Op.EQ, "x"), one(STATUS, Op.EQ, "FAILED"), param("batch size", Op.LIKE, "1_"))),
        ),
        ("", None),
    ],
)
def test_what_people_have_reads_the_same(text: str, means: RunFilter | None) -> None:
    assert parse(text, 0) == means


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("dataset.name = 'custom'", 1, "before the dot goes"),
        ("attributes.artifact_uri = 's3://x'", 12, "outputs have no address"),
        ("attributes.experiment = 1", 25, "texts"),
        ("metrics.accuracy > '0.9'", 20, "without quotes"),
        ("params.lr = high", 13, "'text' in quotes"),
        ("metrics.accuracy > 0.9; metrics.loss < 1", 23, "AND, OR or the end"),
    ],
)
def test_what_has_no_meaning_here_is_said(text: str, column: int, words: str) -> None:
    with pytest.raises(InvalidText) as caught:
        parse(text, 0)
    assert words in caught.value.message
    assert caught.value.column == column
