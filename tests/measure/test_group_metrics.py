"""Metrics inside groups, against torchmetrics and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torchmetrics.retrieval import RetrievalHitRate, RetrievalNormalizedDCG, RetrievalRecall

from autocompress.measure.bootstrap import metric_replicates, resample, value_of
from autocompress.measure.group_metrics import FEW, numbered, per_group
from autocompress.measure.quality import FEW_GROUPS, MANY_GROUPS, METRICS, drop, quality


def log(rows: int, groups: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.int32]]:
    draw = np.random.default_rng(seed)
    labels = (draw.random(rows) < 0.3).astype(np.uint8)
    # a permutation: no two scores are equal
    scores = ((draw.permutation(rows) + (rows // 2 + 0.5) * labels) / (2 * rows)).astype(np.float32)
    return scores, labels, (7 * draw.integers(0, groups, rows) - 3).astype(np.int32)


@pytest.mark.parametrize("seed", range(3))
def test_rankings_are_torchmetrics(seed: int) -> None:
    scores, labels, groups = log(3_000, 90, seed)
    found = {name: each.mean()[0] for name, each in per_group(scores, labels, numbered(groups)[0]).items()}
    arguments = torch.from_numpy(scores), torch.from_numpy(labels.astype(np.int64))
    for name, metric in (
        ("ndcg@10", RetrievalNormalizedDCG(top_k=10, empty_target_action="skip")),
        ("recall@10", RetrievalRecall(top_k=10, empty_target_action="skip")),
        ("hit_rate@10", RetrievalHitRate(top_k=10, empty_target_action="skip")),
    ):
        wanted = metric(*arguments, indexes=torch.from_numpy(groups.astype(np.int64)))
        assert found[name] == pytest.approx(float(wanted), abs=1e-6)


@given(st.integers(1, 80), st.integers(1, 9), st.integers(0, 999), st.integers(1, 12))
def test_a_groups_auc_is_scikit_learns_and_counts_by_its_rows(rows: int, groups: int, seed: int, levels: int) -> None:
    scores, labels, of = log(rows, groups, seed)
    scores = np.round(scores * levels) / np.float32(levels)
    found, counts = [], []
    for group in np.unique(of):
        inside = of == group
        if 0 < labels[inside].sum() < inside.sum():
            found.append(roc_auc_score(labels[inside], scores[inside]))
            counts.append(inside.sum())
    each = per_group(scores, labels, numbered(of)[0])["group_auc"]
    assert each.values[each.counts > 0] == pytest.approx(found)
    if found:
        assert each.mean()[0] == pytest.approx(np.average(found, weights=counts))
    else:
        assert np.isnan(each.mean()[0])


def test_equal_scores_earn_nothing_from_the_order_of_the_log() -> None:
    labels = np.array([1, *[0] * 30], dtype=np.uint8)
    groups, equal = np.zeros(31, dtype=np.int32), np.full(31, 0.5, dtype=np.float32)
    assert value_of("ndcg@10", equal, labels, groups) == 0.0
    assert value_of("group_auc", equal, labels, groups) == 0.5


def test_a_log_in_which_no_group_has_a_label_of_1_scores_0() -> None:
    none, groups = np.zeros(4, dtype=np.uint8), np.array([0, 0, 1, 1], dtype=np.int32)
    scores = np.linspace(0, 1, 4, dtype=np.float32)
    assert {value_of(metric, scores, none, groups) for metric in MANY_GROUPS} == {0.0}  # type: ignore[arg-type]


@pytest.mark.parametrize(("groups", "wanted"), [(FEW, FEW_GROUPS), (FEW + 1, MANY_GROUPS)])
def test_few_groups_are_compared_and_many_are_ranked_inside(groups: int, wanted: tuple[str, ...]) -> None:
    scores, labels, of = log(4_000, groups, seed=1)
    (found,) = quality(scores[:, None], labels[:, None], ("click",), of).values()
    assert list(found) == [*METRICS, *wanted]
    replicates = metric_replicates(scores, labels, resample(len(scores), of, seed=5))
    assert set(replicates) == set(found)
    for name in wanted:
        low, high = np.percentile(replicates[name], [0.5, 99.5])
        # the gap of resampled groups is wider than their gap, as any range of noisier numbers
        assert low <= found[name] <= high or (name == "auc_gap" and found[name] <= high)


def test_a_wider_gap_is_a_loss() -> None:
    assert drop("auc_gap", 0.02, 0.05) == pytest.approx(0.03)
    assert drop("ndcg@10", 0.5, 0.4) == pytest.approx(0.1)
