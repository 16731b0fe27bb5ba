"""Dominance, the front, its volume, and which trials go on."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocompress.search.objectives import (
    REFERENCE_QUALITY,
    TIES,
    Vector,
    boxes,
    crowding,
    dominates,
    front,
    hypervolume,
    survives,
    vector,
    volume,
    volumes_added,
)

TEACHER_BYTES = 1_000_000
vectors = st.builds(
    vector,
    quality=st.floats(-0.03, 0.01),
    model_bytes=st.integers(1_000, 2 * TEACHER_BYTES),
    speedup=st.floats(0.5, 20.0),
)
# a few values each, so that ties and dominance are common
coarse = st.builds(
    vector,
    quality=st.sampled_from([-0.01, -0.005, -0.0049, 0.0]),
    model_bytes=st.sampled_from([10_000, 10_040, 20_000, 100_000]),
    speedup=st.sampled_from([1.0, 1.02, 2.0, 5.0]),
)
many = st.lists(vectors | coarse, max_size=30)


def test_a_vector_is_better_where_every_number_is_smaller() -> None:
    worse, better = vector(-0.01, 2_000, 2.0), vector(0.0, 1_000, 4.0)
    assert all(new < old for new, old in zip(better, worse, strict=True))
    assert worse == pytest.approx((0.01, math.log10(2_000), -math.log10(2.0)))


@given(coarse, coarse, coarse)
def test_dominance_is_transitive(one: Vector, two: Vector, three: Vector) -> None:
    if dominates(one, two) and dominates(two, three):
        assert dominates(one, three)


@given(vectors | coarse, vectors | coarse)
def test_nothing_dominates_itself_and_no_two_dominate_each_other(one: Vector, two: Vector) -> None:
    assert not dominates(one, one)
    assert not (dominates(one, two) and dominates(two, one))


@given(vectors, st.tuples(*[st.floats(1.01, 100.0) for _ in TIES]))
def test_better_by_more_than_a_tie_in_everything_dominates(one: Vector, steps: tuple[float, ...]) -> None:
    better = tuple(value - step * tie for value, step, tie in zip(one, steps, TIES, strict=True))
    assert dominates((better[0], better[1], better[2]), one)


@pytest.mark.parametrize("objective", range(3))
def test_a_difference_within_a_tie_of_the_same_box_does_not_dominate(objective: int) -> None:
    centre = [float(np.round(value / tie) * tie) for value, tie in zip(vector(0.0, 50_000, 2.0), TIES, strict=True)]
    better = list(centre)
    better[objective] -= 0.4 * TIES[objective]
    assert boxes([(better[0], better[1], better[2])]).tolist() == boxes([(centre[0], centre[1], centre[2])]).tolist()
    assert not dominates((better[0], better[1], better[2]), (centre[0], centre[1], centre[2]))


@given(many)
def test_members_of_the_front_never_dominate_each_other(points: list[Vector]) -> None:
    members = [points[index] for index in front(points)]
    for one, two in combinations(members, 2):
        assert not dominates(one, two)
        assert not dominates(two, one)


@given(many)
def test_whatever_is_not_on_the_front_is_dominated_by_or_tied_with_a_member(points: list[Vector]) -> None:
    members = front(points)
    assert len(members) == len(set(members))
    assert bool(members) == bool(points)
    for index in set(range(len(points))) - set(members):
        assert any(
            dominates(points[member], points[index]) or (boxes([points[member]]) == boxes([points[index]])).all()
            for member in members
        )


@given(many)
def test_the_front_holds_one_of_each_tie_the_one_of_best_quality_by_rising_bytes(points: list[Vector]) -> None:
    members = front(points)
    assert [points[index][1] for index in members] == sorted(points[index][1] for index in members)
    grid = boxes(points)
    for member in members:
        tied = [index for index in range(len(points)) if (grid[index] == grid[member]).all()]
        assert points[member][0] == min(points[index][0] for index in tied)
        assert set(tied) & set(members) == {member}


@given(many)
def test_the_front_of_the_front_is_the_front(points: list[Vector]) -> None:
    members = [points[index] for index in front(points)]
    assert [members[index] for index in front(members)] == members


@given(many, vectors)
def test_hypervolume_never_shrinks_when_a_point_is_added(points: list[Vector], newcomer: Vector) -> None:
    before = hypervolume(points, TEACHER_BYTES)
    assert hypervolume([*points, newcomer], TEACHER_BYTES) >= before - 1e-12
    assert before >= 0


def test_hypervolume_of_one_point_is_its_box_to_the_reference() -> None:
    point = vector(-0.005, TEACHER_BYTES // 100, 10.0)
    expected = (-0.005 - REFERENCE_QUALITY) * 2.0 * 1.0
    assert hypervolume([point], TEACHER_BYTES) == pytest.approx(expected)


@pytest.mark.parametrize(
    "outside",
    [
        vector(REFERENCE_QUALITY, 1_000, 10.0),
        vector(0.0, TEACHER_BYTES, 10.0),
        vector(0.0, 1_000, 0.9),
    ],
)
def test_a_point_outside_the_reference_adds_nothing(outside: Vector) -> None:
    point = vector(-0.005, TEACHER_BYTES // 100, 10.0)
    assert hypervolume([outside], TEACHER_BYTES) == 0.0
    assert hypervolume([point, outside], TEACHER_BYTES) == hypervolume([point], TEACHER_BYTES)
    assert hypervolume([], TEACHER_BYTES) == 0.0


@given(st.lists(vectors | coarse, max_size=24), vectors | coarse, st.integers(2, 5))
def test_nobody_is_stopped_before_eta_squared_trials_were_seen(others: list[Vector], mine: Vector, eta: int) -> None:
    if len(others) + 1 < eta**2:
        assert survives(mine, others, eta)


@given(st.lists(vectors, min_size=4, max_size=30), st.integers(2, 4))
def test_a_newcomer_that_dominates_everyone_goes_on(others: list[Vector], eta: int) -> None:
    best = (min(v[0] for v in others) - 0.01, min(v[1] for v in others) - 1.0, min(v[2] for v in others) - 1.0)
    assert survives(best, others, eta)


@given(st.lists(vectors, min_size=8, max_size=30), st.integers(2, 4))
def test_a_newcomer_that_everyone_dominates_stops(others: list[Vector], eta: int) -> None:
    worst = (max(v[0] for v in others) + 0.01, max(v[1] for v in others) + 1.0, max(v[2] for v in others) + 1.0)
    if len(others) + 1 >= eta**2:
        assert not survives(worst, others, eta)


@given(st.lists(vectors | coarse, min_size=3, max_size=30), vectors | coarse, st.integers(2, 4))
def test_going_on_means_that_fewer_than_one_in_eta_are_of_better_rank(
    others: list[Vector], mine: Vector, eta: int
) -> None:
    """Rank is counted here by peeling fronts, one at a time."""
    seen = [*others, mine]
    if len(seen) < eta**2:
        return
    ahead, left = 0, list(range(len(seen)))
    while True:
        layer = [i for i in left if not any(dominates(seen[j], seen[i]) for j in left)]
        if len(seen) - 1 in layer:
            break
        ahead += len(layer)
        left = [i for i in left if i not in layer]
    allowed = math.ceil(len(seen) / eta)
    if ahead >= allowed:
        assert not survives(mine, others, eta)
    elif ahead + len(layer) <= allowed:
        assert survives(mine, others, eta)


def test_ties_of_rank_are_broken_for_the_lonelier_trial() -> None:
    line = [vector(-0.001 * n, 100_000 // (n + 1) ** 2, 1.0 + n) for n in (0, 1, 2, 3, 6, 7, 8)]
    crowded = vector(-0.0015, 100_000 // 6, 2.4)
    lonely = vector(-0.0045, 100_000 // 30, 5.5)
    assert len(front([*line, crowded])) == len(front([*line, lonely])) == 8
    assert survives(lonely, line, 2)
    assert not survives(crowded, line, 2)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12, unique=True))
def test_crowding_is_infinite_at_the_ends_and_never_negative(points: list[tuple[int, int]]) -> None:
    grid = np.array(points, dtype=np.float64)
    found = crowding(grid)
    assert (found >= 0).all()
    for column in grid.T:
        # an objective in which all are equal tells nobody apart
        ends = column.min() < column.max()
        assert np.isinf(found[column == column.min()]).any() or not ends
        assert np.isinf(found[column == column.max()]).any() or not ends


def test_an_objective_in_which_all_are_equal_makes_nobody_lonely() -> None:
    line = np.array([[0.0, 4.0, 7.0], [1.0, 3.0, 7.0], [1.5, 2.5, 7.0], [2.0, 1.0, 7.0], [4.0, 0.0, 7.0]])
    order = np.array([1, 0, 4, 3, 2])
    assert np.isfinite(crowding(line[order])[[0, 3, 4]]).all()


def test_crowding_is_the_share_of_each_objective_between_the_neighbours() -> None:
    grid = np.array([[0.0, 4.0], [1.0, 3.0], [2.0, 1.0], [4.0, 0.0]])
    assert crowding(grid).tolist() == [math.inf, 2 / 4 + 3 / 4, 3 / 4 + 3 / 4, math.inf]


@given(
    st.lists(st.tuples(*[st.integers(0, 9)] * 3), max_size=6), st.lists(st.tuples(*[st.integers(0, 9)] * 3), max_size=4)
)
def test_what_a_vector_adds_is_the_volume_with_it_less_that_without(
    members: list[tuple[int, int, int]], vectors: list[tuple[int, int, int]]
) -> None:
    reference = np.full(3, 7.0)
    added = volumes_added(np.array(vectors, dtype=np.float64).reshape(-1, 3), members, reference)
    whole = volume(members, reference)
    assert added.tolist() == pytest.approx([volume([*members, each], reference) - whole for each in vectors])
