"""Calibrated logits: nearer to how often, in the same order, and in the file as in torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from autocompress.artefact.export import parity
from autocompress.compress.calibration import WEAKEST, Way, fitted
from autocompress.measure.quality import quality
from autocompress.models.recommender import Calibration, calibrated
from tests.contracts.small_model import Exporter, new_inputs, new_model, scores_of

WAYS: tuple[Way, ...] = ("platt", "isotonic")


def drawn(factor: float, shift: float, rows: int = 40_000) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are off by just that, and labels."""
    draw = np.random.default_rng(0)
    true = draw.normal(-1.0, 1.5, (rows, 2)).astype(np.float32)
    labels = (draw.random((rows, 2)) < 1 / (1 + np.exp(-true))).astype(np.uint8)
    return (true - shift) / factor, labels


def through(calibration: Calibration | None, logits: np.ndarray) -> np.ndarray:
    """The logits after it."""
    assert calibration is not None
    found: np.ndarray = calibrated(torch.from_numpy(logits), calibration).numpy()
    return found


def errors(logits: np.ndarray, labels: np.ndarray) -> float:
    """Calibration error of the first task."""
    scores = 1 / (1 + np.exp(-logits))
    return quality(scores.astype(np.float32), labels, ("a", "b"))["a"]["calibration_error"]


@pytest.mark.parametrize(("factor", "shift"), [(1.0, 0.0), (0.5, -1.0), (2.0, 0.7)])
def test_what_was_off_is_found(factor: float, shift: float) -> None:
    found = fitted("platt", *drawn(factor, shift))
    assert found is not None
    assert found.factors == pytest.approx([factor] * 2, rel=0.05)
    assert found.shifts == pytest.approx([shift] * 2, abs=0.05)


@pytest.mark.parametrize("way", WAYS)
def test_the_calibration_error_falls_and_the_order_stays(way: Way) -> None:
    logits, labels = drawn(0.4, -0.8)
    after = through(fitted(way, logits, labels), logits)
    assert errors(after, labels) < errors(logits, labels) / 5
    aucs = [roc_auc_score(labels[:, 0], scores[:, 0]) for scores in (logits, after)]
    assert aucs[0] == pytest.approx(aucs[1], abs=1e-6)


def test_a_curve_that_two_numbers_cannot_straighten_is_straightened_by_pieces() -> None:
    logits, labels = drawn(1.0, 0.0)
    bent = np.where(logits > -1.0, logits, 4 * logits + 3).astype(np.float32)
    by_way = {way: errors(through(fitted(way, bent, labels), bent), labels) for way in WAYS}
    assert by_way["isotonic"] < by_way["platt"] / 2


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(3, 400), st.sampled_from(WAYS), st.booleans())
def test_it_rises_whatever_the_rows_are(seed: int, rows: int, way: Way, rounded: bool) -> None:
    draw = np.random.default_rng(seed)
    logits = draw.normal(0, 3, (rows, 1)).astype(np.float32)
    if rounded:
        logits = logits.round()
    found = fitted(way, logits, draw.integers(0, 2, (rows, 1)).astype(np.uint8))
    line = through(found, np.linspace(-20, 20, 801, dtype=np.float32)[:, None])[:, 0]
    assert np.isfinite(line).all()
    assert (np.diff(line) > 0).all()


@pytest.mark.parametrize("way", WAYS)
def test_a_task_of_one_label_stays_and_one_that_tells_nothing_is_not_turned_around(way: Way) -> None:
    logits, labels = drawn(1.0, 0.0)
    labels[:, 0], labels[:, 1] = 0, 1 - labels[:, 1]
    found = fitted(way, logits, labels)
    assert found is not None
    assert (found.factors[0], found.shifts[0]) == (1.0, 0.0)
    assert not any(found.bends[0])
    assert found.factors[1] == WEAKEST
    assert (np.diff(np.sort(through(found, logits)[:, 1])) >= 0).all()


@pytest.mark.parametrize("bends", [(), ((0.5, -0.6), (0.0, 1.5))], ids=["straight", "bent"])
def test_the_file_holds_it(bends: tuple[tuple[float, ...], ...], tmp_path: Path) -> None:
    model = new_model()
    before = scores_of(model, new_inputs(model))
    model.calibration = Calibration((0.5, 2.0), (-1.0, 0.3), ((-0.2, 0.1), (0.0, -0.1)) if bends else (), bends)
    assert np.abs(scores_of(model, new_inputs(model)) - before).max() > 0.05
    assert parity(model, Exporter(tmp_path / "cache", tmp_path)(model), new_inputs(model, 300)) <= 1e-5
