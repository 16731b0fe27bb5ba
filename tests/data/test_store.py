"""The column store, on a source whose rows a test chooses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest
from hypothesis import given as examples
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from autocompress.data import encode, spool, store, write_split
from autocompress.data.cleaning import Cleaning
from autocompress.data.fit_encoder import fit
from autocompress.data.rows import read_rows, write_rows
from autocompress.data.source import SPLITS, TRUTH, RowSource, Split
from autocompress.data.split import ByColumn, Splitting
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

    def splitting(self) -> Splitting:
        return ByColumn(column="part")

    def notes(self) -> list[str]:
        return []

    def chunks(self) -> Iterator[pl.DataFrame]:
        frame = pl.DataFrame(dict(self.columns), strict=False)
        part = [next((s for s, (a, b) in self.splits.items() if a <= row < b), None) for row in range(frame.height)]
        yield from frame.with_columns(part=pl.Series(part, dtype=pl.String)).iter_slices(4)


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


def read(source: RowSource, split: Split) -> pl.DataFrame:
    """The split's rows, from the source alone."""
    return pl.concat(source.chunks()).filter(pl.col("part") == split)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return prepare(given(), Cleaning(), tmp_path)


def left_in(folder: Path) -> list[str]:
    return [path.name for path in (folder / "data").rglob("*")]


@pytest.mark.parametrize("split", SPLITS)
def test_a_row_has_the_same_place_in_every_array(split: Split, dataset: Dataset) -> None:
    frame = read(given(), split)
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


def test_counts_do_not_depend_on_how_many_rows_are_read_at_once(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [counts.tolist() for counts in dataset.counts]
    monkeypatch.setattr(store, "COUNTED", 2)
    again = replace(dataset)
    assert [counts.tolist() for counts in again.counts] == before


def test_arrays_cannot_be_written_to(dataset: Dataset) -> None:
    with pytest.raises(ValueError, match="read-only"):
        dataset.ids("train")[0, 0] = 1


def test_a_real_log_has_no_truth_and_a_simulated_one_has_it(dataset: Dataset, tmp_path: Path) -> None:
    assert dataset.truth("test") is None
    truths = {TRUTH + "click": [0.5] * 10, TRUTH + "buy": [0.25] * 10}
    truth = prepare(given(truths), Cleaning(), tmp_path).truth("test")
    assert truth is not None
    assert truth.tolist() == [[0.5, 0.25]] * 2


def test_what_was_prepared_is_found_and_not_made_again(dataset: Dataset, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in dataset.folder.iterdir()}
    again = prepare(given(), Cleaning(), tmp_path)
    assert again == dataset
    assert {path: path.stat().st_mtime_ns for path in dataset.folder.iterdir()} == before
    assert left_in(tmp_path)[:1] == [dataset.folder.name]


def test_other_rows_are_another_store(dataset: Dataset, tmp_path: Path) -> None:
    other = prepare(given({"item": [*"bbbbbbabbb"]}), Cleaning(constant="keep"), tmp_path)
    assert other.digest != dataset.digest
    assert other.folder != dataset.folder


@pytest.mark.parametrize("name", ["ids_train.npy", "labels_test.npy", "encoder.parquet", "cleaning.json"])
@pytest.mark.parametrize("harm", ["truncated", "altered", "missing"])
def test_a_harmed_file_is_noticed_and_the_store_made_again(
    name: str, harm: str, dataset: Dataset, tmp_path: Path
) -> None:
    path = dataset.folder / name
    whole = path.read_bytes()
    changed = {"truncated": whole[:-1], "altered": whole[:-1] + bytes([whole[-1] ^ 1])}
    path.unlink()
    if harm in changed:
        path.write_bytes(changed[harm])
    said: list[str] = []
    again = prepare(given(), Cleaning(), tmp_path, say=said.append)
    assert again == dataset
    assert path.read_bytes() == whole
    (line,) = said
    assert name in line
    assert "prepared again" in line


PREPARE = """
import sys
from dataclasses import replace
from pathlib import Path
from autocompress.data.cleaning import Cleaning
from autocompress.data.sources.ads_simulator import AdsSimulator
from autocompress.data.store import prepare
print(prepare(AdsSimulator(rows=40_000), Cleaning(), Path(sys.argv[1]), say=print).digest)
"""


@pytest.mark.pipeline
@pytest.mark.timeout(60)
def test_of_two_preparations_started_together_one_does_the_work_and_both_end_alike(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PREPARE, str(tmp_path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = sorted((process.communicate()[0].splitlines() for process in both), key=len)
    (digest,) = printed[0]
    assert printed[1] == ["another process prepares the same data: waiting for it", digest]
    assert [path.name for path in (tmp_path / "data").iterdir() if path.is_dir()] == [digest]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"clicked": [1, 0, 1, 2, 1, 0, 1, 0, 0, 1]},
            "label 'clicked' of task 'click' holds 2 in row 4 of the log: allowed are 0 and 1",
        ),
        ({"clicked": [1, 0, 0.5, 0, 1, 0, 1, 0, 0, 1]}, r"holds 0\.5 in row 3 of the log"),
        ({"clicked": [1.0, 0.0, float("nan"), 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0]}, "holds nan in row 3"),
        ({"clicked": ["1", "0", "1", "0", "1", "0", "1", "0", "0", "1"]}, "holds '1' in row 1 of the log"),
        ({"clicked": [1, 0, 1, 0, 1, 3, 1, 0, 0, 1]}, "holds 3 in row 6"),
        ({"bought": [0] * 10}, "label 'bought' is always 0 in the train split"),
        ({"bought": None}, "column 'bought' is missing from the rows"),
        ({"price": None, "prices": [1.0] * 10}, r"column 'price' is missing from the rows \(did you mean 'prices'\?\)"),
    ],
)
def test_bad_rows_are_refused_and_nothing_is_left(
    changes: dict[str, list[Any] | None], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        prepare(given(changes), Cleaning(), tmp_path)
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("empty", SPLITS)
def test_an_empty_split_is_refused_and_nothing_is_left(empty: Split, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"the {empty} split is empty"):
        prepare(given(splits={empty: (3, 3)}), Cleaning(), tmp_path)
    assert left_in(tmp_path) == []


def test_boolean_labels_and_fields_are_taken(tmp_path: Path) -> None:
    flags = [value == 1 for value in COLUMNS["clicked"]]
    made = prepare(given({"clicked": flags, "item": flags}), Cleaning(leaks="keep"), tmp_path)
    assert made.labels("train")[:, 0].tolist() == COLUMNS["clicked"][:6]
    assert (
        made.ids("train")[:, 0].tolist()
        == encode.encode(read(given({"item": flags}), "train"), made.encoder)[:, 0].tolist()
    )


def test_written_rows_hold_inputs_and_labels_but_no_truth(tmp_path: Path) -> None:
    source = given({TRUTH + "click": [0.5] * 10, TRUTH + "buy": [0.25] * 10})
    write_rows(source, Cleaning(), tmp_path, "test", tmp_path / "rows.parquet")
    assert_frame_equal(pl.read_parquet(tmp_path / "rows.parquet"), read(given(), "test"))


def test_rows_with_an_unknown_label_are_dropped_and_counted(tmp_path: Path) -> None:
    source = given({"clicked": [1, None, 1, 0, 1, 0, 1, 0, 0, 1]})
    made = prepare(source, Cleaning(), tmp_path)
    assert made.rows == {"train": 5, "valid": 2, "test": 2}
    assert made.log_rows("train").tolist() == [0, 2, 3, 4, 5]
    assert made.cleaning.rows.unknown_labels == 1
    assert read_rows(source, made, "train")["item"].to_list() == ["a", "a", "c", "a", None]


values = st.lists(st.none() | st.integers(-3, 3), min_size=8, max_size=40)


@examples(values, st.integers(1, 5))
def test_the_bytes_of_a_store_do_not_depend_on_workers_or_chunks(items: list[int | None], chunk: int) -> None:
    schema = given().row_schema()
    frame = pl.DataFrame({"item": items, "price": items, "clicked": 0, "bought": 0})
    written = []
    for workers, size in ((1, len(items)), (4, chunk)):
        with TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "spool").mkdir()
            rows = spool.write(frame.iter_slices(size), schema, None, folder / "spool")
            encoder = fit(rows, schema, np.arange(len(items)) % 3 > 0, (0.0, 1.0))
            encoded = write_split.in_threads(rows, encoder, workers)
            write_split.write(rows, encoder, encoded, np.arange(len(items))[::-1], None, "train", folder)
            written.append({path.name: path.read_bytes() for path in folder.glob("*.npy")})
            np.testing.assert_array_equal(np.load(folder / "ids_train.npy"), encode.encode(frame.reverse(), encoder))
    assert written[0] == written[1]


@examples(values, st.lists(st.integers(-3, 3), min_size=8, max_size=40))
def test_what_is_fitted_does_not_see_validation_or_test_rows(train: list[int | None], rest: list[int]) -> None:
    schema = given().row_schema()
    fitted = []
    for later in (rest, [9 * each for each in rest]):
        frame = pl.DataFrame({"item": [*train, *later], "price": [*train, *later], "clicked": 0, "bought": 0})
        with TemporaryDirectory() as name:
            rows = spool.write([frame], schema, None, Path(name))
            encoder = fit(rows, schema, np.arange(frame.height) < len(train), (0.0, 1.0))
            fitted.append({key: each.to_list() for key, each in encoder.values.items()})
    assert fitted[0] == fitted[1]


def test_whole_numbers_in_many_columns_have_fingerprints_of_their_own(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    names = [f"n{index}" for index in range(6)]
    frame = pl.DataFrame({name: draw.integers(0, 1000, 50_000).astype(np.float64) for name in names})
    frame = frame.unique().with_columns(click=0)
    schema = Schema(
        fields=tuple(Field(name=name, kind="numeric") for name in names), tasks=(Task(name="click", label="click"),)
    )
    marks = spool.write([frame], schema, None, tmp_path).fingerprints()
    assert len(np.unique(marks)) == frame.height
