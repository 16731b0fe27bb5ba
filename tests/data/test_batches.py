"""Batches: which rows an epoch sees, and that what belongs together stays together."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from autocompress.data.batches import Batches
from autocompress.data.inputs import Inputs

Columns = tuple[NDArray[np.int32], NDArray[np.uint8], NDArray[np.float32]]


def columns(rows: int) -> Columns:
    """Ids, labels and logits from which the number of the row can be read."""
    number = np.arange(rows)
    ids = np.stack([number, 2 * number], axis=1).astype(np.int32)
    return ids, (number % 2)[:, None].astype(np.uint8), (number / 8)[:, None].astype(np.float32)


def rows_of(batches: Batches) -> list[int]:
    return [int(row) for batch in batches for row in batch.ids[:, 0]]


@given(st.integers(1, 3000), st.integers(1, 700), st.floats(0.01, 1.0), st.integers(0, 5))
def test_an_epoch_sees_the_latest_rows_once_and_aligned(rows: int, size: int, share: float, seed: int) -> None:
    ids, labels, soft = columns(rows)
    batches = Batches(Inputs(ids), labels, soft, batch_size=size, share=share, seed=seed)
    seen: list[int] = []
    for batch in batches:
        assert batch.soft is not None
        assert torch.equal(batch.ids[:, 1], 2 * batch.ids[:, 0])
        assert torch.equal(batch.labels[:, 0], (batch.ids[:, 0] % 2).float())
        assert torch.equal(batch.soft[:, 0], (batch.ids[:, 0] / 8).float())
        assert len(batch.ids) == min(size, max(1, round(rows * share)))
        seen += batch.ids[:, 0].tolist()
    used = max(1, round(rows * share))
    assert len(seen) == len(set(seen)) == len(batches) * min(size, used)
    assert min(seen) >= rows - used
    assert used - len(seen) < min(size, used)


def test_types_are_those_that_a_model_takes() -> None:
    ids, labels, soft = columns(10)
    batch = next(iter(Batches(Inputs(ids), labels, soft, batch_size=4)))
    assert batch.soft is not None
    assert (batch.ids.dtype, batch.labels.dtype, batch.soft.dtype) == (torch.int64, torch.float32, torch.float32)
    assert next(iter(Batches(Inputs(ids), labels, None, batch_size=4))).soft is None


def test_equal_seeds_shuffle_alike_and_every_epoch_differently() -> None:
    ids, labels, soft = columns(3000)
    one, two = (Batches(Inputs(ids), labels, soft, batch_size=100, seed=3) for _ in range(2))
    first, second = rows_of(one), rows_of(one)
    assert first != second
    assert [rows_of(two), rows_of(two)] == [first, second]
    assert rows_of(Batches(Inputs(ids), labels, soft, batch_size=100, seed=4)) != first


def test_logits_of_the_latest_rows_alone_are_aligned_from_the_end() -> None:
    ids, labels, soft = columns(100)
    for batch in Batches(Inputs(ids), labels, soft[-40:], batch_size=10, share=0.3):
        assert batch.soft is not None
        assert torch.equal(batch.soft[:, 0], (batch.ids[:, 0] / 8).float())


def test_logits_that_cover_too_few_rows_are_refused() -> None:
    ids, labels, soft = columns(100)
    with pytest.raises(ValueError, match="teacher logits cover 20 rows, 30 are asked for"):
        Batches(Inputs(ids), labels, soft[-20:], batch_size=10, share=0.3)


def test_groups_and_numbers_stay_with_their_rows() -> None:
    ids, labels, _ = columns(1000)
    numbers = np.stack([ids[:, 0], -ids[:, 0]], axis=1).astype(np.float32)
    for batch in Batches(Inputs(ids, numbers), labels, None, groups=7 * ids[:, 0], batch_size=64, share=0.7):
        assert batch.groups is not None
        assert batch.numbers is not None
        assert torch.equal(batch.groups, 7 * batch.ids[:, 0])
        assert torch.equal(batch.numbers, torch.stack([batch.ids[:, 0], -batch.ids[:, 0]], dim=1).float())


def test_weights_stay_with_their_rows() -> None:
    ids, labels, _ = columns(1000)
    weights = ids[:, 0].astype(np.float32)
    for batch in Batches(Inputs(ids), labels, None, weights=weights, batch_size=64, share=0.7):
        assert batch.weights is not None
        assert torch.equal(batch.weights, batch.ids[:, 0].float())


def test_masked_ids_are_0_about_as_often_as_asked_and_the_rest_is_as_it_was() -> None:
    ids, labels, _ = columns(20_000)
    ids = ids + 1
    masked = torch.cat([batch.ids for batch in Batches(Inputs(ids), labels, None, batch_size=500, mask=0.2)])
    plain = torch.cat([batch.ids for batch in Batches(Inputs(ids), labels, None, batch_size=500)])
    gone = masked == 0
    assert 0.19 < gone.float().mean() < 0.21
    assert torch.equal(masked[~gone], plain[~gone])


def test_neighbours_of_a_log_are_spread_over_batches_unless_they_are_groups() -> None:
    ids, labels, _ = columns(4096)
    alone = Batches(Inputs(ids), labels, None, batch_size=512)
    grouped = Batches(Inputs(ids), labels, None, groups=ids[:, 0], batch_size=512)

    def together(batches: Batches) -> float:
        return float(np.mean([np.mean(np.diff(np.sort(batch.ids[:, 0])) == 1) for batch in batches]))

    assert together(alone) < 0.2
    assert together(grouped) > 0.9


def test_rows_without_labels_stand_behind_those_with_and_have_logits_of_their_own() -> None:
    ids = np.arange(40, dtype=np.int32)[:, None]
    labels, soft = np.ones((40, 1), dtype=np.uint8), np.zeros((40, 1), dtype=np.float32)
    others = Inputs(np.arange(100, 120, dtype=np.int32)[:, None])
    batches = Batches(
        Inputs(ids), labels, soft, weights=np.ones(40, dtype=np.float32), batch_size=8,
        beside=(others, np.arange(100, 120, dtype=np.float32)[:, None]),
    )  # fmt: skip
    seen: list[int] = []
    for batch in batches:
        assert batch.soft is not None
        assert batch.weights is not None
        assert (len(batch.ids), len(batch.soft), len(batch.labels), len(batch.weights)) == (12, 12, 8, 8)
        assert int(batch.ids[:8].max()) < 100 <= int(batch.ids[8:].min())
        assert torch.equal(batch.soft[8:, 0], batch.ids[8:, 0].float())
        seen += batch.ids[8:, 0].tolist()
    assert len(set(seen)) > 8


def test_no_batch_has_more_rows_without_labels_than_with() -> None:
    ids, labels, soft = np.zeros((8, 1), np.int32), np.zeros((8, 1), np.uint8), np.zeros((8, 1), np.float32)
    many = (Inputs(np.ones((1_000, 1), dtype=np.int32)), np.zeros((1_000, 1), dtype=np.float32))
    (batch,) = Batches(Inputs(ids), labels, soft, batch_size=8, beside=many)
    assert len(batch.ids) == 16


@given(st.integers(10, 3000), st.integers(1, 300), st.floats(0.01, 1.0), st.booleans())
def test_a_curriculum_sees_every_row_once_and_the_surest_first(
    rows: int, size: int, curriculum: float, grouped: bool
) -> None:
    ids, labels, soft = columns(rows)
    groups = np.arange(rows, dtype=np.int32) // 3 if grouped else None
    batches = Batches(Inputs(ids), labels, soft, batch_size=size, curriculum=curriculum, groups=groups)
    seen = rows_of(batches)
    assert len(seen) == len(set(seen)) == len(batches) * min(size, rows)


def test_with_a_whole_curriculum_the_first_rows_are_surer_than_the_last() -> None:
    ids, labels, soft = columns(20_000)
    for curriculum, least in ((0.0, -300.0), (0.5, 2_000.0), (1.0, 4_000.0)):
        seen = rows_of(Batches(Inputs(ids), labels, soft, batch_size=100, curriculum=curriculum))
        # the larger the number of a row, the larger its logit
        surer = np.mean(seen[:5_000]) - np.mean(seen[-5_000:])
        assert surer > least
        assert curriculum or abs(surer) < 300


def test_a_curriculum_without_a_teacher_is_refused() -> None:
    ids, labels, _ = columns(10)
    with pytest.raises(ValueError, match="needs the teacher's logits"):
        Batches(Inputs(ids), labels, None, batch_size=2, curriculum=0.5)
