"""Which members of a front deserve another seed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autocompress.compress.plan import Recovery
from autocompress.search.last_mile import Seen, survivors, whole_log

SMALL, LARGE = 4.0, 5.0


def test_until_anybody_was_trained_twice_nobody_is_given_up() -> None:
    assert survivors({1: Seen(SMALL, 0.0, (0.0,)), 2: Seen(SMALL, 0.0, (-0.5,))}) == [1, 2]
    assert survivors({}) == []


def test_who_is_surely_worse_and_no_smaller_is_given_up() -> None:
    good, bad = (0.0, 0.0001, -0.0001), (-0.01, -0.0101, -0.0099)
    assert survivors({1: Seen(SMALL, 0.0, good), 2: Seen(LARGE, 0.0, bad)}) == [1]


def test_who_is_worse_but_smaller_or_faster_stays() -> None:
    good, bad = (0.0, 0.0001, -0.0001), (-0.01, -0.0101, -0.0099)
    assert survivors({1: Seen(LARGE, 0.0, good), 2: Seen(SMALL, 0.0, bad)}) == [1, 2]
    assert survivors({1: Seen(SMALL, 0.0, good), 2: Seen(SMALL, -0.3, bad)}) == [1, 2]


def test_who_has_not_been_trained_on_the_whole_log_is_not_given_up() -> None:
    good, bad = (0.0, 0.0001, -0.0001), (-0.01, -0.0101, -0.0099)
    seen = {1: Seen(SMALL, 0.0, good), 2: Seen(LARGE, 0.0, ()), 3: Seen(LARGE, 0.0, bad)}
    assert survivors(seen) == [1, 2]


def test_a_difference_inside_the_noise_decides_nothing() -> None:
    noisy = {1: Seen(SMALL, 0.0, (0.0, 0.004)), 2: Seen(SMALL, 0.0, (-0.001, 0.001))}
    assert survivors(noisy) == [1, 2]


qualities = st.lists(st.floats(-0.02, 0.02), min_size=1, max_size=5).map(tuple)


@given(st.dictionaries(st.integers(0, 20), st.builds(Seen, st.floats(3, 6), st.floats(-1, 0), qualities), max_size=8))
def test_the_best_of_all_is_never_given_up(seen: dict[int, Seen]) -> None:
    alive = survivors(seen)
    assert set(alive) <= set(seen)
    if seen:
        means = {number: sum(each.qualities) / len(each.qualities) for number, each in seen.items()}
        few = min(len(each.qualities) for each in seen.values())
        best = max(seen, key=lambda number: means[number])
        assert best in alive or len(seen[best].qualities) > few


def test_the_last_stage_sees_the_whole_log_as_often_as_it_saw_a_part() -> None:
    stages = [Recovery(data_share=0.1), Recovery(data_share=0.4, learning_rate=0.005)]
    first, last = whole_log(stages)
    assert first == stages[0]
    assert last == stages[1].model_copy(update={"data_share": 1.0})
    assert whole_log([Recovery(data_share=1.0, epochs=3)]) == [Recovery(data_share=1.0, epochs=3)]
