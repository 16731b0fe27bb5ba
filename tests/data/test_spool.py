"""The spool: what is refused before anything is decided, and that equal rows can be told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from autocompress.data import spool
from autocompress.errors import UserError
from autocompress.schema import Field, Schema, Sequence, Task, Vector

CLICK = (Task(name="click", label="click"),)
EVERYTHING = Schema(
    fields=(Field(name="item"), Field(name="price", kind="numeric"), Field(name="ad", encoding="hash", buckets=9)),
    sequences=(Sequence(name="history", shares="item", length=2),),
    vectors=(Vector(name="text", width=2), Vector(name="age")),
    tasks=CLICK,
    time="at",
    group="user",
    weight="times",
    score="before",
)
ROW = {
    "item": "a", "price": 1.5, "ad": "x", "history": ["a", "b"], "text": [0.5, 1.0], "age": 3, "click": 0, "at": 7,
    "user": "u", "times": 2.0, "before": 0.25,
}  # fmt: skip


def frame(*changes: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame([{**ROW, **change} for change in changes])


def test_a_change_of_any_column_changes_the_fingerprint_and_nothing_else_does(tmp_path: Path) -> None:
    others: list[dict[str, object]] = [
        {"item": "b"}, {"price": 2.5}, {"ad": "y"}, {"history": ["b", "a"]}, {"text": [1.0, 0.5]}, {"age": 4},
        {"click": 1}, {"at": 8}, {"user": "v"}, {"times": 1.0}, {"before": 0.5}, {"item": None}, {"price": None},
    ]  # fmt: skip
    marks = spool.write([frame({}, {}, *others), frame({})], EVERYTHING, None, tmp_path).fingerprints()
    assert len(np.unique(marks)) == len(others) + 1
    assert marks[0] == marks[1] == marks[-1]


def test_parts_are_one_log_with_one_vocabulary(tmp_path: Path) -> None:
    rows = spool.write([frame({"item": "a"}), frame({"item": "b"}), frame({"item": "a"})], EVERYTHING, None, tmp_path)
    codes = rows.array("item")
    assert rows.rows == 3
    assert codes[0] == codes[2] != codes[1]
    assert rows.values["item"].gather(codes.tolist()).to_list() == ["a", "b", "a"]
    assert rows.array("history").tolist() == [[codes[0], codes[1]]] * 3


def test_a_vocabulary_that_would_not_fit_is_refused_with_column_row_and_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "MAX_IDS", 3)
    few = [frame({"item": "a"}, {"item": "b"}), frame({"item": "c"}, {"item": "a"})]
    assert spool.write(few, EVERYTHING, None, tmp_path).rows == 4
    many = [*few, frame({"item": "a"}, {"item": "d"})]
    with pytest.raises(UserError, match=r"'item' has more than 3 distinct .* row 6 of the log.*encoding: hash"):
        spool.write(many, EVERYTHING, None, tmp_path)


def test_a_log_without_a_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a single row"):
        spool.write([], EVERYTHING, None, tmp_path)


@pytest.mark.parametrize("name", sorted(ROW))
def test_a_missing_column_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"column '{name}' is missing"):
        spool.write([frame({}).drop(name)], EVERYTHING, None, tmp_path)


@pytest.mark.parametrize("name", ["labels", "fingerprints", "truth", "a/b", "x" * 500])
def test_an_input_of_any_name_has_a_file_of_its_own(name: str, tmp_path: Path) -> None:
    schema = Schema(fields=(Field(name=name), Field(name=f"{name}2", kind="numeric")), tasks=CLICK)
    parts = [pl.DataFrame({name: ["a", "b"], f"{name}2": [1.0, start], "click": [0, 1]}) for start in (2.0, 3.0)]
    rows = spool.write(parts, schema, None, tmp_path)
    assert rows.values[name].gather(rows.array(name).tolist()).to_list() == ["a", "b"] * 2
    assert rows.array(f"{name}2").tolist() == [1.0, 2.0, 1.0, 3.0]
    assert rows.labels().ravel().tolist() == [0, 1, 0, 1]
    assert rows.fingerprints()[0] == rows.fingerprints()[2]
    assert len(np.unique(rows.fingerprints())) == 3


def test_names_that_begin_alike_have_files_of_their_own(tmp_path: Path) -> None:
    one, other = "n" * 100 + "1", "n" * 100 + "2"
    schema = Schema(fields=(Field(name=one, kind="numeric"), Field(name=other, kind="numeric")), tasks=CLICK)
    rows = spool.write([pl.DataFrame({one: [1.0], other: [2.0], "click": [1]})], schema, None, tmp_path)
    assert (rows.array(one).tolist(), rows.array(other).tolist()) == ([1.0], [2.0])


def test_a_label_that_is_neither_0_nor_1_is_named_with_its_row_counted_from_1(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"label 'click' of task 'click' holds 2 in row 3 of the log"):
        spool.write([frame({}, {}), frame({"click": 2})], EVERYTHING, None, tmp_path)


def test_a_vector_of_another_width_is_named_with_its_row_in_the_log(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'text' holds a vector of 1 numbers in row 4 of the log: its width is 2"):
        spool.write([frame({}, {}), frame({}, {"text": [0.5]})], EVERYTHING, None, tmp_path)


def test_an_input_with_the_name_of_a_key_is_refused(tmp_path: Path) -> None:
    schema = Schema(fields=(Field(name="key:time"),), tasks=CLICK)
    with pytest.raises(UserError, match="input 'key:time' must have another name"):
        spool.write([pl.DataFrame({"key:time": [1], "click": [1]})], schema, None, tmp_path)
