"""Children of plans stay in the space and near their parents."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from autocompress.search.variation import active, crossed, from_unit, mutated, to_unit

SPACE: dict[str, BaseDistribution] = {
    "rows.keep": FloatDistribution(0.02, 1.0, log=True),
    "channels.when": CategoricalDistribution([True, False]),
    "channels.ratio": FloatDistribution(0.1, 0.5, step=0.1),
    "low_rank.rank": IntDistribution(4, 64, log=True),
    "quantize_tables.bits": CategoricalDistribution([2, 4, 8]),
}
ON = {"rows.keep": 1.0, "channels.when": True, "channels.ratio": 0.5, "low_rank.rank": 64, "quantize_tables.bits": 2}


@given(st.integers(0, 10_000))
def test_what_is_drawn_or_mutated_is_in_the_space_and_comes_back_from_its_place(seed: int) -> None:
    draw = np.random.default_rng(seed)
    first = mutated({}, SPACE, draw, rate=0.0)
    for plan in (first, mutated(first, SPACE, draw, rate=0.3), mutated({"gone.away": 1}, SPACE, draw, rate=1.0)):
        assert set(plan) == set(SPACE)
        for name, value in plan.items():
            each = SPACE[name]
            assert each._contains(each.to_internal_repr(value))
            if not isinstance(each, CategoricalDistribution):
                assert from_unit(each, to_unit(each, value)) == pytest.approx(value)


def test_a_mutation_moves_something_and_keeps_most() -> None:
    draw = np.random.default_rng(0)
    children = [mutated(ON, SPACE, draw, rate=0.0) for _ in range(50)]
    changes = [sum(child[name] != ON[name] for name in SPACE) for child in children]
    assert max(changes) == 1
    assert sum(changes) > 15


def test_a_child_of_two_has_each_parameter_from_either_and_none_that_only_the_other_has() -> None:
    one, other = {"a": 0, "b": 0, "c": 0}, {"a": 1, "b": 1, "d": 1}
    children = [crossed(one, other, np.random.default_rng(seed)) for seed in range(40)]
    assert {tuple(child) for child in children} == {("a", "b", "c")}
    assert {(child["a"], child["b"]) for child in children} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert {child["c"] for child in children} == {0}


def test_knobs_of_a_method_that_is_left_out_are_not_active() -> None:
    assert set(active({**ON, "channels.when": False})) == set(ON) - {"channels.ratio"}
    assert active(ON) == ON
