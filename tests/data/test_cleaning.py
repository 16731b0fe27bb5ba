"""Which rows and inputs cleaning leaves out, what it counts and what a person reads of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from numpy.typing import NDArray
from pydantic import ValidationError

from autocompress.data import spool
from autocompress.data.cleaning import (
    Cleaning,
    CleaningReport,
    ColumnReport,
    RowCounts,
    SplitRows,
    inspect,
    keep_rows,
)
from autocompress.data.cleaning_report import LINES, WIDTH, report_lines
from autocompress.data.split import NONE, TEST, TRAIN, VALID
from autocompress.data.spool import Spool
from autocompress.errors import UserError
from autocompress.schema import Field, Schema, Sequence, Task, Vector

CLICK = (Task(name="click", label="clicked"),)
ROWS = 2_000
SPLIT = np.repeat(np.array([TRAIN, VALID, TEST, NONE], dtype=np.uint8), [1_000, 400, 400, 200])
LABELS = [1, 0, 0, 1, 0] * (ROWS // 5)


def spooled(folder: Path, schema: Schema, columns: Mapping[str, Any]) -> Spool:
    return spool.write([pl.DataFrame(columns)], schema, None, folder)


def small(folder: Path, time: str | None, **changes: Any) -> Spool:
    columns = {"item": ["a", "b", "a", "a"], "at": [1, 2, 1, 3], "clicked": [1, 0, 1, 1], **changes}
    return spooled(folder, Schema(fields=(Field(name="item"),), tasks=CLICK, time=time), columns)


def one(folder: Path, values: Any, cleaning: Cleaning | None = None, **field: Any) -> ColumnReport:
    """The report on one input beside an ordinary one."""
    schema = Schema(fields=(Field(name="x", **field), Field(name="y")), tasks=CLICK)
    columns = {"x": values, "y": np.arange(ROWS) % 7, "clicked": LABELS}
    return inspect(spooled(folder, schema, columns), SPLIT, cleaning or Cleaning())[0]


def training(train: Any, valid: Any, rest: Any) -> NDArray[Any]:
    """A column of one value per split; `rest` stands in test rows and in rows of no split."""
    return np.array([train] * 1_000 + [valid] * 400 + [rest] * 600)


def test_of_equal_rows_the_first_stays_where_rows_have_a_time(tmp_path: Path) -> None:
    keep, counts = keep_rows(small(tmp_path, "at"), Cleaning())
    assert keep.tolist() == [True, True, False, True]
    assert counts == RowCounts(rows=4, unknown_labels=0, duplicates=1, duplicates_dropped=1)


def test_equal_rows_without_a_time_are_counted_and_stay(tmp_path: Path) -> None:
    keep, counts = keep_rows(small(tmp_path, None), Cleaning())
    assert keep.all()
    assert (counts.duplicates, counts.duplicates_dropped) == (2, 0)


@pytest.mark.parametrize(("time", "duplicates", "dropped"), [("at", "keep", 0), (None, "drop", 2)])
def test_the_key_for_duplicates_outrules_the_time(
    time: str | None, duplicates: Any, dropped: int, tmp_path: Path
) -> None:
    keep, counts = keep_rows(small(tmp_path, time), Cleaning(duplicates=duplicates))
    assert counts.duplicates_dropped == dropped
    assert (~keep).sum() == dropped


def test_rows_without_a_label_go_and_are_no_duplicates(tmp_path: Path) -> None:
    rows = small(tmp_path, "at", clicked=[1, None, 1, None], item=["a", "b", "a", "b"], at=[1, 2, 1, 2])
    keep, counts = keep_rows(rows, Cleaning())
    assert keep.tolist() == [True, False, False, False]
    assert counts == RowCounts(rows=4, unknown_labels=2, duplicates=1, duplicates_dropped=1)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        (training("a", "b", "c"), {}),
        (training(3, 4, 5), {"kind": "numeric"}),
        (training("a", "b", "c"), {"encoding": "hash", "buckets": 100}),
    ],
)
def test_one_value_in_training_is_dropped_whatever_other_splits_hold(values: Any, field: Any, tmp_path: Path) -> None:
    report = one(tmp_path, values, **field)
    assert report.dropped == "one value in every training row"
    assert report.unseen == 1


@pytest.mark.parametrize("kind", ["categorical", "numeric"])
def test_an_input_that_is_always_missing_is_dropped(kind: str, tmp_path: Path) -> None:
    report = one(tmp_path, pl.Series([None] * ROWS, dtype=pl.Float64), kind=kind)
    assert report.dropped == "missing in every training row"
    assert (report.missing, report.distinct, report.unseen) == (1, 0, None)


@pytest.mark.parametrize("kind", ["categorical", "numeric"])
def test_one_value_or_missing_is_no_constant(kind: str, tmp_path: Path) -> None:
    report = one(tmp_path, [1.0, None, 1.0, 1.0] * (ROWS // 4), kind=kind)
    assert report.dropped is None
    assert (report.missing, report.commonest, report.distinct) == (0.25, 0.75, 1)


@pytest.mark.parametrize("cleaning", [Cleaning(constant="keep"), Cleaning(keep=("x",))])
def test_a_constant_that_is_kept_is_reported(cleaning: Cleaning, tmp_path: Path) -> None:
    report = one(tmp_path, ["a"] * ROWS, cleaning)
    assert report.dropped is None
    assert report.warnings == ("one value in every training row",)


def test_an_input_to_keep_that_is_none_is_named_with_the_nearest(tmp_path: Path) -> None:
    schema = Schema(fields=(Field(name="price"), Field(name="item")), tasks=CLICK)
    rows = spooled(tmp_path, schema, {"price": range(ROWS), "item": range(ROWS), "clicked": LABELS})
    with pytest.raises(UserError, match=r"cleaning\.keep holds 'pric'.*did you mean 'price'"):
        inspect(rows, SPLIT, Cleaning(keep=("pric",)))


def test_an_input_of_almost_one_value_is_reported_and_stays(tmp_path: Path) -> None:
    report = one(tmp_path, np.where(np.arange(ROWS) == 7, "b", "a"))
    assert report.dropped is None
    assert report.warnings == ("one value in 99.90 % of the training rows",)


def test_ids_are_counted_in_training_rows(tmp_path: Path) -> None:
    report = one(tmp_path, [*range(500), *[7] * 500, *[7] * 300, *[9_999] * 100, *range(600)])
    assert (report.distinct, report.once) == (500, 499)
    assert report.commonest == pytest.approx(0.501)
    assert report.unseen == 0.25


def test_numbers_beyond_the_clip_quantiles_are_counted_in_every_row(tmp_path: Path) -> None:
    values = np.concatenate([np.arange(1_000.0), [np.nan] * 390, [5_000.0] * 10, [-1.0] * 600])
    report = one(tmp_path, values, Cleaning(clip=(0.01, 0.99)), kind="numeric")
    assert (report.low, report.high) == (9, 989)
    assert report.outside == 9 + 10 + 10 + 600
    assert report.unseen == 1


def test_infinite_numbers_leave_a_report_that_is_json(tmp_path: Path) -> None:
    values = np.where(np.arange(ROWS) % 10 == 0, np.inf, np.arange(ROWS) % 7)
    report = one(tmp_path, values, kind="numeric")
    assert (report.low, report.high) == (0, None)


def test_an_id_of_its_own_in_every_row_is_one_sided_and_stays(tmp_path: Path) -> None:
    report = one(tmp_path, [f"session {row}" for row in range(ROWS)])
    assert report.dropped is None
    assert report.warnings == ("one-sided: 100 % of its validation values never stand in training",)


def wide(
    folder: Path, lists: list[Any], vectors: list[Any], items: Any = None, **changes: Any
) -> dict[str, ColumnReport]:
    schema = Schema(
        fields=(Field(name="item"), Field(name="y")),
        tasks=CLICK,
        sequences=(Sequence(name="seen", length=3, **changes),),
        vectors=(Vector(name="picture", width=2),),
    )
    columns = {
        "item": np.arange(ROWS) % 11 if items is None else items,
        "y": np.arange(ROWS) % 7,
        "seen": pl.Series(lists, dtype=pl.List(pl.Int64)),
        "picture": pl.Series(vectors, dtype=pl.List(pl.Float32)),
        "clicked": LABELS,
    }
    return {each.name: each for each in inspect(spooled(folder, schema, columns), SPLIT, Cleaning())}


def test_lists_and_vectors_are_counted_by_rows_and_entries(tmp_path: Path) -> None:
    lists = [[1, 2], [], [2], None] * 250 + [[1, 77]] * 1_000
    vectors = [[0.5, row % 3] for row in range(ROWS - 1)] + [None]
    found = wide(tmp_path, lists, vectors)
    seen, picture = found["seen"], found["picture"]
    assert (seen.role, seen.missing, seen.distinct, seen.unseen, seen.auc) == ("list", 0.5, 2, 0.5, None)
    assert (picture.role, picture.missing, picture.distinct) == ("vector", 0, None)
    assert picture.auc == pytest.approx(0.5, abs=0.05)
    assert [each.dropped for each in found.values()] == [None] * 4


def test_lists_and_vectors_of_one_value_are_dropped(tmp_path: Path) -> None:
    found = wide(tmp_path, [[]] * ROWS, [[1.0, 2.0]] * 1_000 + [[3.0, 4.0]] * 1_000)
    assert found["seen"].dropped == "missing in every training row"
    assert found["picture"].dropped == "one value in every training row"


def test_a_list_goes_with_the_field_whose_ids_it_shares(tmp_path: Path) -> None:
    lists, vectors = [[row % 9] for row in range(ROWS)], [[row % 3, 1.0] for row in range(ROWS)]
    found = wide(tmp_path, lists, vectors, items=[4] * ROWS, shares="item")
    assert found["seen"].unseen == pytest.approx(8 / 9, abs=0.01)
    assert found["seen"].dropped == "its ids are those of item, which is dropped"


@pytest.mark.parametrize("kind", ["categorical", "numeric"])
def test_a_label_of_one_class_leaves_no_auc(kind: str, tmp_path: Path) -> None:
    schema = Schema(fields=(Field(name="x", kind=kind),), tasks=CLICK)
    report = inspect(spooled(tmp_path, schema, {"x": range(ROWS), "clicked": [0] * ROWS}), SPLIT, Cleaning())[0]
    assert (report.auc, report.dropped) == (None, None)


@pytest.mark.parametrize("kind", ["categorical", "numeric"])
def test_validation_and_test_rows_decide_nothing(kind: str, tmp_path: Path) -> None:
    """An input that knows the label everywhere but in training stays; one that knows it there alone goes."""
    labels, noise = np.array(LABELS), np.random.default_rng(0).integers(0, 2, ROWS)
    drops = Cleaning(leaks="drop")
    outside = one(tmp_path, np.where(SPLIT == TRAIN, noise, labels), drops, kind=kind)
    (tmp_path / "inside").mkdir()
    inside = one(tmp_path / "inside", np.where(SPLIT == TRAIN, labels, noise), drops, kind=kind)
    assert outside.dropped is None
    assert inside.dropped is not None


def test_a_clip_that_falls_is_refused() -> None:
    with pytest.raises(ValidationError, match="the first quantile must be below the second"):
        Cleaning(clip=(0.9, 0.1))


def test_the_configuration_holds_the_defaults() -> None:
    text = (Path(__file__).parents[2] / "conf" / "cleaning" / "default.yaml").read_text()
    assert Cleaning.model_validate(yaml.safe_load(text)) == Cleaning()


def report(columns: int, rows: RowCounts | None = None, none: int = 0) -> CleaningReport:
    return CleaningReport(
        rows=rows or RowCounts(rows=1_100, unknown_labels=0, duplicates=0, duplicates_dropped=0),
        split=SplitRows(train=800, valid=100, test=200 - none, none=none),
        columns=tuple(
            ColumnReport(name=f"x{n}", role="numeric", missing=0, dropped="suspected leak: " + "word " * 20)
            for n in range(columns)
        ),
    )


def test_nothing_found_is_one_line() -> None:
    assert report_lines(report(0)) == ["rows: 800 train, 100 validation, 200 test of 1,100"]


def test_dropped_rows_are_told_with_their_key() -> None:
    rows = RowCounts(rows=1_100, unknown_labels=10, duplicates=5, duplicates_dropped=5)
    assert report_lines(report(0, rows, none=18))[1:] == [
        "dropped 10 rows without a label",
        "dropped 5 copies of other rows (cleaning.duplicates=keep keeps them)",
        "left out 3 rows that are in no split",
    ]


@pytest.mark.parametrize("columns", [1, 11, 12, 400])
def test_a_report_fits_on_the_screen_and_counts_what_does_not(columns: int) -> None:
    lines = report_lines(report(columns))
    named = sum(line.startswith("  x") for line in lines)
    assert f"dropped {columns} of {columns} inputs (cleaning.keep=[x0] keeps that one):" in lines
    assert len(lines) <= LINES
    assert max(map(len, lines)) <= WIDTH
    left = [line for line in lines if line.startswith("and ")]
    assert left == ([f"and {columns - named} more: see cleaning.json"] if named < columns else [])


def test_inputs_of_almost_one_value_are_told_last() -> None:
    warnings = [("one value in 99.95 % of the training rows", "may be a consequence: so it is"), ("one-sided: all",)]
    columns = tuple(
        ColumnReport(name=f"x{n}", role="numeric", missing=0, warnings=each) for n, each in enumerate(warnings)
    )
    assert report_lines(report(0).model_copy(update={"columns": columns}))[1:] == [
        "warning: x0: may be a consequence: so it is",
        "warning: x1: one-sided: all",
        "warning: x0: one value in 99.95 % of the training rows",
    ]
