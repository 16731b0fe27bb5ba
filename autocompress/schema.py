"""What a log means: its fields, its tasks and the columns that order, group or weigh it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic import Field as Limits


class Frozen(BaseModel):
    """Base of every configured or stored model: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


ENCODINGS = {"categorical": ("vocabulary", "hash"), "numeric": ("quantile", "log")}


class Field(Frozen):
    """One input column that becomes one id per row; id 0 is out of vocabulary or missing.

    `categorical` values become ids of a vocabulary fitted on the training split (`encoding: vocabulary`, values seen
    `min_count` times or more) or of their hash (`encoding: hash`, `buckets` of them). `numeric` values become the id of
    a bucket: between quantiles of the training split (`quantile`, at most `buckets`), or between powers of two (`log`,
    at most `buckets` on each side of 0).
    """

    name: str
    kind: Literal["categorical", "numeric"] = "categorical"
    encoding: Literal["vocabulary", "hash", "quantile", "log"] = "vocabulary"
    min_count: int = Limits(1, ge=1)
    buckets: int = Limits(32, ge=2)

    @model_validator(mode="before")
    @classmethod
    def _encoding_follows_kind(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("kind") == "numeric" and "encoding" not in values:
            return {**values, "encoding": "quantile"}
        return values

    @model_validator(mode="after")
    def _encoding_fits_kind(self) -> Self:
        if self.encoding not in ENCODINGS[self.kind]:
            allowed = " and ".join(ENCODINGS[self.kind])
            raise ValueError(f"field {self.name!r} is {self.kind}: encoding {self.encoding!r} is none of {allowed}")
        return self


class Sequence(Frozen):
    """One list column: its last `length` entries as ids, in their order, padded on the left with -1.

    With `shares`, ids are those of that categorical field (the target item of a history). In text files a list is
    written with `separator` between its entries.
    """

    name: str
    encoding: Literal["vocabulary", "hash"] = "vocabulary"
    min_count: int = Limits(1, ge=1)
    buckets: int = Limits(32, ge=2)
    length: int = Limits(50, ge=1)
    shares: str | None = None
    separator: str | None = None


class Vector(Frozen):
    """`width` numbers per row, float32: an embedding made elsewhere, or (with `width` 1) a number.

    `standardise` subtracts the training mean and divides by the training deviation, after clipping; missing is 0.
    """

    name: str
    width: int = Limits(1, ge=1)
    standardise: bool = False


class Task(Frozen):
    """One binary label. `parent` names the task that must be 1 before this one can be (click -> conversion)."""

    name: str
    label: str
    parent: str | None = None


class Schema(Frozen):
    """Fields in the order of a model's input columns, tasks in the order of its outputs.

    `time` orders rows (numbers or dates), `group` is whom a metric is averaged over, `weight` counts a training row
    more or less than once (>= 0), `score` holds the probabilities of a model that serves already. None of the four is
    an input unless it is also a field. `guessed`: whether the inputs were inferred from a file and nobody named them.
    """

    fields: tuple[Field, ...]
    tasks: tuple[Task, ...]
    sequences: tuple[Sequence, ...] = ()
    vectors: tuple[Vector, ...] = ()
    time: str | None = None
    group: str | None = None
    weight: str | None = None
    score: str | None = None
    guessed: bool = False

    @model_validator(mode="after")
    def _names_are_distinct(self) -> Self:
        if twice := repeated(self.input_names):
            raise ValueError(f"field {twice!r} stands twice in the schema")
        if twice := repeated(self.task_names):
            raise ValueError(f"task {twice!r} stands twice in the schema")
        labels = {t.label for t in self.tasks} & set(self.input_names)
        if labels:
            raise ValueError(f"label {sorted(labels)[0]!r} is also a field: a model must not see its label")
        return self

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        for task in self.tasks:
            if task.parent is not None and (task.parent == task.name or task.parent not in self.task_names):
                raise ValueError(f"task {task.name!r} has the parent {task.parent!r}, which is no other task")
        categorical = {field.name for field in self.fields if field.kind == "categorical"}
        for sequence in self.sequences:
            if sequence.shares is not None and sequence.shares not in categorical:
                raise ValueError(f"list {sequence.name!r} shares the ids of {sequence.shares!r}: no categorical field")
        return self

    @property
    def task_names(self) -> tuple[str, ...]:
        """Task names, in output order."""
        return tuple(task.name for task in self.tasks)

    @property
    def field_names(self) -> tuple[str, ...]:
        """Names of the fields that become one id, in input order."""
        return tuple(field.name for field in self.fields)

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of all inputs: fields, lists, vectors."""
        return (*self.field_names, *(s.name for s in self.sequences), *(v.name for v in self.vectors))

    @property
    def tables(self) -> tuple[str, ...]:
        """Inputs that have an embedding table: the fields, then the lists that share no field's."""
        return (*self.field_names, *(each.name for each in self.sequences if each.shares is None))

    @property
    def slots(self) -> tuple[int, ...]:
        """Table (its place in `tables`) of each column of packed ids: one per field, then `length` per list."""
        tables = self.tables
        lists = (each for sequence in self.sequences for each in [sequence.shares or sequence.name] * sequence.length)
        return (*range(len(self.fields)), *map(tables.index, lists))

    @property
    def labels(self) -> tuple[str, ...]:
        """Label columns, in output order; two tasks may share one."""
        return tuple(task.label for task in self.tasks)

    @property
    def keys(self) -> tuple[str, ...]:
        """Time, group, weight and score columns, as far as there are any."""
        return tuple(name for name in (self.time, self.group, self.weight, self.score) if name is not None)


def repeated(names: Iterable[str]) -> str | None:
    """The first (alphabetically) of the names that stands twice."""
    listed = sorted(names)
    return next((name for name, after in pairwise(listed) if name == after), None)
