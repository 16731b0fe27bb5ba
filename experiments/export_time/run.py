"""What does one trial's file cost: export, parity with torch, and its size, at a teacher's scale?

    python experiments/export_time/run.py      # about 3 minutes on two cores

A DCNv2 of 39 fields, 1.06 M rows x 16, tower 400x3, three cross layers of rank 64, its weights random (**synthetic**:
nothing here depends on what they are). Each method of `EXAMPLES` is applied, and several together; then the file is
written, compared with torch on 2,000 rows, and its bytes are read, as `search/trial.py` does it. Seconds are medians of
`RUNS`, after one run that is not counted: torch exports each architecture once per cache, which is timed apart.
Stored: `results.json`.
"""

from __future__ import annotations

import copy
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from autocompress import family
from autocompress.artefact.export import export, parity
from autocompress.compress.plan import PACKAGE
from autocompress.compress.transform import Context, Transform
from autocompress.data.inputs import Inputs
from autocompress.measure.machine import machine
from autocompress.models.dcnv2 import DCNv2Shape
from autocompress.models.recommender import Recommender, build, tensors
from autocompress.schema import Field, Schema, Task
from autocompress.storage import write_json

HERE = Path(__file__).resolve().parent
STORED = HERE / "results.json"
RUNS, PARITY_ROWS, FIELDS = 5, 2_000, 39
ROWS = [round(10 ** (1.0 + 4.43 * (index / (FIELDS - 1)) ** 1.1)) for index in range(FIELDS)]
SCHEMA = Schema(fields=tuple(Field(name=f"f{n}") for n in range(FIELDS)), tasks=(Task(name="click", label="click"),))
SHAPE = DCNv2Shape(embedding_dim=16, cross_layers=3, cross_rank=64, tower=(400, 400, 400))
EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "float32, nothing applied": [],
    "half of the rows": [{"kind": "rows", "keep": 0.5}],
    "half of the channels": [{"kind": "channels", "ratio": 0.5}],
    "8 bit tables": [{"kind": "quantize_tables", "bits": 8}],
    "4 bit tables": [{"kind": "quantize_tables", "bits": 4}],
    "2 bit tables": [{"kind": "quantize_tables", "bits": 2}],
    "product quantization": [{"kind": "product_quantization", "piece": 4}],
    "a fifth of the rows, by remainder": [{"kind": "hashing", "keep": 0.2}],
    "rows in buckets": [{"kind": "rows", "keep": 0.2, "buckets": 0.1}],
    "three in five fields": [{"kind": "fields", "keep": 0.6}],
    "half of the dimensions": [{"kind": "dimensions", "keep": 0.5}],
    "factored tables": [{"kind": "factor_tables", "keep": 0.5}],
    "dimensions by rows": [{"kind": "mixed_dimensions", "alpha": 0.3}],
    "tables of mixed bits": [{"kind": "mixed_table_bits", "average_bits": 5.0}],
    "quotient and remainder": [{"kind": "compositional", "keep": 0.1}],
    "tensor trains": [{"kind": "tensor_train", "rank": 32}],
    "pieces of weights": [{"kind": "codebook_dense", "piece": 2}],
    "layers of mixed bits": [{"kind": "mixed_dense_bits", "average_bits": 8.0}],
    "int8, static": [{"kind": "quantize_dense"}],
    "int8, a scale per row": [{"kind": "quantize_dense", "activations": "row"}],
    "4 bit weights": [{"kind": "quantize_dense", "activations": "float", "bits": 4}],
    "low rank": [{"kind": "low_rank", "keep": 0.3}],
    "a fifth of the single weights": [{"kind": "weights", "sparsity": 0.8}],
    "rows, channels, 4 bit, int8": [
        {"kind": "rows", "keep": 0.5},
        {"kind": "channels", "ratio": 0.5},
        {"kind": "quantize_tables", "bits": 4},
        {"kind": "quantize_dense"},
    ],
}


def inputs_of(rows: tuple[int, ...], number: int, seed: int) -> Inputs:
    """Ids that a model with tables of so many rows has."""
    draw = np.random.default_rng(seed)
    return Inputs(np.stack([draw.integers(0, have, number) for have in rows], axis=1).astype(np.int32))


def trial(model: Recommender, inputs: Inputs, folder: Path, cache: Path) -> dict[str, float]:
    """Seconds of export and of parity, and the file's bytes."""
    path = folder / "model.onnx"
    started = time.perf_counter()
    export(model, SCHEMA, path, cache)
    size = path.stat().st_size
    written = time.perf_counter()
    apart = parity(model, path, inputs)
    return {"export": written - started, "parity": time.perf_counter() - written, "bytes": size, "apart": apart}


def main() -> None:
    """Runs everything and stores it."""
    torch.manual_seed(0)
    teacher = build(SHAPE, SCHEMA, ROWS).eval()
    with torch.no_grad():
        for table in teacher.bank.tables:
            table.copy_(0.3 * torch.randn(table.shape))
    counts = [np.arange(have, 0, -1, dtype=np.int64) for have in ROWS]
    ids, _ = tensors(inputs_of(tuple(ROWS), 4_096, 1))
    context = Context(SCHEMA, counts, ids, (torch.rand(len(ids), 1) < 0.3).float())
    found: dict[str, Any] = {"machine": machine(), "embedding_rows": sum(ROWS), "runs": RUNS, "methods": {}}
    with tempfile.TemporaryDirectory() as name:
        folder, cache = Path(name), Path(name) / "cache"
        for words, transforms in EXAMPLES.items():
            model = copy.deepcopy(teacher)
            started = time.perf_counter()
            for each in transforms:
                cast(Transform, family.parse(PACKAGE, each)).apply(model, context)
            applied = time.perf_counter() - started
            inputs = inputs_of(tuple(ROWS), PARITY_ROWS, 2)
            first, *runs = [trial(model, inputs, folder, cache) for _ in range(1 + RUNS)]
            median = {key: statistics.median(run[key] for run in runs) for key in ("export", "parity")}
            found["methods"][words] = {
                **median,
                "seconds": median["export"] + median["parity"],
                "apply": applied,
                "first_export": first["export"],
                "bytes": first["bytes"],
                "largest_difference": max(run["apart"] for run in runs),
            }
            print(words, json.dumps(found["methods"][words]), flush=True)
    found["median_seconds"] = statistics.median(each["seconds"] for each in found["methods"].values())
    found["worst_seconds"] = max(each["seconds"] for each in found["methods"].values())
    write_json(STORED, found)
    print(json.dumps({key: found[key] for key in ("median_seconds", "worst_seconds")}))


if __name__ == "__main__":
    main()
