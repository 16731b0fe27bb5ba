"""Embedding banks: which rows are read, where they come out, and what quantization may do to them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autocompress.models.bank_layout import BankLayout
from autocompress.models.embedding import EmbeddingBank
from autocompress.models.row_quantization import (
    FIELD_SHRINKS,
    codes,
    fake_quantize_rows,
    field_scale,
    levels,
    pack,
    row_scales,
)

fields = st.lists(st.tuples(st.integers(1, 9), st.sampled_from([1, 2, 3, 4, 8])), min_size=1, max_size=6)
tables = st.tuples(
    st.integers(1, 12), st.integers(1, 9), st.sampled_from([0.0, 1e-6, 1e-3, 1.0, 100.0]), st.integers(0, 99)
)
bits = pytest.mark.parametrize("bits", [2, 4, 8])


def bank_of(rows: list[int], dims: list[int]) -> EmbeddingBank:
    """Of fields alone."""
    return EmbeddingBank(BankLayout(tuple(rows), tuple(dims), len(rows))).draw()


def rows_of(shape: tuple[int, int, float, int]) -> torch.Tensor:
    rows, dim, size, seed = shape
    return size * torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed))


@given(fields, st.integers(0, 99))
def test_each_field_comes_out_in_its_own_columns(shape: list[tuple[int, int]], seed: int) -> None:
    bank = bank_of([rows for rows, _ in shape], [dim for _, dim in shape])
    draw = torch.Generator().manual_seed(seed)
    ids = torch.stack([torch.randint(0, rows, (7,), generator=draw) for rows, _ in shape], dim=1)
    out, columns = bank(ids), bank.layout.columns()
    assert out.shape == (7, bank.layout.width)
    assert sorted(column for each in columns for column in each) == list(range(bank.layout.width))
    for field, (rows, dim) in enumerate(shape):
        assert bank.table(field).shape == (rows, dim)
        assert torch.equal(out[:, columns[field]], bank.table(field)[ids[:, field]])


@given(fields)
def test_ids_past_a_fields_rows_read_its_own_row_0(shape: list[tuple[int, int]]) -> None:
    bank = bank_of([rows for rows, _ in shape], [dim for _, dim in shape])
    past = torch.tensor([[rows for rows, _ in shape], [rows + 1000 for rows, _ in shape]])
    assert torch.equal(bank(past), bank(torch.zeros_like(past)))


def test_a_field_that_is_not_there_has_no_table() -> None:
    with pytest.raises(IndexError, match="table 2 of 2"):
        bank_of([3, 3], [4, 4]).table(2)


def test_a_lookup_moves_only_the_rows_that_were_read() -> None:
    bank = bank_of([5, 4], [2, 2])
    torch.autograd.backward(bank(torch.tensor([[1, 2], [1, 9]])).sum())
    gradient = bank.tables[0].grad
    assert gradient is not None
    assert gradient.is_sparse
    assert gradient.to_dense()[:, 0].nonzero().flatten().tolist() == [1, 5, 7]


@bits
@given(tables)
def test_a_rows_scale_is_positive_and_exact_in_fp16(bits: int, shape: tuple[int, int, float, int]) -> None:
    scales = row_scales(rows_of(shape), bits)
    assert scales.shape == (shape[0], 1)
    assert (scales > 0).all()
    assert torch.equal(scales, scales.to(torch.float16).float())


@bits
@given(tables)
def test_codes_fit_their_bits_and_are_whole(bits: int, shape: tuple[int, int, float, int]) -> None:
    rows = rows_of(shape)
    found = codes(rows, row_scales(rows, bits), bits)
    assert found.abs().max() <= levels(bits) == (1.5 if bits == 2 else 2 ** (bits - 1) - 1)
    place = found + (0.5 if bits == 2 else 0.0)
    assert torch.equal(place, place.round())


@given(tables)
def test_at_8_bits_no_value_moves_by_more_than_half_a_step(shape: tuple[int, int, float, int]) -> None:
    rows = rows_of(shape)
    largest = rows.abs().amax(dim=1, keepdim=True)
    error = (fake_quantize_rows(rows, 8) - rows).abs()
    # half a step, the rounding of the scale to fp16, and one of float32
    assert (error <= row_scales(rows, 8) * 0.5 + largest * 2.0**-10).all()


@given(tables)
def test_at_4_bits_clipping_never_does_worse_than_the_full_range(shape: tuple[int, int, float, int]) -> None:
    rows = rows_of(shape)
    full = (rows.abs().amax(dim=1, keepdim=True) / 7).clamp_min(2.0**-14).to(torch.float16).float()
    of_full_range = (codes(rows, full, 4) * full - rows).square().sum(dim=1)
    of_chosen = (fake_quantize_rows(rows, 4) - rows).square().sum(dim=1)
    assert (of_chosen <= of_full_range * (1 + 1e-4) + 1e-10).all()


@pytest.mark.parametrize("size", [0.01, 1.0, 100.0])
def test_8_bits_are_far_nearer_than_4(size: float) -> None:
    rows = rows_of((200, 8, size, 0))
    errors = [float((fake_quantize_rows(rows, bits) - rows).square().sum()) for bits in (4, 8)]
    assert errors[1] < errors[0] / 100
    assert errors[0] < 0.02 * float(rows.square().sum())


@bits
@given(tables)
def test_a_row_quantizes_alike_whatever_rows_stand_beside_it(bits: int, shape: tuple[int, int, float, int]) -> None:
    rows = rows_of(shape)
    together = fake_quantize_rows(rows, bits)
    assert torch.equal(together, torch.cat([fake_quantize_rows(row[None], bits) for row in rows]))


@bits
@given(tables)
def test_a_fields_scale_is_chosen_for_its_frequent_rows(bits: int, shape: tuple[int, int, float, int]) -> None:
    rows = rows_of(shape)
    outlier = torch.cat([rows, torch.full((1, rows.shape[1]), 1_000.0)])
    scale = field_scale(outlier, torch.tensor([1.0] * len(rows) + [0.0]), bits)
    least = field_scale(outlier, torch.tensor([0.0] * len(rows) + [1.0]), bits)
    assert 0 < scale <= least * (1 + 1e-6)


@bits
def test_the_scale_of_a_large_field_is_hardly_worse_than_the_best_for_all_rows(bits: int) -> None:
    draw = np.random.default_rng(0)
    weights = torch.from_numpy(draw.permutation(1.0 + 1e4 / (1.0 + np.arange(20_000.0))).astype(np.float32))
    # frequent rows are large, as trained ones are
    rows = torch.from_numpy(draw.normal(size=(20_000, 4)).astype(np.float32)) * weights[:, None] ** 0.25
    errors = {
        scale: float(weights @ (codes(rows, torch.tensor(scale), bits) * scale - rows).square().sum(dim=1))
        for scale in (float(rows.abs().max()) / levels(bits) * shrink for shrink in FIELD_SHRINKS)
    }
    chosen = min(errors, key=lambda scale: abs(scale - field_scale(rows, weights, bits)))
    assert errors[chosen] <= 1.02 * min(errors.values())


@bits
def test_gradients_pass_quantization_unchanged(bits: int) -> None:
    rows = rows_of((3, 4, 1.0, 0)).requires_grad_()
    (gradient,) = torch.autograd.grad((fake_quantize_rows(rows, bits) * 2).sum(), rows)
    assert torch.equal(gradient, torch.full((3, 4), 2.0))


@given(st.integers(0, 6), st.integers(1, 9), st.integers(0, 99))
def test_packed_nibbles_unpack_to_the_codes(rows: int, dim: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(-8, 8, (rows, dim)).astype(np.int8)
    packed = pack(torch.from_numpy(values).float(), 4)
    assert packed.dtype == np.uint8
    assert packed.shape == (rows, (dim + 1) // 2)
    unpacked = np.concatenate([packed & 15, packed >> 4], axis=1).astype(np.int8) - 8
    np.testing.assert_array_equal(unpacked[:, :dim], values)
    assert (unpacked[:, dim:] == 0).all()


@given(st.integers(0, 6), st.integers(1, 9), st.integers(0, 99))
def test_four_codes_of_two_bits_lie_in_a_byte(rows: int, dim: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 4, (rows, dim)) - 1.5
    packed = pack(torch.from_numpy(values).float(), 2)
    assert packed.dtype == np.uint8
    assert packed.shape == (rows, (dim + 3) // 4)
    unpacked = np.concatenate([(packed >> 2 * part) & 3 for part in range(4)], axis=1) - 1.5
    np.testing.assert_array_equal(unpacked[:, :dim], values)
