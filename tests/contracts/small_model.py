"""A model small enough to be compressed, exported and compared in milliseconds, and the sample it is judged on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from autocompress import family
from autocompress.artefact.export import export
from autocompress.compress.plan import PACKAGE
from autocompress.compress.transform import Context, Transform
from autocompress.data.inputs import Inputs
from autocompress.data.numbering import renumbered
from autocompress.models.dcnv2 import DCNv2Shape
from autocompress.models.recommender import Recommender, build, tensors
from autocompress.models.shape import Shape
from autocompress.schema import Field, Schema, Sequence, Task, Vector

KINDS = cast(Mapping[str, type[Transform]], family.members(PACKAGE))
SHAPE = DCNv2Shape(embedding_dim=8, cross_layers=1, cross_rank=16, tower=(32, 16))
ROWS = {"user": 401, "item": 301, "city": 201, "device": 101, "price": 12, "tags": 61}
"""Of each table; `history` reads the items'."""
SCHEMA = Schema(
    fields=(*(Field(name=name) for name in ("user", "item", "city", "device")), Field(name="price", kind="numeric")),
    sequences=(Sequence(name="history", length=4, shares="item"), Sequence(name="tags", length=3)),
    vectors=(Vector(name="image", width=5), Vector(name="age")),
    tasks=(Task(name="click", label="clicked"), Task(name="buy", label="bought", parent="click")),
)


def transform(kind: str, knobs: Mapping[str, Any]) -> Transform:
    return cast(Transform, family.parse(PACKAGE, {"kind": kind, **knobs}))


def new_model(seed: int = 0, shape: Shape = SHAPE) -> Recommender:
    """The same weights for the same seed, of a size at which every part of the model moves the scores."""
    torch.manual_seed(seed)
    model = build(shape, schema_for(shape), [*ROWS.values()])
    with torch.no_grad():
        for table in model.bank.tables:
            table.copy_(torch.randn(table.shape) * 0.5)
    return model.eval()


def schema_for(shape: Shape) -> Schema:
    """Everything that the shape can read."""
    return SCHEMA.model_copy(update={"vectors": ()}) if shape.aligned else SCHEMA


def new_context(rows: int = 512, shape: Shape = SHAPE) -> Context:
    schema, draw = schema_for(shape), np.random.default_rng(7)
    inputs = drawn([[*ROWS.values()][table] for table in schema.slots], schema, rows, draw)
    counts = [np.array([3, *range(5 * have, 5, -5)][:have], dtype=np.int64) for have in ROWS.values()]
    labels = (draw.random((rows, len(SCHEMA.tasks))) < 0.3).astype(np.float32)
    ids, numbers = tensors(inputs)
    return Context(schema, counts, ids, torch.from_numpy(labels), numbers)


def new_inputs(model: Recommender, rows: int = 64, seed: int = 3) -> Inputs:
    """The data's ids, whatever the model makes of them; some lists are short or empty."""
    schema = SCHEMA if model.bank.layout.numbers else SCHEMA.model_copy(update={"vectors": ()})
    return drawn([[*ROWS.values()][table] for table in schema.slots], schema, rows, np.random.default_rng(seed))


def own_inputs(model: Recommender, rows: int = 64, seed: int = 3) -> Inputs:
    """`new_inputs` as the encoder shipped with `model` would give them."""
    return renumbered(new_inputs(model, rows, seed), model.bank.numbering)


def drawn(slot_rows: Iterable[int], schema: Schema, rows: int, draw: np.random.Generator) -> Inputs:
    ids = np.stack([np.floor(have * draw.random(rows) ** 2) for have in slot_rows], axis=1).astype(np.int32)
    start = len(schema.fields)
    for each in schema.sequences:
        padding = np.arange(each.length) < draw.integers(0, each.length + 1, size=(rows, 1))
        ids[:, start : start + each.length][padding] = -1
        start += each.length
    width = sum(vector.width for vector in schema.vectors)
    # numbers of the size of the embeddings: no part of the input hides another
    return Inputs(ids, 0.5 * draw.standard_normal((rows, width), dtype=np.float32) if width else None)


def logits_of(model: Recommender, context: Context) -> torch.Tensor:
    logits: torch.Tensor = model(context.ids, context.numbers)
    return logits


@dataclass(frozen=True)
class Exporter:
    """Exports into files of its own; the graphs that torch makes are shared by the whole session."""

    cache: Path
    folder: Path

    def __call__(self, model: Recommender, name: str = "model") -> Path:
        path = self.folder / f"{name}.onnx"
        schema = SCHEMA if model.bank.layout.numbers else SCHEMA.model_copy(update={"vectors": ()})
        export(model, schema, path, self.cache)
        return path


def initializers(path: Path) -> dict[str, NDArray[np.generic]]:
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}


@torch.no_grad()
def scores_of(model: Recommender, inputs: Inputs) -> NDArray[np.float32]:
    scores: NDArray[np.float32] = torch.sigmoid(model.eval()(*tensors(inputs))).numpy()
    return scores
