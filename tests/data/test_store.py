"""The column store, on a source whose rows a test chooses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from autocompress.data import encode
from autocompress.data.rows import write_rows
from autocompress.data.source import SPLITS, TRUTH, RowSource, Split
from autocompress.data.store import Dataset, prepare
from autocompress.digest import json_digest
from autocompress.errors import UserError
from autocompress.schema import Field, Frozen, Schema, Task

SPLIT_ROWS = {"train": (0, 6), "valid": (6, 8), "test": (8, 10)}


class GivenRows(Frozen):
    """A source that holds its rows itself."""

    kind: str = "given"
    synthetic: ClassVar[bool] = False
    columns: Mapping[str, list[Any]]
    splits: Mapping[Split, tuple[int, int]]

    def row_schema(self) -> Schema:
        return Schema(
            fields=(Field(name="item"), Field(name="price", kind="numeric", buckets=4)),
            tasks=(Task(name="click", label="clicked"), Task(name="buy", label="bought", parent="click")),
        )

    def content_digest(self) -> str:
        return json_digest(self.model_dump(mode="json"))

    def read(self, split: Split) -> pl.DataFrame:
        start, end = self.splits[split]
        return pl.DataFrame(dict(self.columns), strict=False)[start:end]


COLUMNS: dict[str, list[Any]] = {
    "item": ["a", "b", "a", "c", "a", None, "b", "z", "a", "c"],
    "price": [1.0, 2.0, None, 4.0, 5.0, 6.0, 0.5, 9.0, 3.0, 2.0],
    "clicked": [1, 0, 1, 0, 1, 0, 1, 0, 0, 1],
    "bought": [0, 0, 1, 0, 0, 0, 1, 0, 0, 1],
}


def given(
    changes: Mapping[str, list[Any] | None] | None = None, splits: Mapping[Split, tuple[int, int]] | None = None
) -> RowSource:
    """The example, with other columns (None takes one away) or other splits."""
    columns = {name: values for name, values in {**COLUMNS, **(changes or {})}.items() if values is not None}
    return GivenRows.model_validate({"columns": columns, "splits": {**SPLIT_ROWS, **(splits or {})}})


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return prepare(given(), tmp_path)


def left_in(folder: Path) -> list[str]:
    return [path.name for path in (folder / "data").rglob("*")] if (folder / "data").exists() else []


@pytest.mark.parametrize("split", SPLITS)
def test_a_row_has_the_same_place_in_every_array(split: Split, dataset: Dataset) -> None:
    frame = given().read(split)
    np.testing.assert_array_equal(dataset.ids(split), encode.encode(frame, dataset.encoder))
    np.testing.assert_array_equal(dataset.labels(split), frame.select("clicked", "bought").to_numpy())
    assert dataset.rows[split] == frame.height
    assert dataset.ids(split).dtype == np.int32
    assert dataset.labels(split).dtype == np.uint8


def test_the_encoder_has_seen_the_training_split_only(dataset: Dataset) -> None:
    assert dataset.encoder.values["item"].to_list() == ["a", "b", "c"]
    assert dataset.ids("valid")[:, 0].tolist() == [2, 0]


def test_counts_are_those_of_the_training_split(dataset: Dataset) -> None:
    assert dataset.counts[0].tolist() == [1, 3, 1, 1]
    assert [len(counts) for counts in dataset.counts] == list(dataset.encoder.rows)
    assert all(counts.sum() == dataset.rows["train"] for counts in dataset.counts)


def test_arrays_cannot_be_written_to(dataset: Dataset) -> None:
    with pytest.raises(ValueError, match="read-only"):
        dataset.ids("train")[0, 0] = 1


def test_a_real_log_has_no_truth_and_a_simulated_one_has_it(dataset: Dataset, tmp_path: Path) -> None:
    assert dataset.truth("test") is None
    truths = {TRUTH + "click": [0.5] * 10, TRUTH + "buy": [0.25] * 10}
    truth = prepare(given(truths), tmp_path).truth("test")
    assert truth is not None
    assert truth.tolist() == [[0.5, 0.25]] * 2


def test_what_was_prepared_is_found_and_not_made_again(dataset: Dataset, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in dataset.folder.iterdir()}
    again = prepare(given(), tmp_path)
    assert again == dataset
    assert {path: path.stat().st_mtime_ns for path in dataset.folder.iterdir()} == before
    assert len(list((tmp_path / "data").iterdir())) == 1


def test_other_rows_are_another_store(dataset: Dataset, tmp_path: Path) -> None:
    other = prepare(given({"item": ["b"] * 10}), tmp_path)
    assert other.digest != dataset.digest
    assert other.folder != dataset.folder


@pytest.mark.parametrize("name", ["ids_train.npy", "labels_test.npy", "encoder.parquet"])
def test_a_truncated_or_missing_file_is_noticed_and_named(name: str, dataset: Dataset, tmp_path: Path) -> None:
    path = dataset.folder / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=rf"{name} is missing or truncated: remove .* prepared again"):
        prepare(given(), tmp_path)
    path.unlink()
    with pytest.raises(UserError, match=rf"{name} is missing or truncated"):
        prepare(given(), tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"clicked": [1, 0, 1, 2, 1, 0, 1, 0, 0, 1]},
            "label 'clicked' of task 'click' holds 2 in row 3 of the train split",
        ),
        ({"clicked": [1, 0, 1, 0, 1, 0, 1, None, 0, 1]}, "holds None in row 1 of the valid split: allowed are 0 and 1"),
        ({"clicked": [1, 0, 0.5, 0, 1, 0, 1, 0, 0, 1]}, r"holds 0\.5 in row 2 of the train split"),
        ({"clicked": [1.0, 0.0, float("nan"), 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0]}, "holds nan in row 2"),
        ({"clicked": ["1", "0", "1", "0", "1", "0", "1", "0", "0", "1"]}, "holds '1' in row 0 of the train split"),
        ({"clicked": [2, 0, 1, 3, 1, 0, 1, 0, 0, 1]}, "holds 2 in row 0"),
        ({"bought": [0] * 10}, "label 'bought' is always 0 in the train split"),
        ({"bought": None}, "column 'bought' is missing from the rows"),
        ({"price": None, "prices": [1.0] * 10}, r"column 'price' is missing from the rows \(did you mean 'prices'\?\)"),
    ],
)
def test_bad_rows_are_refused_and_nothing_is_left(
    changes: dict[str, list[Any] | None], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        prepare(given(changes), tmp_path)
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("empty", SPLITS)
def test_an_empty_split_is_refused_and_nothing_is_left(empty: Split, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"the {empty} split is empty"):
        prepare(given(splits={empty: (3, 3)}), tmp_path)
    assert left_in(tmp_path) == []


def test_boolean_labels_and_fields_are_taken(tmp_path: Path) -> None:
    flags = [value == 1 for value in COLUMNS["clicked"]]
    made = prepare(given({"clicked": flags, "item": flags}), tmp_path)
    assert made.labels("train")[:, 0].tolist() == COLUMNS["clicked"][:6]
    assert (
        made.ids("train")[:, 0].tolist()
        == encode.encode(given({"item": flags}).read("train"), made.encoder)[:, 0].tolist()
    )


def test_written_rows_hold_fields_and_labels_but_no_truth(tmp_path: Path) -> None:
    write_rows(given({TRUTH + "click": [0.5] * 10}), "test", tmp_path / "rows.parquet")
    assert_frame_equal(pl.read_parquet(tmp_path / "rows.parquet"), given().read("test"))


def test_refused_rows_leave_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'bought' is missing"):
        write_rows(given({"bought": None}), "test", tmp_path / "rows.parquet")
    assert list(tmp_path.iterdir()) == []
