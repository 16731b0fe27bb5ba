"""A model small enough to be compressed, exported and compared in milliseconds, and the sample it is judged on."""

from __future__ import annotations

from collections.abc import Mapping
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
from autocompress.models.dcnv2 import DCNv2Shape
from autocompress.models.recommender import Recommender, build
from autocompress.models.shape import Shape
from autocompress.schema import Field, Schema, Task

KINDS = cast(Mapping[str, type[Transform]], family.members(PACKAGE))
SHAPE = DCNv2Shape(embedding_dim=8, cross_layers=1, cross_rank=16, tower=(32, 16))
ROWS = (401, 301, 201, 101, 12)
SCHEMA = Schema(
    fields=(*(Field(name=name) for name in ("user", "item", "city", "device")), Field(name="price", kind="numeric")),
    tasks=(Task(name="click", label="clicked"), Task(name="buy", label="bought", parent="click")),
)


def transform(kind: str, knobs: Mapping[str, Any]) -> Transform:
    return cast(Transform, family.parse(PACKAGE, {"kind": kind, **knobs}))


def new_model(seed: int = 0, shape: Shape = SHAPE) -> Recommender:
    """The same weights for the same seed, of a size at which every part of the model moves the scores."""
    torch.manual_seed(seed)
    model = build(shape, SCHEMA, ROWS)
    with torch.no_grad():
        for table in model.bank.tables:
            table.copy_(torch.randn(table.shape) * 0.5)
    return model.eval()


def new_context(rows: int = 512) -> Context:
    draw = np.random.default_rng(7)
    ids = np.stack([np.floor(have * draw.random(rows) ** 2) for have in ROWS], axis=1).astype(np.int64)
    counts = [np.array([3, *range(5 * have, 5, -5)][:have], dtype=np.int64) for have in ROWS]
    labels = (draw.random((rows, len(SCHEMA.tasks))) < 0.3).astype(np.float32)
    return Context(SCHEMA, counts, torch.from_numpy(ids), torch.from_numpy(labels))


def new_ids(model: Recommender, rows: int = 64, seed: int = 3) -> NDArray[np.int32]:
    """Ids that every field of `model` has, as the shipped encoder would give them."""
    return np.floor(np.random.default_rng(seed).random((rows, len(ROWS))) * model.bank.rows).astype(np.int32)


@dataclass(frozen=True)
class Exporter:
    """Exports into files of its own; the graphs that torch makes are shared by the whole session."""

    cache: Path
    folder: Path

    def __call__(self, model: Recommender, name: str = "model") -> Path:
        path = self.folder / f"{name}.onnx"
        export(model, SCHEMA, path, self.cache)
        return path


def initializers(path: Path) -> dict[str, NDArray[np.generic]]:
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}


@torch.no_grad()
def scores_of(model: Recommender, ids: NDArray[np.int32]) -> NDArray[np.float32]:
    scores: NDArray[np.float32] = torch.sigmoid(model.eval()(torch.from_numpy(ids.astype(np.int64)))).numpy()
    return scores
