"""The shape of a recommender as data: what a teacher's configuration and a plan's student have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Protocol, cast

from pydantic import Field as Limits
from pydantic import PlainSerializer, PlainValidator
from torch import nn

from autocompress import family
from autocompress.schema import Schema

PACKAGE = "autocompress.models"

Width = Annotated[int, Limits(ge=1, le=65_536)]
Dim = Annotated[int, Limits(ge=1, le=1024)]
Dims = Dim | dict[str, Dim]
"""One embedding dimension for every field, or one per field."""


class DensePart(Protocol):
    """What the module of every kind offers beside `forward` and its `head`.

    A module whose graph holds numbers of its own (of a reshape) names them in `graph_constants`, so that graphs are
    shared only where they are the same. `fixed_layers`, where there are any, name linear layers whose outputs stay.
    """

    def inherit(self, old: nn.Module, columns: list[int], dims: list[int] | None) -> list[int] | None:
        """Copies from an equal or larger part of the same kind everything but the head.

        `columns` are the old input's columns that the new input has, in order; `dims` the embedding dimensions behind
        them where every field kept the same ones. Returns the columns of the old head's input that the new head reads,
        or None where they do not correspond. `ValueError` where this part is larger.
        """


class Shape(Protocol):
    """A frozen pydantic model with a `kind`: everything that `build` needs beside the schema.

    `aligned`: whether dimension k of one field meets dimension k of another (products of fields), so that all fields
    have one dimension and a narrower student keeps the same dimensions of each; such a kind reads no vectors.
    `whole_lists`: whether it reads every entry of a list, or their mean.
    """

    aligned: ClassVar[bool]
    whole_lists: ClassVar[bool]

    @property
    def kind(self) -> str:
        """Name of the model."""

    @property
    def embedding_dim(self) -> Dims:
        """Embedding dimension."""

    @property
    def tower(self) -> tuple[int, ...]:
        """Widths of the (first) tower."""

    def dense(self, schema: Schema, dims: tuple[int, ...]) -> nn.Module:
        """Everything above the embeddings, freshly initialised: float32 (n, width) in, logits (n, tasks) out.

        `dims` are the widths of the schema's inputs, in order: embedding dimensions of fields and of lists (of one
        entry, or of their mean), then those of vectors. The input is what an `EmbeddingBank` gives.

        It has a `head`, and is a `DensePart`.
        """

    def larger_than(self, teacher: Shape) -> str | None:
        """Name of the first respect in which this shape cannot be cut out of `teacher`'s; None where it can."""

    def words(self) -> str:
        """For people: "d 16, 2 cross, 256x256"."""

    def model_dump(self, *, mode: str = "python") -> dict[str, Any]:
        """The shape as plain data."""

    def model_copy(self, *, update: Mapping[str, Any] | None = None) -> Shape:
        """A changed copy, not validated again."""


def parse_shape(value: object) -> Shape:
    """A shape from its JSON form; without a `kind` it is a DCNv2. `ValueError` naming the known kinds."""
    if isinstance(value, Mapping) and "kind" not in value:
        value = {"kind": "dcnv2", **value}
    return cast(Shape, family.parse(PACKAGE, value))


AnyShape = Annotated[
    Shape, PlainValidator(parse_shape), PlainSerializer(lambda shape: shape.model_dump(mode="json"), return_type=dict)
]


def changed(shape: Shape, changes: Mapping[str, Any]) -> Shape:
    """`shape` with other values, validated."""
    return parse_shape({**shape.model_dump(mode="json"), **changes})


def knobs() -> dict[str, list[type[Any]]]:
    """Every key that some kind of shape has, with the kinds that have it."""
    found: dict[str, list[type[Any]]] = {}
    for model in family.members(PACKAGE).values():
        for key in model.model_fields:
            found.setdefault(key, []).append(model)
    return found


def table_dims(embedding_dim: Dims, tables: tuple[str, ...]) -> tuple[int, ...]:
    """Embedding dimension of each table. `ValueError` names one of `embedding_dim` that is not there, or lacks."""
    if isinstance(embedding_dim, int):
        return (embedding_dim,) * len(tables)
    if unknown := sorted(set(embedding_dim) - set(tables)):
        raise ValueError(f"embedding_dim names {unknown[0]!r}, which is no field: {', '.join(tables)}")
    if absent := [name for name in tables if name not in embedding_dim]:
        raise ValueError(f"embedding_dim lacks field {absent[0]!r}")
    return tuple(embedding_dim[name] for name in tables)


def wider(mine: tuple[int, ...], theirs: tuple[int, ...]) -> bool:
    """Whether a tower has more layers, or a wider one, than the tower that it is to be cut out of."""
    return len(mine) > len(theirs) or any(own > other for own, other in zip(mine, theirs, strict=False))


def first_larger(mine: Shape, theirs: Shape, respects: Mapping[str, bool]) -> str | None:
    """What every kind asks first (same kind, same head, embeddings, tower), then its own `respects`."""
    if mine.kind != theirs.kind:
        return "kind"
    own, other = mine.embedding_dim, theirs.embedding_dim
    if isinstance(own, int) and isinstance(other, int) and own > other:
        return "embedding_dim"
    if wider(mine.tower, theirs.tower):
        return "tower"
    return next((name for name, larger in respects.items() if larger), None)


def by_words(widths: tuple[int, ...]) -> str:
    """`256x256`, or `no tower`."""
    return "x".join(map(str, widths)) or "no tower"


def dim_words(embedding_dim: Dims) -> str:
    """`d 16` or `mixed d`."""
    return f"d {embedding_dim}" if isinstance(embedding_dim, int) else "mixed d"
