"""What conditions and orders mean, by example, and what is refused: the part of the contract for finding runs that people can
read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from graphql_runs.model.errors import InvalidInput
from graphql_runs.model.filter import (
    Ancestor,
    And,
    Attribute,
    AttributeField,
    Bag,
    BagField,
    Child,
    Compare,
    Key,
    MetricField,
    Not,
    Op,
    Or,
    Order,
    RunFilter,
    Stat,
    Under,
)
from graphql_runs.model.status import RunStatus
from graphql_runs.store.port import Batch, Store, journal_of
from tests.store.paging import fill, page_through
from tests.store.reference import Sample
from tests.store.samples import Place, a_metric, a_run, entry

LR = BagField(Bag.PARAM, "lr")
NAME = AttributeField(Attribute.DISPLAY_NAME)
LOSS = MetricField("loss")
RATES = {
    "a": "0.1",
    "b": "1e-1",
    "c": "9",
    "d": "10",
    "e": "high",
    "f": "High",
    "g": None,
    "h": "nan",
    "i": "-inf",
}
LOSSES = {"a": 1.0, "b": float("nan"), "c": float("inf"), "d": float("-inf"), "e": None, "f": 1.5, "g": 1.0}
NAMES = {
    "a": "Model_1",
    "b": "model_1",
    "c": "MODELX1",
    "d": "100%",
    "e": "Größe",
    "f": "GRÖSSE",
    "g": "größe",
}

MEANINGS: list[tuple[RunFilter, str]] = [
    (Compare(LR, Op.EQ, "0.1"), "a"),
    (Compare(LR, Op.EQ, 0.1), "ab"),
    (Compare(LR, Op.NE, 0.1), "cdi"),
    (Compare(LR, Op.NE, "0.1"), "bcdefhi"),
    (Compare(LR, Op.GT, 1), "cd"),
    (Compare(LR, Op.LTE, 9), "abci"),
    (Compare(LR, Op.GT, "9"), "efh"),
    (Compare(LR, Op.IN, (10, 9.0)), "cd"),
    (Compare(LR, Op.NOT_IN, (10, 9.0)), "abi"),
    (Compare(LR, Op.NOT_IN, ("10", "9")), "abefhi"),
    (Compare(LR, Op.IN, ()), ""),
    (Compare(LR, Op.NOT_IN, ()), "abcdefhi"),
    (Compare(LR, Op.EXISTS, False), "g"),
    (Not(Compare(LR, Op.GT, 1)), "abefghi"),
    (Compare(LR, Op.LIKE, "h%"), "e"),
    (Compare(LR, Op.ILIKE, "h%"), "ef"),
    (Compare(LR, Op.LT, float("inf")), "abcdi"),
    (Compare(LR, Op.LT, float("nan")), ""),
    (Not(Compare(LR, Op.NE, float("nan"))), "abcdefghi"),
    (Compare(NAME, Op.LIKE, "%model_1%"), "b"),
    (Compare(NAME, Op.ILIKE, "model_1"), "abc"),
    (Compare(NAME, Op.ILIKE, "model\\_1"), "ab"),
    (Compare(NAME, Op.CONTAINS, "L_1"), "ab"),
    (Compare(NAME, Op.LIKE, "100\\%"), "d"),
    (Compare(NAME, Op.CONTAINS, "%"), "d"),
    (Compare(NAME, Op.ILIKE, "gr_sse"), "f"),
    (Compare(NAME, Op.CONTAINS, "GRÖ"), "f"),
    (Compare(NAME, Op.LT, "a"), "acdef"),
    (Compare(NAME, Op.REGEX, "^.odel"), "ab"),
    (Compare(NAME, Op.REGEX, "(?i)^model.1$"), "abc"),
    (Compare(NAME, Op.REGEX, "(?i)größe"), "eg"),
    (Compare(NAME, Op.REGEX, "^(model|größe)"), "bg"),
    (Compare(NAME, Op.REGEX, r"\d\d\d%$"), "d"),
    (Compare(NAME, Op.REGEX, ""), "abcdefg"),
    (Not(Compare(NAME, Op.REGEX, "(?s).*e.*_.*")), "cdefghi"),
    (Compare(LR, Op.REGEX, r"^\d+$"), "cd"),
    (Compare(LR, Op.REGEX, "(.*)*h(.*)*"), "ef"),
    (Compare(AttributeField(Attribute.STATUS), Op.REGEX, "ED$"), "abc"),
    (Not(Compare(NAME, Op.EQ, "Model_1")), "bcdefghi"),
    (Compare(LOSS, Op.LT, 1.5), "adg"),
    (Compare(LOSS, Op.GTE, 1.5), "cf"),
    (Compare(LOSS, Op.NE, 1.0), "cdf"),
    (Compare(LOSS, Op.EXISTS, True), "acdfg"),
    (Compare(LOSS, Op.EXISTS, False), "behi"),
    (Not(Compare(LOSS, Op.EXISTS, True)), "behi"),
    (Compare(LOSS, Op.IN, (1.0, float("inf"), float("nan"))), "acg"),
    (Compare(LOSS, Op.NOT_IN, (1.0, float("nan"))), ""),
    (Or((Compare(LOSS, Op.EQ, 1.5), Compare(LR, Op.EQ, 9))), "cf"),
    (And(()), "abcdefghi"),
    (Or(()), ""),
    (Not(And((Compare(LOSS, Op.EQ, 1), Compare(LR, Op.EXISTS, True)))), "bcdefghi"),
    (Compare(AttributeField(Attribute.STATUS_CLASS), Op.IN, ("TERMINAL", "PENDING")), "abc"),
    (Compare(AttributeField(Attribute.DURATION), Op.GTE, 2.5), "bc"),
    (Compare(MetricField("loss", Stat.COUNT), Op.EQ, 3), "abcdefg"),
    (Compare(MetricField("loss", Stat.MEAN), Op.EQ, 0.25), "abcdefg"),
]

SORTED: list[tuple[Order, str]] = [
    (Order(LR), "i-ab-c-d-f-e-h-g"),
    (Order(LR, descending=True), "h-e-f-d-c-ab-i-g"),
    (Order(LR, nulls_first=True), "g-i-ab-c-d-f-e-h"),
    (Order(LOSS), "d-ag-f-c-behi"),
    (Order(LOSS, descending=True), "c-f-ag-d-behi"),
    (Order(LOSS, descending=True, nulls_first=True), "behi-c-f-ag-d"),
    (Order(NAME), "d-f-e-c-a-g-b-hi"),
]

BAD: list[RunFilter] = [
    Compare(NAME, Op.EQ, 1),
    Compare(NAME, Op.IN, "text"),
    Compare(NAME, Op.EQ, ("a",)),
    Compare(NAME, Op.EXISTS, "yes"),
    Compare(LOSS, Op.EQ, "low"),
    Compare(LOSS, Op.LIKE, "1%"),
    Compare(LOSS, Op.EQ, True),
    Compare(LR, Op.LIKE, 5),
    Compare(LR, Op.ILIKE, "ends\\"),
    Compare(NAME, Op.REGEX, "a(?=b)"),
    Compare(LOSS, Op.REGEX, "1"),
    Child(Ancestor(Compare(NAME, Op.EQ, 1))),
    Compare(AttributeField(Attribute.CREATED_AT), Op.GT, "2026-01-01"),
    Not(And((Or((Compare(LOSS, Op.CONTAINS, "x"),)),))),
]


async def fill_lettered(store: Store) -> dict[str, str]:
    """Runs `a` to `i`; gives the letter of each run's id."""
    statuses = {"a": RunStatus.COMPLETED, "b": RunStatus.QUEUED, "c": RunStatus.FAILED}
    letters = {}
    for letter in "abcdefghi":
        rate = RATES[letter]
        run = a_run(
            letter,
            display_name=NAMES.get(letter),
            params={} if rate is None else {"lr": rate},
            status=statuses.get(letter, RunStatus.RUNNING),
            ended_at={"b": 3_500_000, "c": 9_000_000, "d": 3_499_999}.get(letter),
        )
        metrics = (
            [a_metric(run, "loss", last=LOSSES[letter], count=3, finite=2, total=0.5)]
            if letter in LOSSES
            else []
        )
        await fill(store, [Sample(run, tuple(metrics))])
        letters[run.id] = letter
    return letters


class Meanings:
    """`opener` is the function of tests/store/opening.py that opens the store at a path."""

    __test__ = False
    opener: str

    async def test_what_conditions_and_orders_mean(self, tmp_path: Path) -> None:
        store = await Place(f"tests.store.opening:{self.opener}", str(tmp_path / "store")).open()
        letters = await fill_lettered(store)
        for where, expected in MEANINGS:
            assert all(await store.explain_runs(where, [Order(NAME)], first=4)), where
            found = {letters[run.id] for run in await page_through(store, where, [], 4)}
            assert "".join(sorted(found)) == expected, where
            assert await store.count_runs(where) == len(expected), where
        for order, text_of_groups in SORTED:
            groups = text_of_groups.split("-")
            # Equals come in the order of their ids.
            ids_of = {letter: id for id, letter in letters.items()}
            wanted = [letter for group in groups for letter in sorted(group, key=lambda one: ids_of[one])]
            for size in (1, 2, 20):
                found_in_order = [letters[run.id] for run in await page_through(store, None, [order], size)]
                assert found_in_order == wanted, order
        await store.close()

    async def test_what_does_not_fit_is_refused(self, tmp_path: Path) -> None:
        store = await Place(f"tests.store.opening:{self.opener}", str(tmp_path / "store")).open()
        await fill_lettered(store)
        for where in BAD:
            for asking in (
                store.find_runs(where, [], first=1),
                store.count_runs(where),
                store.count_statuses(where),
            ):
                with pytest.raises(InvalidInput) as caught:
                    await asking
                assert caught.value.field
        for order, values in (
            ([], (1,)),
            ([Order(NAME)], ()),
            ([Order(NAME)], (1,)),
            ([Order(LOSS)], ("x",)),
            ([Order(LOSS)], (True,)),
            ([Order(LOSS)], (float("nan"),)),
        ):
            with pytest.raises(InvalidInput) as caught:
                await store.find_runs(None, order, after=Key(values, "run_x"), first=1)
            assert caught.value.field == "after"
        await store.close()

    async def test_aliases_and_identities(self, tmp_path: Path) -> None:
        store = await Place(f"tests.store.opening:{self.opener}", str(tmp_path / "store")).open()
        principal = a_run("principal", identities=("slurm:a/1", "slurm:1"))
        alias = a_run("alias", identities=("slurm:1", "x:$.y"), alias_of=principal.id)
        other = a_run("other", tags={"slurm:1": ""}, trashed_at=1)
        await fill(store, [Sample(run) for run in (principal, alias, other)])
        of = AttributeField(Attribute.ALIAS_OF)
        in_trash = Compare(AttributeField(Attribute.TRASHED_AT), Op.EXISTS, True)

        async def finds(where: RunFilter, expected: str) -> None:
            found = await store.find_runs(where, [Order(AttributeField(Attribute.RUN_ID))], first=10)
            assert " ".join(one.run.run_id for one in found) == expected, where
            assert await store.count_runs(where) == len(expected.split()), where
            assert sum((await store.count_statuses(where)).values()) == len(expected.split()), where

        await finds(Compare(of, Op.EXISTS, True), "alias")
        await finds(Compare(of, Op.EXISTS, False), "other principal")
        await finds(Not(Compare(of, Op.EXISTS, False)), "alias")
        await finds(And((Compare(of, Op.EXISTS, False), Not(in_trash))), "principal")
        await finds(Compare(of, Op.EQ, principal.id), "alias")
        await finds(Compare(of, Op.NE, "run_x"), "alias")
        await finds(Compare(of, Op.IN, ("run_x", principal.id)), "alias")
        await finds(Compare(BagField(Bag.IDENTITY, "slurm:1"), Op.EXISTS, True), "alias principal")
        await finds(Compare(BagField(Bag.IDENTITY, "x:$.y"), Op.EXISTS, True), "alias")
        await finds(Compare(BagField(Bag.IDENTITY, "slurm:1"), Op.EXISTS, False), "other")
        await finds(Compare(BagField(Bag.IDENTITY, "slurm:a"), Op.EXISTS, True), "")
        # On its own again, and with an identity more.
        [end] = await store.ends([journal_of(alias.root)])
        freed = replace(alias, alias_of=None, identities=(*alias.identities, "z:9"))
        await store.commit(Batch(alias.root, entry(end, alias.id), replaces=(freed,)))
        await finds(Compare(of, Op.EXISTS, False), "alias other principal")
        await finds(Compare(BagField(Bag.IDENTITY, "z:9"), Op.EXISTS, True), "alias")
        await store.close()

    async def test_runs_below_a_run(self, tmp_path: Path) -> None:
        store = await Place(f"tests.store.opening:{self.opener}", str(tmp_path / "store")).open()
        root = a_run("root")
        child, other = (a_run(name, root=root.id, parent=root.id, depth=1) for name in ("child", "other"))
        grandchild = a_run("grandchild", root=root.id, parent=child.id, depth=2)
        await fill(store, [Sample(run) for run in (root, child, other, grandchild, a_run("else"))])
        for where, expected in (
            (Under(root.id, root.id), [child, other, grandchild]),
            (Under(child.id, root.id), [grandchild]),
            (Under(grandchild.id, root.id), []),
            (Under(child.id, a_run("else").id), []),
            (Not(Under(child.id, root.id)), [root, child, other, a_run("else")]),
        ):
            found = await store.find_runs(where, [], first=10)
            assert {one.run.run_id for one in found} == {run.run_id for run in expected}, where
        await store.close()

    async def test_runs_by_their_children_and_those_above(self, tmp_path: Path) -> None:
        store = await Place(f"tests.store.opening:{self.opener}", str(tmp_path / "store")).open()
        root = a_run("root", params={"lr": "1"})
        below: dict[str, Any] = {"root": root.id, "depth": 1, "parent": root.id}
        child, other = a_run("child", display_name="x", **below), a_run("other", **below)
        grandchild = a_run("grandchild", **below | {"parent": child.id, "depth": 2})
        loss = a_metric(grandchild, "loss", last=0.5)
        samples = [
            Sample(root),
            Sample(child),
            Sample(other),
            Sample(grandchild, (loss,)),
            Sample(a_run("else")),
        ]
        await fill(store, samples)
        low = Compare(LOSS, Op.LT, 1)
        for where, expected in (
            (Child(And(())), "child root"),
            (Child(low), "child"),
            (Child(Child(low)), "root"),
            (Child(Not(low)), "root"),
            (And((Child(low), Child(low))), "child"),
            (Not(Child(And(()))), "else grandchild other"),
            (Ancestor(And(())), "child grandchild other"),
            (Ancestor(Compare(LR, Op.EQ, 1)), "child grandchild other"),
            (Ancestor(Compare(NAME, Op.EQ, "x")), "grandchild"),
            (Ancestor(Or((Compare(NAME, Op.EQ, "x"), low))), "grandchild"),
            (Ancestor(Child(low)), "grandchild"),
            (Child(Ancestor(Compare(LR, Op.GT, 0))), "child root"),
            (Ancestor(low), ""),
        ):
            for order in ([], [Order(AttributeField(Attribute.RUN_ID))]):
                found = await store.find_runs(where, order, first=10)
                assert " ".join(sorted(one.run.run_id for one in found)) == expected, where
            assert await store.count_runs(where) == len(expected.split()), where
        await store.close()

    async def test_a_run_is_stale_when_signs_of_life_are_overdue(self, tmp_path: Path) -> None:
        store = await Place(f"tests.store.opening:{self.opener}", str(tmp_path / "store")).open()
        announced: dict[str, Any] = {
            "heartbeat_seconds": 0.5,
            "created_at": 1_000_000,
            "status_at": 2_000_000,
        }
        await fill(store, [Sample(a_run("still", **announced))])
        await fill(store, [Sample(a_run("beats", heartbeat_at=9_000_000, **announced))])
        await fill(store, [Sample(a_run("ended", **announced | {"status": RunStatus.FAILED}))])
        await fill(store, [Sample(a_run("silent"))])
        for now, expected in ((3_500_000, ""), (3_500_001, "still"), (10_500_001, "beats still")):
            stale = Compare(AttributeField(Attribute.STALE_AT), Op.LT, now)
            found = await store.find_runs(stale, [], first=10)
            assert " ".join(sorted(one.run.run_id for one in found)) == expected
            assert await store.count_runs(Not(stale)) == 4 - len(found)
        await store.close()
