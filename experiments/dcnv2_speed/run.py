"""How much faster does a DCNv2 get by which method? Nothing but time is measured.

    python experiments/dcnv2_speed/run.py      # about 4 minutes on two cores

The network of the published benchmarks: 39 fields of 16 numbers, three full-rank cross layers of width 624, tower
400x3; **random weights**, small tables. Every file takes turns with the teacher's on one pinned thread: one run each,
which finds the caches full of the other's weights, and ten in a row, as a server runs one model. Several rounds of
each: medians, their ratio, and the lowest and highest round. Stored: `results.json`.
"""

from __future__ import annotations

import copy
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from autocompress import family
from autocompress.artefact.export import export
from autocompress.artefact.runtime import open_session
from autocompress.compress.inherit import inherit
from autocompress.compress.plan import PACKAGE
from autocompress.compress.transform import Context, Transform
from autocompress.data.inputs import Inputs
from autocompress.measure.latency import Sessions, interleaved, speedup
from autocompress.measure.machine import machine
from autocompress.models.dcnv2 import DCNv2Shape
from autocompress.models.recommender import build, tensors
from autocompress.models.shape import changed
from autocompress.schema import Field, Schema, Task
from autocompress.storage import write_json

STORED = Path(__file__).parent / "results.json"
FIELDS, ROWS, BATCHES, ROUNDS, RUNS, SECONDS = 39, 1_000, (1, 64, 256), 5, 200, 2.0
TURNS = {"ten_in_a_row": 10, "one_by_one": 1}
SCHEMA = Schema(fields=tuple(Field(name=f"f{n}") for n in range(FIELDS)), tasks=(Task(name="click", label="click"),))
TEACHER = DCNv2Shape(embedding_dim=16, cross_layers=3, cross_rank=None, tower=(400, 400, 400))
HALF = {"tower": [200, 200, 200]}
LOW = {**HALF, "cross_rank": 64}
Cell = tuple[dict[str, Any], list[dict[str, Any]]]
INT8: dict[str, Any] = {"kind": "quantize_dense"}
CELLS: dict[str, Cell] = {
    "half of the tower's channels": ({}, [{"kind": "channels", "ratio": 0.5}]),
    "cross layers of rank 64": ({"cross_rank": 64}, []),
    "half towers, cross layers of rank 64": (LOW, []),
    "half towers, rank 64, int8": (LOW, [INT8]),
    "half towers, rank 64, int8, 8 bit rows": (LOW, [{"kind": "quantize_tables", "bits": 8}, INT8]),
    "int8": ({}, [INT8]),
    "int8, a scale per row": ({}, [{"kind": "quantize_dense", "activations": "row"}]),
    "a quarter of the dense weights, low rank": ({}, [{"kind": "low_rank", "keep": 0.25}]),
}


def measured(files: Sessions, in_a_row: int) -> dict[str, Any]:
    """How many times faster the file is than the teacher's, and its milliseconds."""
    rounds = [interleaved(files, RUNS, warmup=5, seconds=SECONDS, in_a_row=in_a_row) for _ in range(ROUNDS)]
    ratios = [speedup(each["teacher"], each["file"]) for each in rounds]
    return {
        "times_faster": statistics.median(ratios),
        "lowest_and_highest": [min(ratios), max(ratios)],
        "milliseconds": statistics.median(float(np.median(each["file"])) for each in rounds),
    }


def main() -> None:
    """Runs everything and stores it."""
    torch.manual_seed(0)
    draw = np.random.default_rng(0)
    teacher = build(TEACHER, SCHEMA, [ROWS] * FIELDS).eval()
    inputs = Inputs(draw.integers(0, ROWS, (4_096, FIELDS)).astype(np.int32))
    ids, numbers = tensors(inputs)
    context = Context(SCHEMA, [np.ones(ROWS, dtype=np.int64)] * FIELDS, ids, torch.zeros(len(ids), 1), numbers)
    found: dict[str, Any] = {"machine": machine(), "rounds": ROUNDS, "cells": {}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export(teacher, SCHEMA, folder / "teacher.onnx", folder)
        reference = open_session(folder / "teacher.onnx")
        for words, (changes, transforms) in CELLS.items():
            model = inherit(teacher, changed(TEACHER, changes), context) if changes else copy.deepcopy(teacher)
            for each in transforms:
                cast(Transform, family.parse(PACKAGE, each)).apply(model, context)
            export(model, SCHEMA, folder / "model.onnx", folder)
            session, times = open_session(folder / "model.onnx"), {}
            for batch in BATCHES:
                files = {"teacher": (reference, inputs[:batch]), "file": (session, inputs[:batch])}
                times[str(batch)] = {name: measured(files, in_a_row) for name, in_a_row in TURNS.items()}
            found["cells"][words] = times
            print(words, json.dumps(times), flush=True)
    write_json(STORED, found)


if __name__ == "__main__":
    main()
