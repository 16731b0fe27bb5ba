"""Down-sampling of negatives: which rows go, and that sums over the rest keep their expectation."""

from __future__ import annotations

import numpy as np
import pytest

from autocompress.data.split import NONE, TEST, TRAIN, VALID
from autocompress.data.thinning import thin

ROWS = 60_000
DRAW = np.random.default_rng(0)
SPLIT = DRAW.choice([TRAIN, VALID, TEST], ROWS, p=[0.8, 0.1, 0.1]).astype(np.uint8)
LABELS = (DRAW.random((ROWS, 2)) < 0.1).astype(np.uint8)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_only_negative_training_rows_go_and_the_rest_stand_for_them(share: float) -> None:
    thinned, weights = thin(SPLIT, LABELS, share)
    assert weights is not None
    gone = thinned != SPLIT
    negative = LABELS.sum(axis=1) == 0
    assert set(thinned[gone].tolist()) == {NONE}
    assert (SPLIT[gone] == TRAIN).all()
    assert negative[gone].all()
    train = thinned == TRAIN
    np.testing.assert_allclose(gone.sum() / ((SPLIT == TRAIN) & negative).sum(), 1 - share, atol=0.01)
    np.testing.assert_allclose(weights[train].sum(), (SPLIT == TRAIN).sum(), rtol=0.01)
    rates = np.average(LABELS[train], axis=0, weights=weights[train])
    np.testing.assert_allclose(rates, LABELS[SPLIT == TRAIN].mean(axis=0), rtol=0.02)


def test_everything_stays_where_nothing_is_to_be_thinned() -> None:
    thinned, weights = thin(SPLIT, LABELS, 1.0)
    assert weights is None
    assert thinned is SPLIT
