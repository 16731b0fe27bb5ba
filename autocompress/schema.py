"""What a log means: its fields, its tasks and the columns that order or group it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator


class Frozen(BaseModel):
    """Base of every configured or stored model: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Field(Frozen):
    """One input column.

    `categorical` values become ids of a vocabulary fitted on the training split; `numeric` values become the id of
    a quantile bucket (`buckets` of them at most, plus one for missing), so every input of a model is an id.
    """

    name: str
    kind: Literal["categorical", "numeric"] = "categorical"
    min_count: int = 1
    buckets: int = 32


class Task(Frozen):
    """One binary label. `parent` names the task that must be 1 before this one can be (click -> conversion)."""

    name: str
    label: str
    parent: str | None = None


class Schema(Frozen):
    """Fields in the order of a model's input columns, tasks in the order of its outputs."""

    fields: tuple[Field, ...]
    tasks: tuple[Task, ...]
    time: str | None = None

    @model_validator(mode="after")
    def _names_are_distinct(self) -> Self:
        for what, names in (("field", [f.name for f in self.fields]), ("task", [t.name for t in self.tasks])):
            twice = sorted({n for n in names if names.count(n) > 1})
            if twice:
                raise ValueError(f"{what} {twice[0]!r} stands twice in the schema")
        labels = {t.label for t in self.tasks} & {f.name for f in self.fields}
        if labels:
            raise ValueError(f"label {sorted(labels)[0]!r} is also a field: a model must not see its label")
        return self

    @property
    def task_names(self) -> tuple[str, ...]:
        """Task names, in output order."""
        return tuple(task.name for task in self.tasks)

    @property
    def field_names(self) -> tuple[str, ...]:
        """Field names, in input order."""
        return tuple(field.name for field in self.fields)
