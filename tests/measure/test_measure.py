"""Numbers against the references that everybody trusts."""

from __future__ import annotations

import contextlib
import gc
import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics

from autocompress.artefact.runtime import open_session, score
from autocompress.data.inputs import Inputs
from autocompress.measure import machine as machine_module
from autocompress.measure.bootstrap import (
    BLOCK,
    Resampled,
    auc,
    auc_replicates,
    interval,
    interval_of,
    metric_replicates,
    weighted_sums,
    weights,
)
from autocompress.measure.latency import P99_RUNS, interleaved, percentiles, speedup
from autocompress.measure.machine import machine, machine_digest
from autocompress.measure.quality import METRICS, drop, log_loss, quality

Sample = tuple[NDArray[np.float32], NDArray[np.uint8]]


def sample(rows: int, seed: int, ties: int | None = None) -> Sample:
    """Scores of some skill, on a grid of `ties` values where there are any, and labels of both classes."""
    draw = np.random.default_rng(seed)
    labels = (draw.random(rows) < 0.3).astype(np.uint8)
    labels[:2] = 0, 1
    scores = 1 / (1 + np.exp(-draw.normal(labels - 0.5, 1.0)))
    return (np.round(scores * ties) / ties if ties else scores).astype(np.float32), labels


@given(st.integers(2, 300), st.integers(0, 999), st.sampled_from([None, 1, 3, 20]))
def test_auc_is_scikit_learns_ties_and_all(rows: int, seed: int, ties: int | None) -> None:
    scores, labels = sample(rows, seed, ties)
    assert auc(scores, labels) == pytest.approx(metrics.roc_auc_score(labels, scores), abs=1e-12)


@given(st.integers(2, 60), st.integers(0, 999), st.sampled_from([None, 4]))
def test_a_replicate_is_the_auc_of_the_rows_repeated(rows: int, seed: int, ties: int | None) -> None:
    scores, labels = sample(rows, seed, ties)
    drawn = weights(rows, seed, 4)
    drawn[:, :2] = 1
    for found, times in zip(auc_replicates(scores, labels, drawn), drawn, strict=True):
        repeated = metrics.roc_auc_score(np.repeat(labels, times), np.repeat(scores, times))
        assert found == pytest.approx(repeated, abs=1e-12)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_has_no_auc(label: int) -> None:
    assert np.isnan(auc(np.array([0.1, 0.9], dtype=np.float32), np.full(2, label, dtype=np.uint8)))


def test_weights_are_counts_of_mean_one_and_the_same_for_every_model() -> None:
    drawn = weights(1_000, seed=3)
    assert drawn.shape == (200, 1_000)
    assert drawn.dtype == np.uint8
    assert drawn.mean() == pytest.approx(1.0, abs=0.01)
    assert drawn.var() == pytest.approx(1.0, abs=0.02)
    np.testing.assert_array_equal(drawn, weights(1_000, seed=3))
    assert (drawn != weights(1_000, seed=4)).any()


def test_the_interval_covers_the_true_auc_about_as_often_as_it_says() -> None:
    """Normal scores a distance d apart have AUC Phi(d / sqrt 2): at d = 1, .7602."""
    covered = 0
    for seed in range(40):
        draw = np.random.default_rng(seed)
        labels = (np.arange(400) % 2).astype(np.uint8)
        scores = draw.normal(labels, 1.0).astype(np.float32)
        low, high = interval(auc_replicates(scores, labels, weights(400, seed, 100)))
        covered += low <= 0.7602 <= high
    assert covered >= 34


def test_a_paired_interval_holds_a_known_difference_and_is_the_narrower_one() -> None:
    scores, labels = sample(4_000, seed=1)
    noisy = scores + np.random.default_rng(2).normal(0, 0.05, len(scores)).astype(np.float32)
    drawn, other = weights(4_000, seed=5), weights(4_000, seed=6)
    paired = interval(auc_replicates(scores, labels, drawn) - auc_replicates(noisy, labels, drawn))
    unpaired = interval(auc_replicates(scores, labels, drawn) - auc_replicates(noisy, labels, other))
    assert paired[0] <= auc(scores, labels) - auc(noisy, labels) <= paired[1]
    assert paired[1] - paired[0] < 0.6 * (unpaired[1] - unpaired[0])


def test_equal_models_differ_by_nothing() -> None:
    scores, labels = sample(500, seed=1)
    replicates = auc_replicates(scores, labels, weights(500, seed=2))
    assert interval(replicates - auc_replicates(2 * scores, labels, weights(500, seed=2))) == (0.0, 0.0)


def calibration_error(scores: NDArray[np.float32], labels: NDArray[np.uint8]) -> float:
    """Scores of these samples lie on no edge of a bin but 0 and 1."""
    bins = np.minimum((scores.astype(np.float64) * 15).astype(int), 14)
    return float(sum(abs((labels - scores.astype(np.float64))[bins == each].sum()) for each in range(15)) / len(scores))


@pytest.mark.parametrize("seed", range(3))
def test_quality_is_scikit_learns(seed: int) -> None:
    columns = [sample(2_000, seed), sample(2_000, seed + 10, ties=50)]
    scores, labels = (np.stack(each, axis=1) for each in zip(*columns, strict=True))
    found = quality(scores, labels, ("click", "buy"))
    assert list(found) == ["click", "buy"]
    for task, (score_of, label) in zip(found.values(), columns, strict=True):
        hard = score_of > 0.5
        assert list(task) == list(METRICS)
        assert task == pytest.approx(
            {
                "auc": metrics.roc_auc_score(label, score_of),
                "log_loss": metrics.log_loss(label, score_of.astype(np.float64).clip(1e-7, 1 - 1e-7)),
                "accuracy": metrics.accuracy_score(label, hard),
                "precision": metrics.precision_score(label, hard),
                "recall": metrics.recall_score(label, hard),
                "f1": metrics.f1_score(label, hard),
                "calibration_error": calibration_error(score_of, label),
            },
            abs=1e-6,
        )


@given(st.integers(2, 200), st.integers(0, 999))
def test_log_loss_is_scikit_learns(rows: int, seed: int) -> None:
    scores, labels = sample(rows, seed)
    assert log_loss(scores, labels) == pytest.approx(metrics.log_loss(labels, scores.astype(np.float64)), rel=1e-9)


def test_a_certain_score_that_is_wrong_costs_much_but_not_everything() -> None:
    wrong = log_loss(np.array([0.0, 1.0], dtype=np.float32), np.array([1, 0], dtype=np.uint8))
    assert wrong == pytest.approx(-np.log(1e-7), rel=1e-3)
    assert log_loss(np.array([0.0, 1.0], dtype=np.float32), np.array([0, 1], dtype=np.uint8)) < 1e-6


@pytest.mark.parametrize("rows", [0, 1, 7, 8, 9])
def test_rows_are_scored_in_order_whatever_the_batch(rows: int, doubling: Path) -> None:
    ids = np.arange(2 * rows, dtype=np.int32).reshape(rows, 2)
    np.testing.assert_array_equal(score(open_session(doubling), Inputs(ids), batch_size=4), 2.0 * ids)


def test_sessions_take_turns_the_same_number_of_times(doubling: Path) -> None:
    ids = np.zeros((4, 2), dtype=np.int32)
    sessions = {name: (open_session(doubling), Inputs(ids)) for name in ("teacher", "student", "stock")}
    times = interleaved(sessions, 25, warmup=1)
    assert {name: len(each) for name, each in times.items()} == {"teacher": 25, "student": 25, "stock": 25}
    assert all(milliseconds > 0 for each in times.values() for milliseconds in each)
    assert gc.isenabled()


@pytest.mark.parametrize("in_a_row", [1, 4, 5])
def test_runs_in_a_row_are_as_many_in_all(in_a_row: int, doubling: Path) -> None:
    sessions = {name: (open_session(doubling), Inputs(np.zeros((1, 2), dtype=np.int32))) for name in ("a", "b")}
    times = interleaved(sessions, 20, warmup=0, in_a_row=in_a_row)
    assert [len(each) for each in times.values()] == [20, 20]


def test_time_that_is_up_ends_the_measurement_after_twenty_rounds(doubling: Path) -> None:
    sessions = {name: (open_session(doubling), Inputs(np.zeros((1, 2), dtype=np.int32))) for name in ("a", "b")}
    assert [len(each) for each in interleaved(sessions, 10_000, warmup=0, seconds=0.0).values()] == [20, 20]


def test_p99_is_told_only_where_there_are_runs_for_it() -> None:
    few, many = [float(n) for n in range(P99_RUNS - 1)], [float(n) for n in range(1, 1002)]
    assert percentiles(few)["p99"] is None
    assert percentiles(many) == pytest.approx({"p50": 501.0, "p95": 951.0, "p99": 991.0})


def test_a_speedup_is_a_ratio_of_medians() -> None:
    assert speedup([4.0, 4.0, 100.0], [1.0, 2.0, 2.0]) == 2.0


@given(st.integers(2, 60), st.integers(0, 999), st.sampled_from([None, 4]))
def test_a_replicate_of_every_metric_is_that_of_the_rows_repeated(rows: int, seed: int, ties: int | None) -> None:
    scores, labels = sample(rows, seed, ties)
    drawn = weights(rows, seed, 3)
    drawn[:, :2] = 1
    found = metric_replicates(scores, labels, Resampled(drawn))
    assert set(found) == set(METRICS)
    for index, times in enumerate(drawn):
        label, score_of = np.repeat(labels, times), np.repeat(scores, times)
        hard = score_of > 0.5
        assert {metric: values[index] for metric, values in found.items()} == pytest.approx(
            {
                "auc": metrics.roc_auc_score(label, score_of),
                "log_loss": metrics.log_loss(label, score_of.astype(np.float64).clip(1e-7, 1 - 1e-7)),
                "accuracy": metrics.accuracy_score(label, hard),
                "precision": metrics.precision_score(label, hard, zero_division=0),
                "recall": metrics.recall_score(label, hard),
                "f1": metrics.f1_score(label, hard),
                "calibration_error": calibration_error(score_of, label),
            },
            abs=1e-9,
        )


def test_sums_over_several_blocks_are_sums_over_all_rows() -> None:
    draw = np.random.default_rng(0)
    facts, drawn = draw.random((BLOCK + 5, 2)), weights(BLOCK + 5, seed=1, replicates=2)
    np.testing.assert_allclose(weighted_sums(facts, drawn), drawn.astype(np.float64) @ facts)


def test_a_drop_is_positive_where_something_is_lost_whichever_way_the_metric_goes() -> None:
    assert drop("auc", 0.8, 0.7) == pytest.approx(0.1)
    assert drop("log_loss", 0.4, 0.5) == pytest.approx(0.1)
    np.testing.assert_allclose(drop("log_loss", np.array([0.4]), np.array([0.3])), [-0.1])


class PinnedSession:
    """A session that notes on which cores its caller may run; it fails in its third run where it is told to."""

    def __init__(self, fails: bool = False) -> None:
        self.cores: list[set[int]] = []
        self._fails = fails

    def run(self, *_: object) -> None:
        self.cores.append(os.sched_getaffinity(0))
        if self._fails and len(self.cores) == 3:
            raise RuntimeError("the third run")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system pins no thread")
@pytest.mark.parametrize("fails", [False, True])
def test_every_run_is_on_one_core_and_the_thread_gets_its_cores_back(fails: bool) -> None:
    before, session = os.sched_getaffinity(0), PinnedSession(fails)
    with pytest.raises(RuntimeError, match="third") if fails else contextlib.nullcontext():
        interleaved({"file": (session, Inputs(np.zeros((1, 1), dtype=np.int32)))}, 20, warmup=1)
    assert {len(cores) for cores in session.cores} == {1}
    assert len(set.union(*session.cores)) == 1
    assert os.sched_getaffinity(0) == before
    assert gc.isenabled()


def test_a_machine_without_torch_has_none_and_a_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    with_torch = machine_digest()
    monkeypatch.setattr(machine_module, "version", absent)
    assert machine()["torch"] is None
    assert machine_digest() != with_torch


def test_processors_of_one_name_and_other_instructions_are_two_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, digests = {}, set()
    for flags in ("fpu avx avx2", "fpu avx avx2 avx512f avx512_vnni", "fpu"):
        path = tmp_path / "cpuinfo"
        path.write_text(f"processor\t: 0\nmodel name\t: AMD EPYC\nflags\t\t: {flags}\n")
        monkeypatch.setattr("autocompress.measure.machine.CPUINFO", path)
        told[flags] = machine()["cpu"]
        digests.add(machine_digest())
    assert list(told.values()) == ["AMD EPYC, avx2", "AMD EPYC, avx512_vnni", "AMD EPYC"]
    assert len(digests) == 3


def absent(package: str) -> str:
    if package == "torch":
        raise PackageNotFoundError(package)
    return version(package)


def test_the_interval_of_a_distance_reaches_to_a_value_that_resampling_only_adds_to() -> None:
    replicates = np.linspace(0.004, 0.02, 200)
    low, high = interval_of("calibration_error", 0.001, replicates)
    assert (low, high) == (0.001, interval(replicates)[1])
    assert interval_of("auc", 0.001, replicates) == interval(replicates)
    assert interval_of("auc_gap", 0.01, replicates) == interval(replicates)
