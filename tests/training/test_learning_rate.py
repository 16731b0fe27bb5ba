"""Learning rates: up, level, down, and lower after an epoch that brought nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from autocompress.compress.plan import Recovery
from autocompress.data.cleaning import Cleaning
from autocompress.data.sources.ads_simulator import AdsSimulator
from autocompress.data.store import prepare
from autocompress.models.dcnv2 import DCNv2Shape
from autocompress.models.recommender import build
from autocompress.training.fit import FRESH, fit
from autocompress.training.learning_rate import rate_factor


def test_rates_rise_over_the_warm_up_stay_and_fall_over_the_last_half() -> None:
    factors = [rate_factor(step, 100, 0.1) for step in range(100)]
    assert factors[:10] == pytest.approx(np.arange(1, 11) / 10)
    assert set(factors[10:51]) == {1.0}
    assert factors[50:] == pytest.approx(np.arange(50, 0, -1) / 50)


def test_without_a_warm_up_the_first_step_is_a_whole_one() -> None:
    assert rate_factor(0, 100, 0.0) == 1.0


def test_a_training_without_a_step_has_no_rate() -> None:
    assert rate_factor(0, 0, 0.5) == 0.0


@pytest.mark.parametrize("warm_up", [0.3, 0.9])
def test_a_warm_up_never_lifts_a_rate_above_what_is_set(warm_up: float) -> None:
    factors = [rate_factor(step, 50, warm_up) for step in range(50)]
    assert max(factors) <= 1.0
    assert min(factors) > 0.0


def test_after_a_plateau_both_rates_are_lower(tmp_path: Path) -> None:
    dataset = prepare(AdsSimulator(rows=3000), Cleaning(), tmp_path)
    moved = {}
    for factor in (1.0, 1e-9):
        torch.manual_seed(0)
        shape = DCNv2Shape(embedding_dim=4, cross_layers=1, tower=(8,))
        model = build(shape, dataset.schema, dataset.encoder.rows)
        after: list[dict[str, torch.Tensor]] = []
        fit(
            model,
            dataset,
            Recovery(epochs=2, batch_size=256),
            taught=None,
            seed=0,
            accumulator=FRESH,
            on_epoch_end=lambda _, __, model=model, after=after: after.append(  # type: ignore[misc]
                {name: value.clone() for name, value in model.state_dict().items()}
            ),
            slowed=lambda factor=factor: factor,  # type: ignore[misc]
        )
        moved[factor] = max(float((after[1][name] - after[0][name]).abs().max()) for name in after[0])
    assert moved[1.0] > 1e-3
    assert moved[1e-9] < 1e-6
