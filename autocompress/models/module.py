"""A dense part that a user wrote: imported where the configuration says so, never by a plan."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
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
    """A class by its import path, and what its objects are made with; `digest` changes with its source text, too."""

    target: str
    arguments: Mapping[str, Any]
    digest: str

    def make(self, width: int, tasks: int) -> nn.Module:
        """Freshly initialised. `UserError` where that fails, or gives another shape than a logit per task."""
        try:
            module = _imported(self.target)(width=width, tasks=tasks, **self.arguments)
            with torch.no_grad():
                shape = tuple(module.eval()(torch.zeros(2, width)).shape)
        except Exception as error:  # whatever a user's class raises
            raise UserError(f"teacher.target={self.target}: {type(error).__name__}: {error}") from error
        if shape != (2, tasks):
            raise UserError(
                f"teacher.target={self.target}: gives {shape} for two rows, not {(2, tasks)}: a logit per task"
            )
        return module.train()


def own_module(target: str, arguments: Mapping[str, Any]) -> OwnModule:
    """Imports `target`. `UserError` naming `teacher.target` where that fails or it is no `nn.Module` class."""
    found = _imported(target)
    source = inspect.getsource(inspect.getmodule(found) or found)
    digest = json_digest({"target": target, "arguments": dict(arguments), "source": source})
    return OwnModule(target, dict(arguments), digest)


def _imported(target: str) -> type[nn.Module]:
    package, _, name = target.rpartition(".")
    try:
        found = getattr(importlib.import_module(package), name)
    except (ImportError, AttributeError) as error:
        raise UserError(f"teacher.target={target}: cannot be imported: {error}") from error
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise UserError(f"teacher.target={target}: is no class of torch.nn.Module")
    return found
