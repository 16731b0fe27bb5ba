"""One log's teacher, and how files are held against it: what several experiments share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from autocompress.artefact.export import export
from autocompress.artefact.runtime import open_session, outputs
from autocompress.config.compose import compose
from autocompress.data.numbering import Numbering, renumbered
from autocompress.data.store import prepare
from autocompress.measure.bootstrap import auc_replicates, interval, weights
from autocompress.measure.catalogue import Catalogue, catalogue_of
from autocompress.measure.latency import interleaved, speedup
from autocompress.models.recommender import Recommender
from autocompress.search.landmarks import ship_ready
from autocompress.search.scene import Scene
from autocompress.training.teachers.from_scratch import FromScratch

BATCHES, RUNS, SECONDS, TOP = (1, 64, 256), 200, 1.0, 20
Replicates = NDArray[np.float64]


class Judge:
    """One log's teacher, and how every file is held against it."""

    def __init__(self, overrides: list[str], folder: Path, assistants: tuple[FromScratch, ...] = ()) -> None:
        (self.config,) = compose(overrides)
        cache = self.config.cache.expanduser()
        self.dataset = prepare(self.config.data, self.config.cleaning, cache)
        ready = self.config.teacher.ready(self.dataset, 0, cache, None, self.config.goal)
        self.scene = Scene(
            dataset=self.dataset,
            shape=self.config.teacher.shape,
            teacher=ready,
            teacher_file=ship_ready(ready, "teacher", self.dataset, folder, cache),
            cache=cache,
            folder=folder,
            threads=2,
            seed=0,
            soft_rows=self.dataset.rows["train"],
            goal=self.config.goal,
            mask_ids=self.config.teacher.training.mask_ids,
            assistants=assistants,
        )
        catalogue = self.config.catalogue
        self.catalogue: Catalogue | None = None if catalogue is None else catalogue_of(self.dataset, "test", catalogue)
        several = self.dataset.rows["test"] if self.catalogue is None else len(self.catalogue.users)
        self.drawn = weights(several, seed=5)
        self.teacher = self.quality(self.scene.teacher_file.model, self.scene.numbering)

    def quality(self, path: Path, numbering: Numbering) -> Replicates:
        """Float64 (1 + replicates,): the value itself first."""
        session = open_session(path, 2)
        ones = np.ones((1, self.drawn.shape[1]), dtype=np.uint8)
        drawn = np.concatenate([ones, self.drawn])
        if self.catalogue is None:
            scores = outputs(session, renumbered(self.dataset.inputs("test"), numbering))["scores"]
            return auc_replicates(scores[:, 0], self.dataset.labels("test")[:, 0], drawn)
        ranks = self.catalogue.ranks(lambda inputs: outputs(session, renumbered(inputs, numbering)), TOP)
        user = self.catalogue.wanted[:, 0]
        wanted = np.bincount(user, minlength=drawn.shape[1])
        found = np.bincount(user, (ranks < TOP).astype(np.float64), minlength=drawn.shape[1])
        return drawn @ (found / wanted) / drawn.sum(axis=1)

    def change(self, path: Path, numbering: Numbering) -> dict[str, Any]:
        """Quality, and how far it is from the teacher's."""
        mine = self.quality(path, numbering)
        return {
            "quality": float(mine[0]),
            "change": float(mine[0] - self.teacher[0]),
            "change_ci95": list(interval((mine - self.teacher)[1:])),
        }

    def speed(self, path: Path, numbering: Numbering) -> dict[str, float]:
        """Times faster than the teacher's file, by batch size."""
        found = {}
        for batch in BATCHES:
            inputs = self.dataset.inputs("test")[:batch]
            files = {
                "teacher": (self.scene.teacher_session, inputs),
                "file": (open_session(path), renumbered(inputs, numbering)),
            }
            times = interleaved(files, RUNS, warmup=5, seconds=SECONDS)
            found[str(batch)] = speedup(times["teacher"], times["file"])
        return found

    def file(self, model: Recommender, path: Path) -> dict[str, Any]:
        """What a model's file is: bytes, those of its tables, and change of quality."""
        export(model, self.dataset.schema, path, self.scene.cache)
        layout = model.bank.layout
        largest = int(np.argmax(layout.rows))
        prefix = f"apart_{largest}." if largest in layout.apart else None
        sizes = {"bytes": path.stat().st_size, "table_bytes": table_bytes(path)}
        if prefix is not None:
            sizes["bytes_of_largest_table"] = table_bytes(path, (prefix,))
        return {**sizes, **self.change(path, model.bank.numbering)}


def table_bytes(path: Path, prefixes: tuple[str, ...] = ("table_", "apart_")) -> int:
    """Of everything that a file stores for its lookups, or of what is called so."""
    stored = onnx.load(path).graph.initializer
    return sum(len(tensor.raw_data) for tensor in stored if tensor.name.startswith(prefixes))
