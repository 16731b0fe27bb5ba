import csv
import io
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from autocompress.report.contract import FrontFile, Latency, MeasuredFile, MetricValue
from autocompress.report.csv_table import front_csv, front_rows
from autocompress.report.front_files import read_front, replace_text, write_front

number = st.floats(-1, 1, allow_nan=False)
interval = st.none() | st.tuples(number, number)
words = st.text(st.characters(codec="utf-8"), max_size=30)
metric_values = st.builds(
    MetricValue, valid=number, test=st.none() | number, test_ci95=interval, test_drop=st.none() | number,
    test_drop_ci95=interval,
)  # fmt: skip
latencies = st.builds(Latency, p50=st.floats(0.001, 1e3), p95=st.none(), p99=st.none() | st.floats(0.001, 1e3))
measured = st.builds(
    MeasuredFile,
    name=words,
    words=words,
    model_bytes=st.integers(1, 10**12),
    compression_ratio=st.floats(0.01, 1e4),
    quality=st.fixed_dictionaries({"click": st.fixed_dictionaries({"auc": metric_values})}),
    latency_ms=st.fixed_dictionaries({"256": latencies}),
    speedup=st.fixed_dictionaries({"256": st.floats(0.01, 100)}),
)


@settings(max_examples=10, deadline=None)
@given(teacher=measured, landmark=measured)
def test_a_front_survives_json_and_csv_unchanged(teacher: MeasuredFile, landmark: MeasuredFile) -> None:
    front = _front(teacher, landmark)
    assert FrontFile.model_validate_json(front.model_dump_json()) == front
    read = list(csv.DictReader(io.StringIO(front_csv(front), newline="")))
    assert [row["words"] for row in read] == [teacher.words, landmark.words]
    assert [int(row["model_bytes"]) for row in read] == [teacher.model_bytes, landmark.model_bytes]
    for row, file in zip(read, (teacher, landmark), strict=True):
        value = file.quality["click"]["auc"]
        assert float(row["click.auc.valid"]) == value.valid
        assert (float(row["click.auc.drop"]) if row["click.auc.drop"] else None) == value.test_drop
        assert float(row["latency_ms.256.p50"]) == file.latency_ms["256"].p50


def test_the_table_has_one_row_a_file_and_one_set_of_columns(example: FrontFile) -> None:
    rows = front_rows(example)
    assert [row["kind"] for row in rows] == ["teacher", "landmark", "landmark"] + ["point"] * len(example.points)
    assert len({tuple(row) for row in rows}) == 1
    assert list(rows[0])[-2:] == ["sha256", "artefact"]


def test_the_table_names_the_landmark_that_dominates_a_point(example: FrontFile) -> None:
    point = example.points[0].model_copy(update={"dominated_by": "small"})
    rows = front_rows(example.model_copy(update={"points": (point,)}))
    assert [row["dominated_by"] for row in rows] == [None, None, None, "small"]


def test_what_is_written_is_read_back(example: FrontFile, tmp_path: Path) -> None:
    write_front(example, tmp_path / "new" / "folder")
    assert read_front(tmp_path / "new" / "folder") == example
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == [
        "front.csv",
        "front.html",
        "front.json",
    ]


def test_reading_where_nothing_was_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_front(tmp_path)


def test_reading_something_else_says_so(tmp_path: Path) -> None:
    (tmp_path / "front.json").write_text("{}")
    with pytest.raises(ValidationError):
        read_front(tmp_path)


def test_a_write_that_fails_leaves_the_old_content_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "front.json"
    replace_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        replace_text(path, "half of this cannot be encoded: \ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_readable_for_whom_the_umask_allows(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        replace_text(tmp_path / "front.csv", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "front.csv").stat().st_mode & 0o777 == 0o644


def _front(teacher: MeasuredFile, landmark: MeasuredFile) -> FrontFile:
    return FrontFile.model_validate(
        {
            "study": "example",
            "state": "running",
            "data": {"name": "example", "digest": "0", "synthetic": True, "rows": {"train": 1}},
            "machine": {
                "cpu": "x", "cores": 1, "memory_gib": 1, "os": "x", "python": "3", "onnxruntime": "1", "torch": "2",
            },
            "seed": 0,
            "wall_seconds": 1,
            "trials": {"complete": 0, "stopped": 0, "failed": 0},
            "hypervolume": 0,
            "test_reused": False,
            "teacher": teacher.model_dump(),
            "landmarks": [landmark.model_dump()],
            "points": [],
        }
    )  # fmt: skip
