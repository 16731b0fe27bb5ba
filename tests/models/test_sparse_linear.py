"""Which places of a sparse matrix are stored, and how they are found again."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autocompress.models.sparse_linear import FARTHEST, gaps_of


@given(st.lists(st.integers(0, 3000), max_size=20, unique=True))
def test_every_place_is_found_again_and_bridges_are_few(places: list[int]) -> None:
    there = np.zeros(3001, dtype=bool)
    there[places] = True
    gaps, stored = gaps_of(there)
    assert gaps.dtype == np.uint8
    np.testing.assert_array_equal(np.cumsum(gaps.astype(np.int64)), stored)
    assert set(places) <= set(stored.tolist())
    assert len(set(stored.tolist())) == len(stored)
    assert len(stored) - len(places) <= 3001 // FARTHEST


def test_nothing_is_stored_of_nothing() -> None:
    gaps, stored = gaps_of(np.zeros(10, dtype=bool))
    assert len(gaps) == len(stored) == 0
