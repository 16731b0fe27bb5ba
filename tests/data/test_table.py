"""A log of one's own: what is inferred, what a person says instead, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from autocompress.data.cleaning import Cleaning
from autocompress.data.sample import Sample, sample
from autocompress.data.scan import Files
from autocompress.data.schema_file import read_yaml, schema_yaml
from autocompress.data.source import SPLITS
from autocompress.data.sources.table import Table
from autocompress.data.split import AtRandom, ByColumn, ByGroup, ByTime
from autocompress.data.store import Dataset, prepare
from autocompress.errors import UserError
from autocompress.schema import Field, Schema, Task

ROWS = 600


def log(**changes: Any) -> pl.DataFrame:
    draw = np.random.default_rng(0)
    columns = {
        "user_id": draw.integers(0, 40, ROWS),
        "device": draw.choice(["phone", "tv"], ROWS),
        "price": draw.normal(10, 3, ROWS).round(2),
        "served_at": [f"2026-03-{1 + row * 20 // ROWS:02d} 10:00:00" for row in range(ROWS)],
        "is_click": draw.integers(0, 2, ROWS),
        "is_buy": draw.integers(0, 2, ROWS),
    }
    return pl.DataFrame({**columns, **changes})


def table(folder: Path, frame: pl.DataFrame | None = None, **settings: Any) -> Table:
    path = folder / "log.csv"
    (log() if frame is None else frame).write_csv(path)
    named = {} if "tasks" in settings or "schema" in settings else {"label": "is_click", "exclude": ["is_buy"]}
    return Table.model_validate({"path": str(path), **named, **settings})


def made(folder: Path, source: Table, **cleaning: Any) -> Dataset:
    return prepare(source, Cleaning(**cleaning), folder / "cache")


def test_a_path_and_a_label_are_enough(tmp_path: Path) -> None:
    source = table(tmp_path)
    schema = source.row_schema()
    assert schema.field_names == ("user_id", "device", "price")
    assert schema.tasks == (Task(name="is_click", label="is_click"),)
    assert schema.time == "served_at"
    assert schema.guessed
    assert isinstance(source.splitting(), ByTime)
    assert sum(made(tmp_path, source).rows.values()) == ROWS


def test_formats_with_the_same_rows_prepare_the_same_arrays(tmp_path: Path) -> None:
    frame = log()
    frame.write_parquet(tmp_path / "log.parquet")
    frame.write_ndjson(tmp_path / "log.jsonl")
    text = made(tmp_path, table(tmp_path, frame))
    for name in ("log.parquet", "log.jsonl"):
        other = made(
            tmp_path, Table.model_validate({"path": str(tmp_path / name), "label": "is_click", "exclude": ["is_buy"]})
        )
        for split in SPLITS:
            assert np.array_equal(np.sort(text.log_rows(split)), np.sort(other.log_rows(split)))
            assert np.array_equal(text.labels(split), other.labels(split))
            assert np.array_equal(text.ids(split)[:, 1:], other.ids(split)[:, 1:])


def test_several_tasks_with_a_parent(tmp_path: Path) -> None:
    source = table(tmp_path, tasks={"click": "is_click", "buy": "is_buy"}, parents={"buy": "click"})
    assert source.row_schema().tasks[1] == Task(name="buy", label="is_buy", parent="click")
    assert made(tmp_path, source).labels("train").shape[1] == 2


def test_each_task_has_its_own_positive_values(tmp_path: Path) -> None:
    frame = log(rating=[1 + row % 5 for row in range(ROWS)])
    source = table(tmp_path, frame, tasks={"click": "is_click", "liked": "rating"}, positive={"liked": ">=4"})
    assert made(tmp_path, source).labels("train")[:, 1].mean() == pytest.approx(0.4, abs=0.01)


def test_a_written_schema_is_taken_back_and_stands_above_the_guess(tmp_path: Path) -> None:
    dataset = made(tmp_path, table(tmp_path))
    guess = dataset.guessed_schema
    assert guess is not None
    schema = read_yaml(guess)
    assert schema == dataset.schema.model_copy(update={"guessed": False})
    edited = schema.model_copy(update={"fields": (Field(name="device"), Field(name="price", kind="numeric"))})
    mine = tmp_path / "mine.yaml"
    mine.write_text(schema_yaml(edited))
    source = table(tmp_path, schema=str(mine))
    assert source.row_schema() == edited
    assert source.notes() == []
    again = made(tmp_path, source)
    assert again.ids("train").shape[1] == 2
    assert again.guessed_schema is None


def test_what_is_set_beside_a_schema_file_stands_above_it(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        schema_yaml(
            Schema(fields=(Field(name="device"), Field(name="is_buy")), tasks=table(tmp_path).row_schema().tasks)
        )
    )
    source = table(tmp_path, schema=str(mine), tasks={"buy": "is_buy"}, group="user_id")
    schema = source.row_schema()
    assert (schema.task_names, schema.group, schema.field_names) == (("buy",), "user_id", ("device",))


def test_group_weight_and_score_are_stored_by_row(tmp_path: Path) -> None:
    frame = log(importance=[1.0 + row % 3 for row in range(ROWS)], served=[row / ROWS for row in range(ROWS)])
    dataset = made(tmp_path, table(tmp_path, frame, group="user_id", weight="importance", score="served"))
    assert "importance" not in dataset.schema.input_names
    weights, scores, groups = dataset.weights("train"), dataset.scores("train"), dataset.groups("train")
    assert weights is not None
    assert scores is not None
    assert groups is not None
    rows = dataset.log_rows("train")
    np.testing.assert_allclose(weights, 1.0 + rows % 3)
    np.testing.assert_allclose(scores, rows / ROWS, rtol=1e-6)
    users = frame["user_id"].to_numpy()[rows]
    assert len(np.unique(groups)) == len(np.unique(users)) == len({*zip(groups.tolist(), users.tolist(), strict=True)})


@pytest.mark.parametrize(
    ("split", "kind"),
    [
        ({"by": "random"}, AtRandom),
        ({"by": "group", "column": "user_id"}, ByGroup),
        ({"by": "column", "column": "device", "train": ["phone"], "valid": ["tv"], "test": ["car"]}, ByColumn),
    ],
)
def test_a_split_is_what_was_asked_for(tmp_path: Path, split: dict[str, Any], kind: type) -> None:
    frame = log(device=["phone", "tv", "car"] * (ROWS // 3))
    source = table(tmp_path, frame, split=split)
    assert isinstance(source.splitting(), kind)
    rows = {name: set(made(tmp_path, source).log_rows(name).tolist()) for name in SPLITS}
    if split["by"] == "column":
        assert {row % 3 for row in rows["test"]} == {2}
        assert "device" not in source.row_schema().input_names
    if split["by"] == "group":
        users = [set(frame["user_id"].gather(sorted(rows[name])).to_list()) for name in SPLITS]
        assert not users[0] & users[1] | users[0] & users[2] | users[1] & users[2]


def test_a_leak_in_a_guessed_schema_is_dropped_and_named_in_the_schema_that_is_written(tmp_path: Path) -> None:
    labels = log()["is_click"]
    dataset = made(tmp_path, table(tmp_path, log(seconds=(labels * 7.5).to_list())))
    assert "seconds" not in dataset.schema.input_names
    assert dataset.guessed_schema is not None
    assert "# seconds is left out: suspected leak" in dataset.guessed_schema.read_text()


def test_an_equal_log_elsewhere_has_the_same_digest_and_another_has_not(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    one, other = table(tmp_path), table(tmp_path / "b")
    assert one.content_digest() == other.content_digest()
    assert one.content_digest() != table(tmp_path / "b", log().head(500)).content_digest()


def test_numbers_beyond_the_sample_may_be_broken_and_ids_may_be_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autocompress.data.sources.table.sample", lambda found: sample_of(found, 300))
    counts = [*(row % 97 * 11.0 for row in range(400)), *([0.5] * 200)]
    frame = log(count=counts, code=[*(["7"] * 250), *(["8"] * 250), *(["x"] * 100)])
    dataset = made(tmp_path, table(tmp_path, frame))
    assert {"count", "code"} <= set(dataset.schema.input_names)


def sample_of(found: Files, rows: int) -> Sample:
    return sample(found, rows)


# what is refused


def fault(folder: Path, *args: Any, **settings: Any) -> str:
    with pytest.raises((UserError, ValidationError)) as caught:
        made(folder, table(folder, *args, **settings))
    data = folder / "cache" / "data"
    assert not data.exists() or not list(data.iterdir())
    return str(caught.value)


def test_a_label_that_is_absent_is_named_with_the_nearest(tmp_path: Path) -> None:
    assert "did you mean 'is_click'" in fault(tmp_path, label="isclick", exclude=[])


def test_no_label_at_all_is_asked_for(tmp_path: Path) -> None:
    assert "data.label=" in fault(tmp_path, label=None)


def test_a_label_and_tasks_together_are_refused(tmp_path: Path) -> None:
    assert "label and tasks are both set" in fault(tmp_path, label="is_click", tasks={"buy": "is_buy"})


def test_a_parent_that_is_no_task_is_named(tmp_path: Path) -> None:
    assert "did you mean 'click'" in fault(tmp_path, tasks={"click": "is_click"}, parents={"click": "clik"})


def test_a_schema_that_names_absent_columns_is_refused_by_file_and_column(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("fields:\n- {name: devise}\ntasks:\n- {name: click, label: is_click}\n")
    assert f"{mine} names 'devise': the files have no such column (did you mean 'device'?)" in fault(
        tmp_path, schema=str(mine)
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fields: [", "is no YAML"),
        ("- a", "holds no keys"),
        ("fields:\n- {name: device, knd: numeric}\ntasks: []\n", "fields.0.knd: unknown key"),
        ("fields:\n- {name: device, kind: number}\ntasks: []\n", "fields.0.kind"),
        ("field: []\n", "field: unknown key"),
    ],
)
def test_a_schema_that_is_none_is_refused_by_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(text)
    assert said in fault(tmp_path, schema=str(mine))


def test_a_schema_that_wants_numbers_of_words_shows_the_first(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("fields:\n- {name: device, kind: numeric}\ntasks:\n- {name: click, label: is_click}\n")
    assert "column 'device' holds" in fault(tmp_path, schema=str(mine))


def test_a_word_among_numbers_past_the_sample_is_named_with_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autocompress.data.sources.table.sample", lambda found: sample_of(found, 300))
    frame = log(amount=[*(str(row % 97 * 11) for row in range(500)), "many", *map(str, range(99))])
    said = fault(tmp_path, frame)
    assert "column 'amount' holds 'many' in row 501" in said


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_word_among_numbers_in_the_sample_is_named_with_file_and_row(tmp_path: Path, ending: str) -> None:
    (tmp_path / "logs").mkdir()
    for name, word in (("a", 1.5), ("b", "abc")):
        rows = log().to_dicts()
        rows[7]["price"] = word
        lines = [json.dumps(row) for row in rows]
        if ending == "csv":
            lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
        (tmp_path / "logs" / f"{name}.{ending}").write_text("\n".join(lines))
    path = str(tmp_path / "logs")
    only = next((tmp_path / "logs").glob(f"b.{ending}"))
    said = fault(tmp_path, path=str(only))
    assert f"{only}: column 'price' holds 'abc' in row 8: nearly all others are numbers" in said
    assert "data.exclude=[price]" in said
    assert "kind: categorical" in said
    if ending == "jsonl":
        assert f"{only}: column 'price' holds 'abc' in row 8" in fault(tmp_path, path=path)
    assert "price" not in table(tmp_path, path=str(only), exclude=["is_buy", "price"]).row_schema().input_names
    mine = tmp_path / "mine.yaml"
    mine.write_text("fields:\n- {name: price}\ntasks:\n- {name: click, label: is_click}\n")
    assert table(tmp_path, path=str(only), schema=str(mine)).row_schema().field_names == ("price",)


def test_ids_and_numbers_in_quotes_may_hold_a_word(tmp_path: Path) -> None:
    codes = ["guest", *map(str, range(1, ROWS))]
    rows = log(user_id=codes, zone=["x" if row == 5 else str(row % 7) for row in range(ROWS)])
    rows.write_ndjson(tmp_path / "log.jsonl")
    assert "zone" in table(tmp_path, path=str(tmp_path / "log.jsonl")).row_schema().field_names
    assert table(tmp_path, rows.drop("zone")).notes()


def test_words_for_missing_leave_numbers_numbers_and_are_said(tmp_path: Path) -> None:
    price = ["?" if row % 5 == 0 else str(row * 0.5) for row in range(ROWS)]
    source = table(tmp_path, log(price=price))
    assert any("? (in numbers: price) is read as missing" in line for line in source.notes())
    missing = {each.name: each.missing for each in made(tmp_path, source).cleaning.columns}
    assert missing["price"] == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("rows", [300, ROWS], ids=["past the sample", "in the sample"])
@pytest.mark.parametrize(("bad", "others"), [("7", ("0", "1")), ("maybe", ("no", "Yes")), ("0.5", ("-1", "1"))])
def test_a_label_that_is_neither_known_nor_missing_is_named_with_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int, bad: str, others: tuple[str, str]
) -> None:
    monkeypatch.setattr("autocompress.data.sources.table.sample", lambda found: sample_of(found, rows))
    labels = [others[row % 2] for row in range(ROWS)]
    assert "is_click" in table(tmp_path, log(is_click=["", *labels[1:]])).row_schema().labels
    said = fault(tmp_path, log(is_click=[*labels[:500], bad, *labels[501:]]))
    assert "'is_click'" in said
    assert bad in said
    assert "in row 501" in said or (bad == "0.5" and rows == ROWS and "say which count as 1" in said)


def test_a_time_that_is_unlike_the_others_of_the_sample_is_quoted(tmp_path: Path) -> None:
    times = ["01/02/2026", *log()["served_at"].to_list()[1:]]
    said = fault(tmp_path, log(served_at=times), time="served_at")
    assert "column 'served_at' holds '01/02/2026' in row 1: most of its values are times as %Y-%m-%d %H:%M:%S" in said
    assert "holds 'phone' in row 1: no time that is known" in fault(
        tmp_path, log(device=["phone"] * ROWS), time="device"
    )


def test_a_header_that_was_taken_for_a_row_is_said_where_a_name_is_absent(tmp_path: Path) -> None:
    frame = log().rename({"price": "2023"})
    said = fault(tmp_path, frame)
    assert "data.label=is_click: the files have no such column" in said
    assert "line 1 (user_id, device, 2023, served_at, is_click, is_buy) was taken for a row" in said
    assert "data.header=true" in said
    assert "2023" in table(tmp_path, frame, header=True).row_schema().input_names
    assert "data.header" not in fault(tmp_path, frame, header=False)


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("vectors: [{name: price, width: 3}]", "'price' is Float64: a vector is a list of 3 numbers"),
        ("sequences: [{name: user_id}]", "'user_id' is Int64: a sequence is a list of ids"),
        ("fields: [{name: history}]", "'history' is List(Int64): a categorical field is one value per row"),
        ("fields: [{name: history, kind: numeric}]", "'history' is List(Int64): a numeric field is one value per row"),
        ("time: history", "'history' is List(Int64): the time is one value per row"),
        ("group: history", "'history' is List(Int64): the group is one value per row"),
    ],
)
def test_a_column_of_another_type_than_the_schema_wants_is_named(tmp_path: Path, part: str, said: str) -> None:
    path = tmp_path / "log.parquet"
    log(history=[[1, 2]] * ROWS).write_parquet(path)
    mine = tmp_path / "mine.yaml"
    fields = "" if part.startswith("fields") else "fields: [{name: device}]\n"
    mine.write_text(f"{fields}tasks: [{{name: click, label: is_click}}]\n{part}\n")
    assert f"{path}: column {said}" in fault(tmp_path, path=str(path), schema=str(mine))


def test_lists_and_vectors_in_text_are_those_of_parquet(tmp_path: Path) -> None:
    lists = [[row % 7, row % 3] if row % 4 else [] for row in range(ROWS)]
    vectors = [[0.5, row / 4] for row in range(ROWS)]
    log(tags=lists, text=vectors).write_parquet(tmp_path / "log.parquet")
    typed = made(tmp_path, table(tmp_path, path=str(tmp_path / "log.parquet")))
    for shape in ("{}", "[{}]"):
        cells = [shape.format(" ".join(map(str, vector))) for vector in vectors]
        text = made(tmp_path, table(tmp_path, log(tags=list(map(str, lists)), text=cells)))
        for split in SPLITS:
            one, other = text.inputs(split), typed.inputs(split)
            assert one.numbers is not None
            assert other.numbers is not None
            np.testing.assert_array_equal(one.numbers, other.numbers)
            np.testing.assert_array_equal(one.ids < 0, other.ids < 0)
            assert (one.ids < 0).any()
        assert {*text.encoder.values["tags"]} == {*map(str, typed.encoder.values["tags"])}


def test_a_vector_of_another_width_in_text_is_named_with_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autocompress.data.sources.table.sample", lambda found: sample_of(found, 300))
    for bad in ("0.5", "0.5 much"):
        cells = [bad if row == 500 else f"0.5 {row}" for row in range(ROWS)]
        said = fault(tmp_path, log(text=cells))
        assert "'text' holds a vector of 1 numbers in row 501 of the log: its width is 2" in said


def test_a_time_that_is_none_is_named_with_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autocompress.data.sources.table.sample", lambda found: sample_of(found, 300))
    times = log()["served_at"].to_list()
    assert "column 'served_at' holds 'soon' in row 600" in fault(tmp_path, log(served_at=[*times[:-1], "soon"]))


def test_a_split_without_positives_is_named(tmp_path: Path) -> None:
    labels = [row % 2 if row < 500 else 0 for row in range(ROWS)]
    assert "label 'is_click' is always 0 in the test split" in fault(tmp_path, log(is_click=labels))


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("weight", -1.0, r"weight column 'extra' holds -1 in row 8 of the log: allowed is a number, 0 or more"),
        ("weight", None, r"weight column 'extra' holds nan in row 8"),
        ("score", 1.5, r"score column 'extra' holds 1\.5 in row 8 of the log: allowed is a probability, or nothing"),
    ],
)
def test_a_weight_or_score_that_is_none_is_named_with_its_row(
    tmp_path: Path, key: str, value: float | None, said: str
) -> None:
    extra = [value if row == 7 else 0.5 for row in range(ROWS)]
    assert re.search(said, fault(tmp_path, log(extra=extra), **{key: "extra"}))


def test_a_file_with_a_header_and_no_row_is_named(tmp_path: Path) -> None:
    assert "holds not a single row" in fault(tmp_path, log().head(0))
