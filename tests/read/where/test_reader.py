from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest

from graphql_runs.model.errors import InvalidText
from graphql_runs.model.filter import (
    Ancestor,
    And,
    Attribute,
    AttributeField,
    Bag,
    BagField,
    Child,
    Compare,
    MetricField,
    Not,
    Op,
    Or,
    RunFilter,
    Stat,
    Under,
)
from graphql_runs.model.time import from_datetime
from graphql_runs.read.where import Bounds, parse

NOW = 1_700_000_000_000_000
A, B, C = (Compare(BagField(Bag.TAG, key), Op.EQ, key) for key in "abc")
LR, LOSS = BagField(Bag.PARAM, "lr"), MetricField("loss")
STALE = Compare(AttributeField(Attribute.STALE_AT), Op.LT, NOW)
NEW_YEAR = from_datetime(datetime(2026, 1, 1, tzinfo=UTC))


def by(attribute: Attribute, op: Op, operand: str | int | float | bool) -> Compare:
    return Compare(AttributeField(attribute), op, operand)


MEANINGS: list[tuple[str, RunFilter]] = [
    ("tags.a = 'a' OR tags.b = 'b' AND tags.c = 'c'", Or((A, And((B, C))))),
    ("(tags.a = 'a' OR tags.b = 'b') AND tags.c = 'c'", And((Or((A, B)), C))),
    ("NOT tags.a = 'a' AND tags.b = 'b'", And((Not(A), B))),
    ("not (tags.a='a'and tags.b='b')", Not(And((A, B)))),
    ("NOT NOT tags.a = 'a'", Not(Not(A))),
    ("((tags.a = 'a'))", A),
    ("TRUE", And(())),
    ("false OR tags.a = 'a'", Or((Or(()), A))),
    ("child(tags.a = 'a' AND tags.b = 'b')", Child(And((A, B)))),
    ("ANCESTOR (child(tags.a = 'a')) AND NOT child(tags.b = 'b')", And((Ancestor(Child(A)), Not(Child(B))))),
    ("below('run_1', 'run_0')", Under("run_1", "run_0")),
    ("params.lr = 0.1", Compare(LR, Op.EQ, 0.1)),
    ("params.lr = '0.1'", Compare(LR, Op.EQ, "0.1")),
    ("params.lr == 1", Compare(LR, Op.EQ, 1)),
    ("params.lr <> .5", Compare(LR, Op.NE, 0.5)),
    ("params.lr in (0.1, 1e-3)", Compare(LR, Op.IN, (0.1, 0.001))),
    ("params.lr not in ('a', \"b\",)", Compare(LR, Op.NOT_IN, ("a", "b"))),
    ("params.lr IN ()", Compare(LR, Op.IN, ())),
    ("params.lr < inf", Compare(LR, Op.LT, float("inf"))),
    ("params.lr > -Infinity", Compare(LR, Op.GT, float("-inf"))),
    ("params.lr = 'it''s'", Compare(LR, Op.EQ, "it's")),
    ('params.lr = "say ""hi"""', Compare(LR, Op.EQ, 'say "hi"')),
    (r"params.lr = 'C:\'", Compare(LR, Op.EQ, "C:\\")),
    ("params.`l``r` = 'x'", Compare(BagField(Bag.PARAM, "l`r"), Op.EQ, "x")),
    ("properties.git/commit ~ '^ab'", Compare(BagField(Bag.PROPERTY, "git/commit"), Op.REGEX, "^ab")),
    ("params.not = 'x'", Compare(BagField(Bag.PARAM, "not"), Op.EQ, "x")),
    ("params.lr RLIKE 'a+'", Compare(LR, Op.REGEX, "a+")),
    ("params.lr REGEXP 'a+'", Compare(LR, Op.REGEX, "a+")),
    ("params.lr CONTAINS 'a'", Compare(LR, Op.CONTAINS, "a")),
    # Negated they need a value, as every comparison does.
    ("params.lr !~ 'a'", And((Compare(LR, Op.EXISTS, True), Not(Compare(LR, Op.REGEX, "a"))))),
    ("params.lr NOT LIKE 'a%'", And((Compare(LR, Op.EXISTS, True), Not(Compare(LR, Op.LIKE, "a%"))))),
    ("metrics.val/loss<-1", Compare(MetricField("val/loss"), Op.LT, -1)),
    ("min(metrics.loss) < 0.1", Compare(MetricField("loss", Stat.MIN), Op.LT, 0.1)),
    ("Max ( metrics.`loss` ) >= 1", Compare(MetricField("loss", Stat.MAX), Op.GTE, 1)),
    ("avg(metrics.loss) = 1", Compare(MetricField("loss", Stat.MEAN), Op.EQ, 1)),
    ("count(metrics.loss.min) > 10", Compare(MetricField("loss.min", Stat.COUNT), Op.GT, 10)),
    ("last(metrics.loss) = 1", Compare(LOSS, Op.EQ, 1)),
    (
        "first_non_finite_step(metrics.loss) IS NOT NULL",
        Compare(MetricField("loss", Stat.FIRST_NON_FINITE_STEP), Op.EXISTS, True),
    ),
    ("displayName = 'x'", by(Attribute.DISPLAY_NAME, Op.EQ, "x")),
    ("experiment = 'digits'", by(Attribute.EXPERIMENT, Op.EQ, "digits")),
    ("parent IS NULL", by(Attribute.PARENT, Op.EXISTS, False)),
    ("status_class = 'terminal'", by(Attribute.STATUS_CLASS, Op.EQ, "TERMINAL")),
    ("status = 'NotResponding'", by(Attribute.STATUS, Op.EQ, "NOT_RESPONDING")),
    ("status = 'unknown'", by(Attribute.STATUS, Op.EQ, "UNKNOWN")),
    ("status LIKE 'CANCEL%'", by(Attribute.STATUS, Op.LIKE, "CANCEL%")),
    ("created_at >= '2026-01-01'", by(Attribute.CREATED_AT, Op.GTE, NEW_YEAR)),
    ("created_at < '2026-01-01T02:00:00.5+02:00'", by(Attribute.CREATED_AT, Op.LT, NEW_YEAR + 500_000)),
    ("ended_at > 1500", by(Attribute.ENDED_AT, Op.GT, 1_500_000)),
    ("duration > 3600", by(Attribute.DURATION, Op.GT, 3600)),
    ("stale = true", STALE),
    ("stale != true", Not(STALE)),
    ("attributes.stale = FALSE", Not(STALE)),
    ("trashed = true", by(Attribute.TRASHED_AT, Op.EXISTS, True)),
    ("alias != TRUE", by(Attribute.ALIAS_OF, Op.EXISTS, False)),
    ("identities.`slurm:a/1` IS NOT NULL", Compare(BagField(Bag.IDENTITY, "slurm:a/1"), Op.EXISTS, True)),
]


@pytest.mark.parametrize(("text", "means"), MEANINGS)
def test_what_a_text_means(text: str, means: RunFilter) -> None:
    assert parse(text, NOW) == means


@pytest.mark.parametrize("text", ["", "  \n\t "])
def test_a_blank_text_asks_for_nothing(text: str) -> None:
    assert parse(text, NOW) is None


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("name", (1, 5), "expected an operator"),
        ("name = ", (1, 8), "expected a 'text' in quotes or a number; the text ends here"),
        ("name = x", (1, 8), "found 'x'"),
        ("name = 'x", (1, 8), "this ' is not closed"),
        ("params.`a = 1", (1, 8), "this ` is not closed"),
        ("name = 'x' name = 'y'", (1, 12), "expected AND, OR or the end; found 'name'"),
        ("name = 'x' AND", (1, 15), "expected a condition"),
        ("name = 'x'\n  AND ()", (2, 8), "expected a condition"),
        ("(name = 'x'", (1, 12), "expected a closing parenthesis"),
        ("name = 'x')", (1, 11), "closes nothing"),
        ("child name = 'x'", (1, 7), "expected an operator"),
        ("name IN 'x'", (1, 9), "expected an opening parenthesis"),
        ("name IN ('x' 'y')", (1, 14), "expected a comma or a closing parenthesis"),
        ("name IS 'x'", (1, 9), "expected NULL or NOT NULL"),
        ("name NOT = 'x'", (1, 10), "expected IN, LIKE"),
        ("name LIKE 3", (1, 11), "expected a 'text' in quotes"),
        ("metrics. > 3", (1, 10), "expected a name"),
        ("metrics.a > 1.2.3", (1, 13), "expected a 'text' in quotes or a number"),
        ("foo.bar = 1", (1, 1), "before the dot goes metrics, params, tags"),
        ("foo = 1", (1, 1), "no attribute 'foo'"),
        ("min(params.x) = 1", (1, 5), "is of a metric"),
        ("min(name) = 1", (1, 5), "is of a metric"),
        ("name = true", (1, 8), "not true or false"),
        ("name = 1", (1, 8), "compared with texts"),
        ("number = 'one'", (1, 10), "without quotes"),
        ("number LIKE '1%'", (1, 13), "compares texts"),
        ("name IN ('a', 1)", (1, 10), "of texts or of numbers"),
        ("params.x = 1 AND name LIKE 'a\\'", (1, 28), "escape character"),
        ("status = 'DONE?!'", None, None),
        ("status = 'sleeping'", (1, 10), "no status"),
        ("status_class = 'done'", (1, 16), "none of PENDING"),
        ("created_at > 'yesterday'", (1, 14), "not a time"),
        ("created_at > nan", (1, 14), "not a time"),
        ("stale > 1", (1, 1), "stale = true"),
        ("NOT stale IS NULL", (1, 5), "stale = true"),
        ("name = 'x' AND name ~ 'a(?=b)'", (1, 25), "look-around"),
        ("name ~ 'it''s(?=b)'", (1, 14), "look-around"),
        ("name ~ 'a\nb(?=b)'", (2, 2), "look-around"),
        (f"number = {'9' * 500}", (1, 10), "limit is 400"),
        ("name ? 'x'", (1, 6), "expected an operator"),
    ],
)
def test_errors_point_at_the_place(text: str, place: tuple[int, int] | None, words: str | None) -> None:
    if place is None:
        assert parse(text, NOW) == by(Attribute.STATUS, Op.EQ, "COMPLETED")
        return
    with pytest.raises(InvalidText) as caught:
        parse(text, NOW)
    assert words is not None
    assert words in caught.value.message
    assert f"line {place[0]}, column {place[1]}:" in caught.value.message
    known = {"code": "BAD_USER_INPUT", "field": "where", "line": place[0], "column": place[1]}
    assert caught.value.extensions == known


@pytest.mark.parametrize(
    ("text", "bounds", "words"),
    [
        ("name = 'abc'", Bounds(length=5), "12 characters, the limit is 5"),
        ("NOT " * 4 + "name = 'a'", Bounds(depth=3), "deeper than 3"),
        ("NOT " * 2400 + "name = 'a'", Bounds(), "deeper than 16"),
        ("child(" * 1000 + "name = 'a'" + ")" * 1000, Bounds(), "deeper than 16"),
        (" OR ".join(["name = 'a'"] * 4), Bounds(conditions=4), "more than 4 conditions"),
        ("name IN ('a', 'b', 'c')", Bounds(values=2), "3 entries, the limit is 2"),
        ("name ~ 'abc'", Bounds(regex=2), "3 characters, the limit is 2"),
    ],
)
def test_what_is_too_much_is_refused(text: str, bounds: Bounds, words: str) -> None:
    with pytest.raises(InvalidText) as caught:
        parse(text, NOW, bounds)
    assert words in caught.value.message


def test_parentheses_alone_are_no_nesting() -> None:
    assert parse("(" * 4000 + "tags.a = 'a'" + ")" * 4000, NOW) == A


def test_a_server_starts_without_loading_the_parser_or_the_engine() -> None:
    code = "import sys, graphql_runs.schema.schema; print(sorted({'lark', 're2'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
