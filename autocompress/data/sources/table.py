"""A log of one's own: Parquet, delimited text or JSON lines, its schema inferred or taken from a file.

How cells enter a model decides how text is read: what becomes a number as a number (a cell that is none is an error
that names its row), what becomes an id or a list as the text that stands there. Missing is an empty cell, or one of
`scan.MISSING_WORDS`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import polars as pl
from pydantic import ConfigDict, field_validator, model_validator
from pydantic import Field as Limits

from autocompress.data.bad_cells import bad_cell
from autocompress.data.column_times import likeliest_format, time_format, to_time
from autocompress.data.files import chunks, content, find
from autocompress.data.findings_table import table_text
from autocompress.data.infer import Finding, Named, infer, require_named
from autocompress.data.label import Meaning, allowed, binary, is_bad, meaning
from autocompress.data.mixed import check_mixed
from autocompress.data.sample import Sample, sample
from autocompress.data.scan import Files, Types, scan
from autocompress.data.schema_file import read_yaml, require_columns_of
from autocompress.data.split import AtRandom, ByColumn, ByGroup, ByTime, Splitting
from autocompress.data.wanted_types import read_types
from autocompress.digest import json_digest
from autocompress.errors import UserError, nearest
from autocompress.schema import Frozen, Schema, Task


@dataclass(frozen=True)
class Log:
    """What is known before the rows are read: files, the types and meaning of columns, those of labels and the time."""

    files: Files
    types: Types
    schema: Schema
    findings: tuple[Finding, ...]
    meanings: Mapping[str, Meaning]
    time_format: str | None
    notes: tuple[str, ...]


class Table(Frozen):
    """`path`: a file, a folder, a pattern, or s3://bucket/pattern.

    `label` names one task's column; `tasks` maps names of several to their columns, `parents` a task to the one that
    must be 1 before it. `positive`: which values count as 1, where a label is not 0/1 by itself: a value, several, or a
    bound such as ">=4" (of several tasks: by task). `schema` is a YAML file; what is set here stands above it. `time`,
    `group`, `weight` and `score` name columns, `exclude` columns that are no inputs. `separator` and `header` of text
    are found out where they are null. `split`: by time where a time is known, else at random.
    """

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    kind: Literal["table"] = "table"
    synthetic: ClassVar[bool] = False
    path: str
    label: str | None = None
    tasks: Mapping[str, str] = {}
    parents: Mapping[str, str] = {}
    positive: Mapping[str, tuple[str, ...]] | tuple[str, ...] | None = None
    schema_file: Path | None = Limits(None, alias="schema")
    time: str | None = None
    group: str | None = None
    weight: str | None = None
    score: str | None = None
    exclude: tuple[str, ...] = ()
    separator: str | None = Limits(None, min_length=1, max_length=1)
    header: bool | None = None
    split: Splitting | None = None

    @field_validator("path", mode="before")
    @classmethod
    def _is_set(cls, given: Any) -> Any:
        if given in (None, ""):
            raise ValueError("not set: name a file, a folder or a pattern, such as 'logs/*.parquet'")
        return given

    @field_validator("positive", mode="before")
    @classmethod
    def _values_as_text(cls, given: Any) -> Any:
        if isinstance(given, Mapping):
            return {task: _texts(values) for task, values in given.items()}
        return given if given is None else _texts(given)

    @model_validator(mode="after")
    def _tasks_are_named_once(self) -> Self:
        if self.label is not None and self.tasks:
            raise ValueError("label and tasks are both set: name one of them")
        if self.label is None and not self.tasks and self.schema_file is None:
            raise ValueError("which column is the label? Set data.label=<column>, or data.tasks={name: column}")
        for task in (*self.parents, *self.parents.values()):
            if self.tasks and task not in self.tasks:
                raise ValueError(f"parents names {task!r}, which is no task{nearest(task, self.tasks)}")
        return self

    def row_schema(self) -> Schema:
        """As inferred (`guessed`), or as in the schema file. `UserError` where a column that is named is absent."""
        return self._log.schema

    def splitting(self) -> Splitting:
        """The one that is configured; else by time where the schema has one, else at random."""
        if self.split is not None:
            return self.split
        return ByTime() if self._log.schema.time is not None else AtRandom()

    def content_digest(self) -> str:
        """Of the bytes of the files (in an object store: their names, sizes and times) and how they are read."""
        log = self._log
        types = {name: str(dtype) for name, dtype in log.types.items()}
        labels = {name: [str(each.one), str(each.zero), str(each.bound)] for name, each in log.meanings.items()}
        read = [log.files.separator, log.files.header, types, labels, log.time_format]
        read += [log.files.missing] if log.files.missing else []
        return json_digest({"files": content(log.files), "read": read})

    def notes(self) -> list[str]:
        """What was found of every column, what is not read as it stands, which label values are 1, the split."""
        log = self._log
        lines = table_text(log.findings).splitlines() if log.findings else []
        lines += log.notes
        lines += [f"label {column}: {each.why}" for column, each in log.meanings.items() if each.why]
        if self.split is None and log.schema.time is None:
            lines.append("split at random: no column tells a time (data.time=..., or data.split={by: order})")
        return lines

    def chunks(self) -> Iterator[pl.DataFrame]:
        """Inputs, labels (Int8), keys and the column of the split.

        `UserError` naming file, column, row and value where a number, a time or a label is none.
        """
        log = self._log
        times = [name for name in (log.schema.time,) if name is not None and log.time_format is not None]
        for path, before, frame in chunks(log.files, log.types):
            typed = [_timed(frame, name, log.time_format or "", path, before) for name in times]
            for column, each in log.meanings.items():
                _check_label(frame[column], each, path, before)
            labels = [binary(pl.col(column), each).alias(column) for column, each in log.meanings.items()]
            yield frame.with_columns(*labels, *typed)

    @cached_property
    def _log(self) -> Log:
        taken = sample(find(self.path, self.separator, self.header))
        files, rows = taken.files, taken.rows
        if not rows.height:
            raise UserError(f"data.path: {files.paths[0]} holds not a single row")
        named = self._named()
        findings: tuple[Finding, ...] = ()
        require_named(rows.columns, named, self._hint(taken))
        if self.schema_file is None:
            check_mixed(taken, named)
            schema, findings = infer(rows, named)
            schema = schema.model_copy(update={"guessed": True})
        else:
            schema = _over(read_yaml(self.schema_file), named)
            require_columns_of(schema, rows.columns, self.schema_file)
        split = self.split.column if isinstance(self.split, ByColumn | ByGroup) else None
        types = read_types(taken, schema, split)
        meanings = {task.label: meaning(rows[task.label], *self._positive(task)) for task in schema.tasks}
        time = rows[schema.time] if schema.time is not None else None
        form = None
        if time is not None and time.dtype == pl.String:
            form = time_format(time)
            if form is None:
                raise _no_time(taken, time)
        return Log(files, types, schema, findings, meanings, form, taken.notes)

    def _hint(self, taken: Sample) -> str:
        """What an error about an absent column adds where the header may have been taken for a row."""
        if taken.files.format != "text" or taken.files.header or self.header is not None:
            return ""
        line = scan(taken.files, taken.files.paths[0]).head(1).collect().row(0)
        first = ", ".join(str(cell) for cell in line)
        return f"; line 1 ({first[:80]}) was taken for a row, not for names: data.header=true takes it for names"

    def _named(self) -> Named:
        tasks = dict(self.tasks) or ({re.sub(r"\W+", "_", self.label): self.label} if self.label is not None else {})
        if isinstance(self.split, ByGroup):
            column, split = self.split.column, None
        else:
            column, split = None, self.split.column if isinstance(self.split, ByColumn) else None
        return Named(
            tasks=tuple(Task(name=name, label=label, parent=self.parents.get(name)) for name, label in tasks.items()),
            one=self.label is not None,
            time=self.time,
            group=self.group or column,
            weight=self.weight,
            score=self.score,
            split=split,
            exclude=self.exclude,
        )

    def _positive(self, task: Task) -> tuple[tuple[str, ...] | None, str]:
        """The values of a task that count as 1, if they were named, and the key that names them."""
        if isinstance(self.positive, Mapping):
            return self.positive.get(task.name), f"data.positive.{task.name}"
        return self.positive, "data.positive"


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(map(str, values)) if isinstance(values, list | tuple) else (str(values),)


def _over(schema: Schema, named: Named) -> Schema:
    """The schema with what was named beside it in place of what it says."""
    changes: dict[str, Any] = {
        key: getattr(named, key) for key in ("time", "group", "weight", "score") if getattr(named, key) is not None
    }
    if named.tasks:
        changes["tasks"] = named.tasks
    out = {*named.exclude, *(task.label for task in named.tasks)}
    for part in ("fields", "sequences", "vectors"):
        changes[part] = tuple(each for each in getattr(schema, part) if each.name not in out)
    return Schema.model_validate(schema.model_copy(update=changes).model_dump())


def _timed(frame: pl.DataFrame, name: str, form: str, path: str, before: int) -> pl.Series:
    times = to_time(frame[name], form)
    wrong = times.is_null() & frame[name].is_not_null()
    if wrong.any():
        row = wrong.arg_max() or 0
        raise bad_cell(path, name, before + row + 1, frame[name][row], f"its other values are times as {form}")
    return times


def _check_label(cells: pl.Series, each: Meaning, path: str, before: int) -> None:
    wrong = cells.to_frame("cell").select(is_bad(pl.col("cell"), each)).to_series()
    if wrong.any():
        row = wrong.arg_max() or 0
        raise bad_cell(
            path,
            cells.name,
            before + row + 1,
            cells[row],
            f"allowed is {allowed(each)}, or nothing (data.positive says what is 1)",
        )


def _no_time(taken: Sample, time: pl.Series) -> UserError:
    form, row = likeliest_format(time)
    said = "no time that is known" if form is None else f"most of its values are times as {form}"
    return taken.bad_cell(time.name, row, said)
