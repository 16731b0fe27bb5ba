"""What the columns of a log mean, judged by name, type and values of a sample: an input, a time, or nothing to learn.

A guess is stated with its reason; a person overrules it in a schema file.
"""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import polars as pl

from autocompress.data.column_times import time_format, time_unit, words
from autocompress.data.text_lists import BRACKETS, entries_of, list_separator, vector_width
from autocompress.errors import UserError, nearest
from autocompress.schema import Field, Schema, Sequence, Task, Vector

Role = Literal["categorical", "numeric", "list", "vector", "time", "label", "key", "left out"]
FEW = 64
"""Distinct whole numbers up to which they are taken for names of categories."""
MANY = 50
"""Values from which on it means something that none repeats."""
UNIQUE = 0.95
"""Share of distinct values from which on a text or an id tells rows apart, not kinds of rows."""
LONGEST = 50
_ID_WORDS = {"id", "ids", "uid", "gid", "uuid", "guid", "key", "code", "hash", "no", "zip"}
_ID_NAME = re.compile(r"(user|item|ad|video|campaign|site|app|device|product|doc|query|session|author|brand)id|.*code")


@dataclass(frozen=True)
class Named:
    """What a person said of the columns; `split` decides a row's split, `exclude` are no inputs.

    `one`: the task was named by its label alone.
    """

    tasks: tuple[Task, ...]
    one: bool = False
    time: str | None = None
    group: str | None = None
    weight: str | None = None
    score: str | None = None
    split: str | None = None
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One column: type in the files, distinct values in the sample, missing share (0 to 1), role and reason.

    `input` is what it becomes for a model; None where it is no input.
    """

    column: str
    type: str
    distinct: int
    missing: float
    role: Role
    why: str
    input: Field | Sequence | Vector | None = None


def infer(sample: pl.DataFrame, named: Named) -> tuple[Schema, tuple[Finding, ...]]:
    """The schema of a log of which `sample` holds the first rows, and a finding per column, in their order.

    Without a time that is named, the time column with the most distinct values is the schema's. `UserError` where a
    column that is named is absent, or no input is left.
    """
    require_named(sample.columns, named)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        findings = list(pool.map(lambda column: _finding(column, named), sample))
    time = named.time
    if time is None:
        times = [each for each in findings if each.role == "time"]
        time = max(times, key=lambda each: each.distinct).column if times else None
    findings = [
        replace(each, why=f"{each.why}; orders rows" if each.column == time else f"{each.why}; {time} orders rows")
        if each.role == "time"
        else each
        for each in findings
    ]
    inputs = [each.input for each in findings if each.input is not None]
    if not inputs:
        reasons = ", ".join(f"{each.column} ({each.why})" for each in findings[:8])
        raise UserError(f"data.path: no column is left as an input: {reasons}")
    schema = Schema(
        fields=tuple(each for each in inputs if isinstance(each, Field)),
        tasks=named.tasks,
        sequences=tuple(each for each in inputs if isinstance(each, Sequence)),
        vectors=tuple(each for each in inputs if isinstance(each, Vector)),
        time=time,
        group=named.group,
        weight=named.weight,
        score=named.score,
    )
    return schema, tuple(findings)


def require_named(columns: list[str], named: Named, hint: str = "") -> None:
    """`UserError` naming the key, the column and the nearest, and a hint, where a column that is named is absent."""
    keys: list[tuple[str, str | None]] = [
        ("data.label" if named.one else f"data.tasks.{task.name}", task.label) for task in named.tasks
    ]
    keys += [(f"data.{key}", getattr(named, key)) for key in ("time", "group", "weight", "score")]
    keys += [("data.split.column", named.split)] + [("data.exclude", name) for name in named.exclude]
    for key, name in keys:
        if name is not None and name not in columns:
            raise UserError(f"{key}={name}: the files have no such column{nearest(name, columns)}{hint}")


def _finding(column: pl.Series, named: Named) -> Finding:
    values = column.fill_nan(None) if column.dtype.is_float() else column
    known = values.drop_nulls()
    found = Finding(
        column=column.name,
        type=_type_name(column.dtype),
        distinct=known.n_unique(),
        missing=values.null_count() / max(1, len(values)),
        role="left out",
        why="",
    )
    tasks = [task.name for task in named.tasks if task.label == column.name]
    if tasks:
        return replace(found, role="label", why=f"label of {', '.join(tasks)}")
    if column.name in named.exclude:
        return replace(found, why="data.exclude")
    if column.name == named.time:
        return replace(found, role="time", why="data.time")
    for key in ("weight", "score"):
        if column.name == getattr(named, key):
            return replace(found, role="key", why=f"data.{key}")
    if column.name == named.split:
        return replace(found, role="key", why="data.split")
    if not len(known):
        return replace(found, why="empty")
    if found.distinct == 1 and not found.missing:
        return replace(found, why="constant")
    return _judged(known, found)


def _judged(known: pl.Series, found: Finding) -> Finding:
    dtype = known.dtype
    if dtype == pl.Boolean:
        return _categorical(found, "true or false", 1)
    if isinstance(dtype, pl.List | pl.Array):
        return _listed(known, found)
    if isinstance(dtype, pl.Date | pl.Datetime):
        return replace(found, role="time", why="date")
    if dtype == pl.String:
        return _text(known, found)
    if dtype.is_float() and found.missing and bool(((known == known.round()) & (known.abs() < 2**53)).all()):
        return _whole(known.cast(pl.Int64), found)
    if dtype.is_integer():
        return _whole(known, found)
    if dtype.is_float() or dtype.is_temporal():
        return replace(found, role="numeric", why="numbers", input=Field(name=found.column, kind="numeric"))
    return replace(found, why=f"no input is made of {found.type}")


def _text(known: pl.Series, found: Finding) -> Finding:
    if time_format(known) is not None:
        return replace(found, role="time", why="text of dates")
    width = vector_width(known)
    if width is not None:
        return replace(found, role="vector", why=f"{width} numbers", input=Vector(name=found.column, width=width))
    separator = list_separator(known)
    if separator is not None:
        why = "lists in brackets" if separator == BRACKETS else f"entries parted by {separator}"
        return _sequence(entries_of(known, separator), found, why, separator)
    if _tells_rows(known, found):
        return replace(found, why="nearly every value differs")
    return _categorical(found, "text", 2)


def _whole(known: pl.Series, found: Finding) -> Finding:
    unit = time_unit(known)
    if unit is not None:
        return replace(found, role="time", why="yyyymmdd" if unit == "yyyymmdd" else f"{unit} since 1970")
    if reads_like_id(found.column):
        if _tells_rows(known, found):
            return replace(found, why="nearly every value differs")
        return _categorical(found, "an id by its name", 2)
    if _is_row_number(known, found):
        return replace(found, why="a row number")
    if found.distinct <= FEW:
        return _categorical(found, "few whole numbers", 1)
    numbers = known.to_numpy()
    middle, high = np.quantile(numbers, (0.5, 0.99))
    if numbers.min() >= 0 and high + 1 >= 10 * (middle + 1):
        field = Field(name=found.column, kind="numeric", encoding="log")
        return replace(found, role="numeric", why="heavy tail: log", input=field)
    return replace(found, role="numeric", why="numbers", input=Field(name=found.column, kind="numeric"))


def _listed(known: pl.Series, found: Finding) -> Finding:
    lists = known.arr.to_list() if isinstance(known.dtype, pl.Array) else known
    entries = lists.explode(empty_as_null=False, keep_nulls=False)
    if entries.dtype.is_integer() or entries.dtype == pl.String:
        return _sequence(lists, found, "lists", None)
    if not entries.dtype.is_float():
        return replace(found, why=f"no input is made of {found.type}")
    widths = lists.list.len().unique().to_list()
    if len(widths) != 1 or not widths[0]:
        return replace(found, why="numbers in lists of several lengths")
    vector = Vector(name=found.column, width=widths[0])
    return replace(found, role="vector", why=f"{widths[0]} numbers", input=vector)


def _sequence(lists: pl.Series, found: Finding, why: str, separator: str | None) -> Finding:
    longest = lists.list.len().max()
    assert isinstance(longest, int)
    made = Sequence(name=found.column, min_count=2, length=min(max(longest, 1), LONGEST), separator=separator)
    return replace(found, role="list", why=why, input=made)


def _categorical(found: Finding, why: str, min_count: int) -> Finding:
    return replace(found, role="categorical", why=why, input=Field(name=found.column, min_count=min_count))


def _tells_rows(known: pl.Series, found: Finding) -> bool:
    return len(known) >= MANY and found.distinct >= UNIQUE * len(known)


def _is_row_number(known: pl.Series, found: Finding) -> bool:
    """All distinct, and either in order or about as many as their range holds (row numbers of a shuffled table)."""
    if len(known) < MANY or found.distinct < len(known):
        return False
    numbers = known.to_numpy()
    steps = np.diff(numbers.astype(np.float64))
    return bool((steps > 0).all() or (steps < 0).all() or np.ptp(numbers) < 10 * len(numbers))


def reads_like_id(name: str) -> bool:
    """Whether a column's name says that its values are names, whatever they look like."""
    last = (words(name) or [""])[-1]
    return last in _ID_WORDS or _ID_NAME.fullmatch(last) is not None


def _type_name(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.List | pl.Array):
        return f"{dtype.base_type().__name__}({_type_name(pl.Series([], dtype=dtype).explode().dtype)})"
    return dtype.base_type().__name__
