"""Splits: disjoint, complete, and decided by a row's own key."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocompress.data.split import (
    NONE,
    TEST,
    TRAIN,
    VALID,
    AtRandom,
    ByColumn,
    ByGroup,
    ByTime,
    InOrder,
    assign,
    key_column,
)
from autocompress.errors import UserError

SHARES = st.tuples(st.floats(0.1, 0.4), st.floats(0.1, 0.4))
keys = st.integers(0, 99).map(lambda seed: np.random.default_rng(seed).integers(0, 400, 600).tolist())


def everything(rows: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.ones(rows, dtype=bool)


@given(keys, SHARES, st.integers(0, 9))
def test_every_kept_row_is_in_one_split_and_no_other_row_in_any(
    times: list[int], shares: tuple[float, float], seed: int
) -> None:
    keep = np.random.default_rng(seed).random(len(times)) < 0.9
    key = pl.Series(times)
    for splitting in (
        ByTime(valid=shares[0], test=shares[1]),
        InOrder(valid=shares[0], test=shares[1]),
        AtRandom(valid=shares[0], test=shares[1], seed=seed),
        ByGroup(column="user", valid=shares[0], test=shares[1], seed=seed),
    ):
        codes = assign(splitting, key, keep)
        assert set(codes[keep].tolist()) == {TRAIN, VALID, TEST}
        assert set(codes[~keep].tolist()) <= {NONE}


@given(keys, SHARES)
def test_a_later_row_is_never_in_an_earlier_split(times: list[int], shares: tuple[float, float]) -> None:
    codes = assign(ByTime(valid=shares[0], test=shares[1]), pl.Series(times), everything(len(times)))
    by_time = [set(codes[np.array(times) == time].tolist()) for time in sorted(set(times))]
    assert all(len(found) == 1 for found in by_time)
    order = [found.pop() for found in by_time]
    assert order == sorted(order)


@given(keys, st.integers(0, 9))
def test_a_group_is_never_on_both_sides_and_its_side_is_its_own(users: list[int], seed: int) -> None:
    splitting = ByGroup(column="user", valid=0.3, test=0.3, seed=seed)
    codes = assign(splitting, pl.Series(users), everything(len(users)))
    side = dict(zip(users, codes.tolist(), strict=True))
    assert [side[user] for user in users] == codes.tolist()
    order = np.random.default_rng(seed).permutation(len(users))
    again = assign(splitting, pl.Series(users)[order.tolist()], everything(len(users)))
    np.testing.assert_array_equal(again, codes[order])


def test_shares_are_about_those_that_were_asked_for() -> None:
    rows = 20_000
    for splitting in (AtRandom(valid=0.2, test=0.1), InOrder(valid=0.2, test=0.1)):
        counts = np.bincount(assign(splitting, None, everything(rows))) / rows
        np.testing.assert_allclose(counts, [0.7, 0.2, 0.1], atol=0.01)


def test_rows_without_a_time_or_with_another_value_are_left_out() -> None:
    times = pl.Series([1.0, float("nan"), 2.0, 3.0, 4.0])
    assert assign(ByTime(valid=0.25, test=0.25), times, everything(5)).tolist() == [TRAIN, NONE, TRAIN, VALID, TEST]
    parts = pl.Series(["a", None, "b", "c", "d"])
    splitting = ByColumn(column="part", train=("a",), valid=("b",), test=("c",))
    assert assign(splitting, parts, everything(5)).tolist() == [TRAIN, NONE, VALID, TEST, NONE]


def test_an_empty_split_is_named() -> None:
    with pytest.raises(UserError, match="the valid split is empty"):
        assign(ByColumn(column="part"), pl.Series(["train", "test"]), everything(2))


def test_a_split_by_time_needs_a_time() -> None:
    with pytest.raises(UserError, match=r"data\.split\.by=time needs a time column"):
        key_column(ByTime(), None)
    assert key_column(ByTime(), "day") == "day"
    assert key_column(AtRandom(), "day") is None


@pytest.mark.parametrize("shares", [{"valid": 0.6, "test": 0.4}, {"valid": 0.0}, {"test": 1.0}])
@pytest.mark.parametrize("kind", [ByTime, InOrder, AtRandom])
def test_shares_that_leave_a_split_empty_are_refused(kind: type[ByTime], shares: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"valid|test"):
        kind.model_validate(shares)
