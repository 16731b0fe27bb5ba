"""A dense part that a user wrote: imported where the configuration says so, never by a plan."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import nn

from autocompress.digest import json_digest
from autocompress.errors import UserError
from autocompress.models.shape import Dim, Shape, dim_words
from autocompress.schema import Frozen, Schema


class ModuleShape(Frozen):
    """What a plan says of a user's module: nothing but its embeddings. A student has the teacher's shape."""

    kind: Literal["module"] = "module"
    aligned: ClassVar[bool] = False
    whole_lists: ClassVar[bool] = False
    tower: ClassVar[tuple[int, ...]] = ()
    dim: Dim = 16

    @property
    def embedding_dim(self) -> int:
        """Under a name of its own, so that no search space narrows it."""
        return self.dim

    def dense(self, schema: Schema, dims: tuple[int, ...]) -> nn.Module:
        """`ValueError`: only the configuration knows the class."""
        raise ValueError("a user's own module is made from teacher=module alone")

    def larger_than(self, teacher: Shape) -> str | None:
        """Everything that is not the same: nobody else knows which of its weights belong together."""
        if self.kind != teacher.kind:
            return "kind"
        return None if self == teacher else "dim"

    def words(self) -> str:
        """For people."""
        return f"own module, {dim_words(self.embedding_dim)}"


@dataclass(frozen=True)
class OwnModule:
    """Makes a user's dense part of (width, tasks); `digest` changes with its source text and arguments."""

    make: Callable[[int, int], nn.Module]
    digest: str


def own_module(target: str, arguments: Mapping[str, Any]) -> OwnModule:
    """Imports `target`. `UserError` naming `teacher.target` where that fails or it is no `nn.Module` class."""
    package, _, name = target.rpartition(".")
    try:
        found = getattr(importlib.import_module(package), name)
    except (ImportError, AttributeError) as error:
        raise UserError(f"teacher.target={target}: cannot be imported: {error}") from error
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise UserError(f"teacher.target={target}: is no class of torch.nn.Module")

    def make(width: int, tasks: int) -> nn.Module:
        try:
            module = found(width=width, tasks=tasks, **arguments)
            with torch.no_grad():
                shape = tuple(module.eval()(torch.zeros(2, width)).shape)
        except Exception as error:  # whatever a user's class raises
            raise UserError(f"teacher.target={target}: {type(error).__name__}: {error}") from error
        if shape != (2, tasks):
            raise UserError(f"teacher.target={target}: gives {shape} for two rows, not {(2, tasks)}: a logit per task")
        return module.train()

    source = inspect.getsource(inspect.getmodule(found) or found)
    return OwnModule(make, json_digest({"target": target, "arguments": dict(arguments), "source": source}))
