"""Calibrated logits: nearer to how often, in the same order, and in the file as in torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from autocompress.artefact.export import parity
from autocompress.compress.calibration import WEAKEST, fitted
from autocompress.measure.quality import quality
from autocompress.models.recommender import Calibration
from tests.contracts.small_model import Exporter, new_inputs, new_model, scores_of


def drawn(factor: float, shift: float, rows: int = 40_000) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are off by just that, and labels."""
    draw = np.random.default_rng(0)
    true = draw.normal(-1.0, 1.5, (rows, 2)).astype(np.float32)
    labels = (draw.random((rows, 2)) < 1 / (1 + np.exp(-true))).astype(np.uint8)
    return (true - shift) / factor, labels


@pytest.mark.parametrize(("factor", "shift"), [(1.0, 0.0), (0.5, -1.0), (2.0, 0.7)])
def test_what_was_off_is_found(factor: float, shift: float) -> None:
    found = fitted(*drawn(factor, shift))
    assert found.factors == pytest.approx([factor] * 2, rel=0.05)
    assert found.shifts == pytest.approx([shift] * 2, abs=0.05)


def test_the_calibration_error_falls_and_the_order_stays() -> None:
    logits, labels = drawn(0.4, -0.8)
    calibration = fitted(logits, labels)
    before = 1 / (1 + np.exp(-logits))
    after = 1 / (1 + np.exp(-(logits * calibration.factors + calibration.shifts)))
    errors = [quality(s.astype(np.float32), labels, ("a", "b"))["a"]["calibration_error"] for s in (before, after)]
    assert errors[1] < errors[0] / 5
    aucs = [roc_auc_score(labels[:, 0], scores[:, 0]) for scores in (before, after)]
    assert aucs[0] == pytest.approx(aucs[1], abs=1e-9)


def test_a_task_of_one_label_stays_and_one_that_tells_nothing_is_not_turned_around() -> None:
    logits, labels = drawn(1.0, 0.0)
    labels[:, 0], labels[:, 1] = 0, 1 - labels[:, 1]
    found = fitted(logits, labels)
    assert (found.factors[0], found.shifts[0]) == (1.0, 0.0)
    assert found.factors[1] == WEAKEST


def test_the_file_holds_it(tmp_path: Path) -> None:
    model = new_model()
    before = scores_of(model, new_inputs(model))
    model.calibration = Calibration((0.5, 2.0), (-1.0, 0.3))
    assert np.abs(scores_of(model, new_inputs(model)) - before).max() > 0.05
    assert parity(model, Exporter(tmp_path / "cache", tmp_path)(model), new_inputs(model, 300)) <= 1e-5
