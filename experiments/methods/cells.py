"""What is tried: the logs, every method at three strengths, and small models of the same bytes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

DATA = Path(os.environ.get("DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
TEACHERS = {
    # enough users for a table of more than 100,000 rows
    "simulator": ["search=ads", "data.rows=4000000", "data.users=500000"],
    "kuairand": ["search=ads", "data=kuairand", f"data.root={DATA / 'kuairand_pure'}"],
    "gowalla": [
        "search=retrieval", "data=gowalla", f"data.root={DATA / 'gowalla'}", "data.negatives.each=1",
        "teacher.shape.embedding_dim=64", "teacher.shape.output=64", "teacher.training.epochs=8",
        "search_spaces=[]",
    ],
}  # fmt: skip
Plan = list[dict[str, Any]]
EIGHT_BIT_ROWS: dict[str, Any] = {"kind": "quantize_tables", "bits": 8}
LEAST = 1_000
"""Rows of a table that methods for large ones look at."""


def apart(kind: str, knob: str, values: tuple[float, ...]) -> list[Plan]:
    """A method for large tables at several strengths."""
    return [[{"kind": kind, knob: value, "least_rows": LEAST}] for value in values]


ROWS_AND_NUMBERS: dict[str, list[Plan]] = {
    "rows": [[{"kind": "rows", "keep": keep}] for keep in (0.5, 0.2, 0.05)],
    "rows by gradient": [[{"kind": "rows", "keep": keep, "importance": "gradient"}] for keep in (0.5, 0.2, 0.05)],
    "rows by norm": [[{"kind": "rows", "keep": keep, "importance": "norm"}] for keep in (0.5, 0.2, 0.05)],
    "rows, the others in buckets": [[{"kind": "rows", "keep": keep, "buckets": 0.05}] for keep in (0.5, 0.2, 0.05)],
    "hashing": apart("hashing", "keep", (0.5, 0.2, 0.05)),
    "dimensions by field": [[{"kind": "dimensions", "keep": keep}] for keep in (0.75, 0.5, 0.25)],
    "tables, bits, a scale per row": [[{"kind": "quantize_tables", "bits": bits}] for bits in (8, 4, 2)],
    "tables, bits, a step per field": [
        [{"kind": "quantize_tables", "bits": bits, "granularity": "field"}] for bits in (8, 4, 2)
    ],
    "tables, mixed bits": [[{"kind": "mixed_table_bits", "average_bits": bits}] for bits in (7.0, 5.0, 4.0)],
    "factored tables": [[{"kind": "factor_tables", "keep": keep}] for keep in (0.75, 0.5, 0.25)],
    "quotient and remainder": apart("compositional", "keep", (0.5, 0.2, 0.05)),
    "tensor trains": apart("tensor_train", "rank", (32, 16, 8)),
}
OF_FIELDS: dict[str, list[Plan]] = {
    "fields": [[{"kind": "fields", "keep": keep}] for keep in (0.8, 0.6, 0.4)],
    "dimensions by rows": [[{"kind": "mixed_dimensions", "alpha": alpha}] for alpha in (0.1, 0.2, 0.3)],
    "product quantization": apart("product_quantization", "piece", (2, 4, 8, 3.2)),
}
DENSE: dict[str, list[Plan]] = {
    "channels": [[{"kind": "channels", "ratio": ratio}] for ratio in (0.25, 0.5, 0.75)],
    "low rank": [[{"kind": "low_rank", "keep": keep}] for keep in (0.5, 0.25, 0.1)],
    "single weights": [[{"kind": "weights", "sparsity": share}] for share in (0.5, 0.8, 0.95)],
    "single weights, gradual": [
        [{"kind": "weights", "sparsity": share, "schedule": "gradual"}] for share in (0.5, 0.8, 0.95)
    ],
    "single weights, dynamic": [
        [{"kind": "weights", "sparsity": share, "schedule": "dynamic"}] for share in (0.5, 0.8, 0.95)
    ],
    "single weights, movement": [
        [{"kind": "weights", "sparsity": share, "schedule": "movement"}] for share in (0.5, 0.8, 0.95)
    ],
    "two of four weights": [[{"kind": "weights", "sparsity": 0.5, "pattern": "2:4"}]],
    "weights alone, bits": [[{"kind": "quantize_dense", "activations": "float", "bits": bits}] for bits in (16, 8, 4)],
    "weights alone, mixed bits": [[{"kind": "mixed_dense_bits", "average_bits": bits}] for bits in (12.0, 8.0, 6.0)],
    "pieces of weights": [[{"kind": "codebook_dense", "piece": piece}] for piece in (1, 2, 4)],
    "int8, calibrated": [
        [{"kind": "quantize_dense", "calibration": name}] for name in ("minmax", "percentile", "entropy")
    ],
    "int8, a step per layer": [[{"kind": "quantize_dense", "weights": "tensor"}]],
    "int8, a scale per row": [[{"kind": "quantize_dense", "activations": "row"}]],
    "8 bit rows and int8": [[EIGHT_BIT_ROWS, {"kind": "quantize_dense"}]],
}
METHODS = {
    "simulator": ROWS_AND_NUMBERS | OF_FIELDS | DENSE,
    "kuairand": ROWS_AND_NUMBERS | OF_FIELDS | DENSE,
    # two fields of about as many rows: none can go, and mixed dimensions are factored tables
    "gowalla": ROWS_AND_NUMBERS | {"product quantization": apart("product_quantization", "piece", (3.2, 3.37, 4))},
}
SCRATCH = {
    **{
        name: [
            {"embedding_dim": dim, "cross_layers": 1, "cross_rank": 16, "tower": tower}
            for dim, tower in ((1, [16]), (2, [16]), (4, [32]), (8, [64]), (12, [128]))
        ]
        for name in ("simulator", "kuairand")
    },
    "gowalla": [{"embedding_dim": dim, "output": dim} for dim in (2, 4, 5, 6, 8, 16, 32)],
}
"""Shapes of models trained from scratch, by the teacher's own training: what the same bytes buy without a teacher."""
RECOVERY = {
    "simulator": {"data_share": 0.2, "learning_rate": 3e-4, "embedding_learning_rate": 0.003},
    "kuairand": {"data_share": 1.0, "learning_rate": 3e-4, "embedding_learning_rate": 0.003},
    "gowalla": {"data_share": 1.0, "learning_rate": 1e-3, "embedding_learning_rate": 0.01},
}
OBJECTIVE = {
    "simulator": {"distillation_weight": 1.0},
    "kuairand": {"distillation_weight": 1.0},
    "gowalla": {"distillation_weight": 1.0, "in_batch_weight": 1.0},
}
"""The teacher alone (gowalla: its softmax over a batch's items, too): labels once more move every student, compressed
or not, towards its training rows."""
