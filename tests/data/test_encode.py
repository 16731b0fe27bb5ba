"""Encoding: what a value becomes, and that it becomes the same wherever the encoder is read again."""

from __future__ import annotations

import datetime
import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocompress.data import spool
from autocompress.data.encode import Encoder, encode, encode_list, encode_vector, load, save
from autocompress.data.fit_encoder import fit
from autocompress.data.inputs import Inputs
from autocompress.data.numbering import Numbering, narrowed, renumbered
from autocompress.errors import UserError
from autocompress.schema import Field, Schema, Sequence, Task, Vector

TASKS = (Task(name="click", label="clicked"),)
whole = st.integers(-(2**63), 2**63 - 1)
floats = st.floats(allow_nan=True, allow_infinity=True, width=64)
text = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6)
COLUMNS = {"Int64": whole, "Float64": floats, "String": text, "Boolean": st.booleans()}


def column(dtype: str) -> st.SearchStrategy[pl.Series]:
    some = st.lists(COLUMNS[dtype] | st.none(), min_size=1, max_size=12)
    repeated = some.flatmap(lambda values: st.lists(st.sampled_from(values), min_size=1, max_size=40))
    return repeated.map(lambda values: pl.Series("value", values, dtype=getattr(pl, dtype)))


categorical = st.one_of([column(dtype) for dtype in COLUMNS])
numeric = st.lists(st.none() | floats | st.integers(-3, 3).map(float), min_size=1, max_size=40).map(
    lambda values: pl.Series("value", values, dtype=pl.Float64)
)


def schema_of(**knobs: Any) -> Schema:
    return Schema(fields=(Field(name="value", **knobs),), tasks=TASKS)


def fitted_on(frame: pl.DataFrame, schema: Schema, clip: tuple[float, float] = (0.0, 1.0)) -> Encoder:
    with TemporaryDirectory() as folder:
        rows = spool.write([frame.with_columns(clicked=0)], schema, None, Path(folder))
        return fit(rows, schema, np.ones(frame.height, dtype=bool), clip)


def fitted(values: pl.Series, **knobs: Any) -> Encoder:
    return fitted_on(values.alias("value").to_frame(), schema_of(**knobs))


def ids_of(values: pl.Series, encoder: Encoder) -> list[int]:
    ids: list[int] = encode(values.alias("value").to_frame(), encoder)[:, 0].tolist()
    return ids


def stored(encoder: Encoder) -> Encoder:
    with TemporaryDirectory() as folder:
        save(encoder, Path(folder))
        return load(encoder.schema, Path(folder))


@given(categorical, st.integers(1, 3))
def test_a_categorical_encoder_reads_the_same_after_it_was_stored(values: pl.Series, min_count: int) -> None:
    encoder = fitted(values, min_count=min_count)
    again = stored(encoder)
    assert again.rows == encoder.rows
    assert ids_of(values, again) == ids_of(values, encoder)


@given(numeric, st.integers(2, 40))
def test_a_numeric_encoder_reads_the_same_after_it_was_stored(values: pl.Series, buckets: int) -> None:
    encoder = fitted(values, kind="numeric", buckets=buckets)
    again = stored(encoder)
    assert again.rows == encoder.rows
    assert ids_of(values, again) == ids_of(values, encoder)


@pytest.mark.parametrize(
    "values",
    [
        pl.Series([True, False, None, True]),
        pl.Series([datetime.date(2022, 4, 25), datetime.date(2022, 5, 8), None]),
        pl.Series([datetime.datetime(2022, 4, 25, 1, 2, 3), None]),
        pl.Series(["a", "b", "a", None], dtype=pl.Categorical),
        pl.Series(["a", "b", "a", None], dtype=pl.Enum(["b", "a"])),
        pl.Series([0.1, 1 / 3, None, 1e30], dtype=pl.Float32),
        pl.Series([None, None], dtype=pl.Null),
        pl.Series([None, None], dtype=pl.Int32),
        pl.Series([3, 2, None], dtype=pl.UInt8),
        pl.Series(["", " ", "\n", '"', "é", None]),
    ],
    ids=lambda values: str(values.dtype),
)
def test_values_of_any_kind_can_be_stored_and_missing_ones_are_0(values: pl.Series) -> None:
    encoder = fitted(values)
    ids = ids_of(values, encoder)
    assert ids == ids_of(values, stored(encoder))
    assert [value == 0 for value in ids] == values.is_null().to_list()


@given(categorical, st.integers(1, 3))
def test_ids_follow_falling_frequency_without_a_gap(values: pl.Series, min_count: int) -> None:
    encoder = fitted(values, min_count=min_count)
    counts = np.bincount(ids_of(values, encoder), minlength=encoder.rows[0])
    assert len(counts) == encoder.rows[0]
    assert (np.diff(counts[1:]) <= 0).all()
    assert (counts[1:] >= min_count).all()


@given(column("Int64"), st.lists(whole | st.none(), min_size=1, max_size=20))
def test_values_never_seen_are_0_and_seen_ones_are_not(seen: pl.Series, asked: list[int | None]) -> None:
    ids = ids_of(pl.Series(asked, dtype=pl.Int64), fitted(seen))
    known = set(seen.drop_nulls().to_list())
    assert [each > 0 for each in ids] == [value in known for value in asked]


def test_rare_values_are_0() -> None:
    values = pl.Series(["often", "often", "once"])
    assert ids_of(values, fitted(values, min_count=2)) == [1, 1, 0]


@given(categorical, categorical)
def test_ids_are_rows_of_the_table_whatever_is_asked(seen: pl.Series, asked: pl.Series) -> None:
    encoder = fitted(seen)
    assert all(0 <= value < encoder.rows[0] for value in ids_of(asked.cast(pl.String), encoder))


def test_ids_do_not_depend_on_the_order_of_the_rows_that_were_fitted() -> None:
    values = pl.Series(["b", "a", "c", "a", "b", "d"])
    assert ids_of(values, fitted(values)) == ids_of(values, fitted(values.reverse())) == [2, 1, 3, 1, 2, 4]


def test_a_number_is_found_whatever_type_it_comes_as() -> None:
    encoder = fitted(pl.Series([7, 7, 300], dtype=pl.Int16))
    for dtype in (pl.Int64, pl.Float64, pl.String):
        assert ids_of(pl.Series([300, 7]).cast(dtype), encoder) == [2, 1]
    assert ids_of(pl.Series([7 + 2**16, 7], dtype=pl.Int64), encoder) == [0, 1]


@given(numeric, numeric, st.integers(2, 40))
def test_numeric_buckets_rise_with_the_value_and_missing_is_0(seen: pl.Series, asked: pl.Series, buckets: int) -> None:
    encoder = fitted(seen, kind="numeric", buckets=buckets)
    pairs = list(zip(asked.to_list(), ids_of(asked, encoder), strict=True))
    assert all((found == 0) == (value is None or math.isnan(value)) for value, found in pairs)
    present = sorted((value, found) for value, found in pairs if found)
    assert [found for _, found in present] == sorted(found for _, found in present)
    assert all(found < encoder.rows[0] <= buckets + 1 for _, found in present)


def test_buckets_hold_about_equally_many() -> None:
    values = pl.Series(np.random.default_rng(0).lognormal(size=10_000))
    counts = np.bincount(ids_of(values, fitted(values, kind="numeric", buckets=10)))[1:]
    assert len(counts) == 10
    assert counts.min() > 990
    assert counts.max() < 1010


@given(categorical, st.integers(1, 15), st.integers(1, 3))
def test_an_encoder_that_is_cut_gives_the_ids_that_cutting_gives(values: pl.Series, keep: int, min_count: int) -> None:
    encoder = fitted(values, min_count=min_count)
    rows = [min(keep, encoder.rows[0])]
    frame = values.alias("value").to_frame()
    numbering = Numbering((0,), tuple(rows))
    short = narrowed(encoder, numbering)
    assert list(short.rows) == rows
    clipped = renumbered(Inputs(encode(frame, encoder)), numbering)
    np.testing.assert_array_equal(encode(frame, short), clipped.ids)
    np.testing.assert_array_equal(encode(frame, stored(short)), encode(frame, short))


def test_cutting_to_everything_changes_nothing() -> None:
    encoder = fitted(pl.Series(["a", "b"]))
    assert narrowed(encoder, Numbering((0,), encoder.rows)).values["value"].to_list() == ["a", "b"]


def test_numeric_buckets_cannot_be_pruned() -> None:
    encoder = fitted(pl.Series([1.0, 2.0, 3.0]), kind="numeric")
    with pytest.raises(ValueError, match="'value' is numeric"):
        narrowed(encoder, Numbering((0,), (2,)))
    assert narrowed(encoder, Numbering((0,), encoder.rows)) == encoder


def test_ids_are_int32_in_the_order_of_rows_and_fields() -> None:
    schema = Schema(fields=(Field(name="b"), Field(name="a")), tasks=TASKS)
    frame = pl.DataFrame({"a": [1, 2, 1], "b": ["x", "x", "y"], "more": [0, 0, 0]})
    ids = encode(frame, fitted_on(frame, schema))
    assert ids.dtype == np.int32
    assert ids.flags.c_contiguous
    assert ids.tolist() == [[1, 1], [1, 2], [2, 1]]


def test_encoding_needs_no_label_and_no_row() -> None:
    encoder = fitted(pl.Series(["a"]))
    assert encode(pl.DataFrame({"value": []}, schema={"value": pl.String}), encoder).shape == (0, 1)


def test_a_missing_column_is_named_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"column 'value' is missing from the rows \(did you mean 'values'\?\)"):
        encode(pl.DataFrame({"values": [1]}), fitted(pl.Series([1])))
    with pytest.raises(UserError, match=r"column 'value' is missing from the rows \(did you mean 'values'\?\)"):
        fitted_on(pl.DataFrame({"values": [1]}), schema_of())


@given(categorical, st.integers(2, 50))
def test_a_hashed_id_is_the_same_everywhere_and_missing_is_0(values: pl.Series, buckets: int) -> None:
    encoder = fitted(values, encoding="hash", buckets=buckets)
    ids = ids_of(values, encoder)
    assert ids == ids_of(values, stored(encoder))
    assert encoder.rows == (buckets + 1,)
    nothing = values.is_null() | (values.is_nan() if values.dtype.is_float() else False)
    assert [each == 0 for each in ids] == nothing.fill_null(True).to_list()
    assert all(each <= buckets for each in ids)


def test_hashes_do_not_change_between_versions() -> None:
    encoder = fitted(pl.Series(["z"]), encoding="hash", buckets=1000)
    assert ids_of(pl.Series(["a", "b", "ad_17"]), encoder) == [908, 682, 229]


def test_log_buckets_end_at_powers_of_two_on_both_sides() -> None:
    seen = pl.Series([-3.0, 0.0, 100.0])
    encoder = fitted(seen, kind="numeric", encoding="log")
    assert encoder.values["value"].to_list() == [-2.0, -1.0, 0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]
    assert ids_of(pl.Series([-9.0, 0.0, 1.0, 1.5, 2.0, 3.0, 1e9, None]), encoder) == [1, 3, 4, 5, 5, 6, 11, 0]


def test_a_standardised_number_is_clipped_centred_and_scaled() -> None:
    schema = Schema(fields=(Field(name="item"),), tasks=TASKS, vectors=(Vector(name="price", standardise=True),))
    frame = pl.DataFrame({"item": ["a"] * 101, "price": [*range(100), 10_000]})
    encoder = fitted_on(frame, schema, (0.01, 0.99))
    values = encode_vector(frame.with_columns(price=pl.col("price").cast(pl.Float64)), schema.vectors[0], encoder)
    assert values.shape == (101, 1)
    assert values.dtype == np.float32
    assert abs(float(values.mean())) < 1e-6
    assert abs(float(values.std()) - 1) < 1e-5
    assert values[100] == values[99]
    missing = pl.DataFrame({"price": [None, "much"]}, schema={"price": pl.String})
    assert encode_vector(missing, schema.vectors[0], stored(encoder)).tolist() == [[0.0], [0.0]]


def test_a_list_keeps_its_last_entries_behind_padding_and_shares_the_ids_of_its_field() -> None:
    history = Sequence(name="history", shares="item", length=3)
    schema = Schema(fields=(Field(name="item"),), tasks=TASKS, sequences=(history,))
    lists = [["b", "a", "z", "b"], [], None, ["a"], [None, "b"]]
    frame = pl.DataFrame(
        {"item": ["a", "a", "b", "a", "c"], "history": lists}, schema_overrides={"history": pl.List(pl.String)}
    )
    encoder = fitted_on(frame, schema)
    assert list(encoder.values) == ["item"]
    expected = [[1, 0, 2], [-1, -1, -1], [-1, -1, -1], [-1, -1, 1], [-1, 0, 2]]
    assert encode_list(frame, history, encoder).tolist() == expected
    text = history.model_copy(update={"separator": "|"})
    joined = pl.DataFrame({"history": ["b|a|z|b", "", None, "a", "?|b"]})
    assert encode_list(joined, text, stored(encoder)).tolist() == expected


def test_a_vector_is_taken_as_it_is_and_another_width_is_named() -> None:
    schema = Schema(fields=(Field(name="item"),), tasks=TASKS, vectors=(Vector(name="text", width=2),))
    frame = pl.DataFrame({"item": [1, 2], "text": [[0.5, -1.0], None]})
    assert encode_vector(frame, schema.vectors[0], fitted_on(frame, schema)).tolist() == [[0.5, -1.0], [0.0, 0.0]]
    with pytest.raises(UserError, match=r"'text' holds a vector of 3 numbers in row 2 .* its width is 2"):
        fitted_on(pl.DataFrame({"item": [1, 2], "text": [[0.5, 1.0], [1.0, 2.0, 3.0]]}), schema)
