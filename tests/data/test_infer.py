"""What columns are taken for, and which label values count as 1."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from autocompress.data.findings_table import WIDTH, table_text
from autocompress.data.infer import Finding, Named, infer
from autocompress.data.label import allowed, binary, is_bad, meaning
from autocompress.errors import UserError
from autocompress.schema import Field, Sequence, Task, Vector

ROWS = 400
DRAW = np.random.default_rng(0)
CLICK = Named(tasks=(Task(name="click", label="click"),))
LABEL = pl.Series("click", DRAW.integers(0, 2, ROWS))
OTHER = pl.Series("other", DRAW.choice(["a", "b"], ROWS))


def found(name: str, values: Any, named: Named = CLICK) -> Finding:
    _, findings = infer(pl.DataFrame([LABEL, OTHER, pl.Series(name, values)]), named)
    return findings[-1]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("user_id", DRAW.integers(0, 300, ROWS)),
        ("videoId", DRAW.integers(0, 300, ROWS) * 10**6),
        ("postcode", DRAW.integers(0, 300, ROWS)),
        ("weekday", DRAW.integers(0, 7, ROWS)),
        ("mobile", DRAW.integers(0, 2, ROWS).astype(bool)),
        ("country", DRAW.choice(["it", "no", "se"], ROWS)),
        ("brand_id", pl.Series(DRAW.integers(0, 300, ROWS)).cast(pl.Float64).scatter(0, None)),
    ],
)
def test_ids_words_and_few_whole_numbers_are_categories(name: str, values: Any) -> None:
    finding = found(name, values)
    assert finding.role == "categorical"
    assert isinstance(finding.input, Field)
    assert finding.input.encoding == "vocabulary"


@pytest.mark.parametrize(
    ("values", "encoding"),
    [
        (DRAW.normal(size=ROWS), "quantile"),
        (DRAW.integers(-500, 500, ROWS), "quantile"),
        (np.exp(DRAW.normal(0, 4, ROWS)).astype(int), "log"),
    ],
)
def test_numbers_are_bucketed_and_those_with_a_heavy_tail_by_powers(values: Any, encoding: str) -> None:
    finding = found("price", values)
    assert finding.role == "numeric"
    assert isinstance(finding.input, Field)
    assert finding.input.encoding == encoding


@pytest.mark.parametrize(
    "values",
    [
        [date(2026, 1, 1) + timedelta(days=row) for row in range(ROWS)],
        [f"2026-01-0{1 + row % 9} 10:00:{row % 60:02d}" for row in range(ROWS)],
        [1_767_225_600 + row for row in range(ROWS)],
        [1_767_225_600_000 + row for row in range(ROWS)],
        [20260101 + row % 20 for row in range(ROWS)],
    ],
)
def test_times_are_no_inputs_and_order_rows(values: Any) -> None:
    schema, _ = infer(pl.DataFrame([LABEL, OTHER, pl.Series("served_at", values)]), CLICK)
    assert schema.time == "served_at"
    assert schema.input_names == ("other",)


def test_of_two_times_the_finer_orders_rows() -> None:
    start = datetime(2026, 1, 1)
    times = pl.Series("moment", [start + timedelta(minutes=row) for row in range(ROWS)])
    days = pl.Series("day", [start.date()] * ROWS).alias("day")
    days[ROWS - 1] = date(2026, 1, 2)
    schema, _ = infer(pl.DataFrame([LABEL, OTHER, days, times]), CLICK)
    assert schema.time == "moment"


def test_lists_are_sequences_and_lists_of_numbers_of_one_width_are_vectors() -> None:
    listed = found("history", [[1, 2, 3][: 1 + row % 3] for row in range(ROWS)])
    assert isinstance(listed.input, Sequence)
    assert listed.input.length == 3
    text = found("tags", ["a|b|c"] * (ROWS - 1) + ["a"])
    assert isinstance(text.input, Sequence)
    assert text.input.separator == "|"
    brackets = found("tags", ["[3, 5]", '["x"]', "[]", "[7,8,9]"] * (ROWS // 4))
    assert isinstance(brackets.input, Sequence)
    assert (brackets.input.separator, brackets.input.length) == (",", 3)
    vector = found("embedding", [[0.5, float(row)] for row in range(ROWS)])
    assert vector.input == Vector(name="embedding", width=2)


@pytest.mark.parametrize("cell", ["[0.5, {}]", "0.5 {}", "[0.5 {}]", "0.5|{}", " -5e-1  {} "])
def test_texts_of_equally_many_numbers_are_vectors(cell: str) -> None:
    finding = found("embedding", [cell.format(row) for row in range(ROWS)])
    assert finding.input == Vector(name="embedding", width=2)


@pytest.mark.parametrize("cell", ["12 {}", "{}.5", "0.5 x{}", "a b{}"])
def test_texts_of_whole_numbers_of_one_number_or_of_words_are_no_vectors(cell: str) -> None:
    assert found("text", [cell.format(row % 40) for row in range(ROWS)]).role == "categorical"
    assert found("text", ["0.5 1", "0.5"] * (ROWS // 2)).role == "categorical"


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (np.arange(ROWS), "a row number"),
        ([f"{row:032x}" for row in range(ROWS)], "nearly every value differs"),
        (["same"] * ROWS, "constant"),
        ([None] * ROWS, "empty"),
    ],
)
def test_what_teaches_nothing_is_left_out_with_the_reason(values: Any, why: str) -> None:
    finding = found("thing", values)
    assert (finding.role, finding.why, finding.input) == ("left out", why, None)


def test_weight_score_and_excluded_columns_are_no_inputs_and_a_group_stays_one() -> None:
    columns = {name: DRAW.normal(size=ROWS) for name in ("weight", "score", "skip")}
    named = Named(tasks=CLICK.tasks, weight="weight", score="score", group="other", exclude=("skip",))
    schema, _ = infer(pl.DataFrame([LABEL, OTHER]).with_columns(**columns), named)
    assert schema.input_names == ("other",)
    assert schema.keys == ("other", "weight", "score")


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (Named(tasks=(Task(name="click", label="clik"),)), r"data\.tasks\.click=clik.*did you mean 'click'"),
        (Named(tasks=CLICK.tasks, group="othr"), r"data\.group=othr.*did you mean 'other'"),
        (Named(tasks=CLICK.tasks, exclude=("none",)), r"data\.exclude=none"),
        (Named(tasks=CLICK.tasks, exclude=("other",)), r"no column is left as an input.*other \(data\.exclude\)"),
    ],
)
def test_a_column_that_is_absent_is_named_with_its_key(named: Named, said: str) -> None:
    with pytest.raises(UserError, match=said):
        infer(pl.DataFrame([LABEL, OTHER]), named)


def test_the_table_of_findings_fits_80_columns() -> None:
    long = pl.Series("a_column_whose_name_goes_on_and_on_and_on", DRAW.integers(0, 9, ROWS))
    _, findings = infer(pl.DataFrame([LABEL, OTHER, long]), CLICK)
    lines = table_text(findings).splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert lines[0].split() == ["column", "type", "distinct", "missing", "role", "why"]


# labels


def ones(values: list[Any], positive: tuple[str, ...] | None = None) -> list[int | None]:
    column = pl.Series("y", values)
    found = meaning(column, positive, "data.positive")
    return column.to_frame().select(binary(pl.col("y"), found)).to_series().to_list()


@pytest.mark.parametrize(
    ("values", "positive", "wanted"),
    [
        ([0, 1, None], None, [0, 1, None]),
        ([0.0, 1.0, float("nan")], None, [0, 1, None]),
        ([True, False, None], None, [1, 0, None]),
        (["yes", "No", None], None, [1, 0, None]),
        ([-1, 1, 1], None, [0, 1, 1]),
        (["no sale", "no sale", "sale"], None, [0, 0, 1]),
        ([1, 3, 5, None], (">=3",), [0, 1, 1, None]),
        ([1, 3, 5], ("3", "5"), [0, 1, 1]),
        (["a", "b", "c"], ("b",), [0, 1, 0]),
        (["yes", "NO", " True", "f", None], None, [1, 0, 1, 0, None]),
        ([0] * 200 + [1, 7], None, [0] * 200 + [1, None]),
    ],
)
def test_labels_become_1_0_or_unknown(
    values: list[Any], positive: tuple[str, ...] | None, wanted: list[int | None]
) -> None:
    assert ones(values, positive) == wanted


@pytest.mark.parametrize(
    ("values", "positive", "said"),
    [
        ([1, 2, 3], None, r"holds 1, 2, 3: say which count as 1, as in data\.positive='>=4'"),
        (["a", "b", "c"], None, r"say which count as 1"),
        (["a", "b"], ("c",), r"data\.positive=c: label 'y' never holds it, but '[ab]', '[ab]'"),
        ([1, 2, 3], ("many",), r"holds numbers"),
        ([None, None], None, r"label 'y' is empty"),
    ],
)
def test_a_label_that_does_not_say_what_counts_is_refused(
    values: list[Any], positive: tuple[str, ...] | None, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        ones(values, positive)


@pytest.mark.parametrize(
    ("values", "bad", "said"),
    [
        ([0] * 200 + [1, None, 7], 7, "1 or 0"),
        ([0.0] * 200 + [1.0, float("nan"), 0.5], 0.5, "1 or 0"),
        (["Yes", "no"] * 200 + [None, "maybe"], "maybe", "yes or no, true or false, 1 or 0"),
    ],
)
def test_a_value_of_a_label_that_counts_as_nothing_is_bad_and_a_missing_one_is_not(
    values: list[Any], bad: Any, said: str
) -> None:
    column = pl.Series("y", values)
    found = meaning(column, None, "data.positive")
    assert column.to_frame().filter(is_bad(pl.col("y"), found))["y"].to_list() == [bad]
    assert allowed(found) == said
