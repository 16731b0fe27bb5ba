"""What is tried: the logs, every method at three strengths, and small models of the same bytes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

DATA = Path(os.environ.get("DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
TEACHERS = {
    "simulator": ["search=ads", "data.rows=1000000"],
    "kuairand": ["search=ads", "data=kuairand", f"data.root={DATA / 'kuairand_pure'}"],
    "gowalla": [
        "search=retrieval", "data=gowalla", f"data.root={DATA / 'gowalla'}", "data.negatives.each=1",
        "teacher.shape.embedding_dim=64", "teacher.shape.output=64", "teacher.training.epochs=8",
        "search_spaces=[]",
    ],
}  # fmt: skip
Plan = list[dict[str, Any]]
EIGHT_BIT_ROWS: dict[str, Any] = {"kind": "quantize_tables", "bits": 8}
TABLES: dict[str, list[Plan]] = {
    "rows": [[{"kind": "rows", "keep": keep}] for keep in (0.5, 0.2, 0.05)],
    "tables, bits, a scale per row": [[{"kind": "quantize_tables", "bits": bits}] for bits in (8, 4, 2)],
    "tables, bits, a scale per field": [
        [{"kind": "quantize_tables", "bits": bits, "granularity": "field"}] for bits in (8, 4, 2)
    ],
    "product quantization, numbers per byte": [
        [{"kind": "product_quantization", "piece": piece, "least_rows": 1_000}] for piece in (2, 4, 8)
    ],
    "factored tables": [[{"kind": "factor_tables", "keep": keep}] for keep in (0.75, 0.5, 0.25)],
}
DENSE: dict[str, list[Plan]] = {
    "channels": [[{"kind": "channels", "ratio": ratio}] for ratio in (0.25, 0.5, 0.75)],
    "low rank": [[{"kind": "low_rank", "keep": keep}] for keep in (0.5, 0.25, 0.1)],
    "single weights": [[{"kind": "weights", "sparsity": share}] for share in (0.5, 0.8, 0.95)],
    "weights alone, bits": [[{"kind": "quantize_dense", "activations": "float", "bits": bits}] for bits in (16, 8, 4)],
    "int8, calibrated": [
        [{"kind": "quantize_dense", "calibration": name}] for name in ("minmax", "percentile", "entropy")
    ],
    "int8, a scale per row": [[{"kind": "quantize_dense", "activations": "row"}]],
    "8 bit rows and int8": [[EIGHT_BIT_ROWS, {"kind": "quantize_dense"}]],
}
METHODS = {"simulator": TABLES | DENSE, "kuairand": TABLES | DENSE, "gowalla": TABLES}
SCRATCH = {
    **{
        name: [
            {"embedding_dim": dim, "cross_layers": 1, "cross_rank": 16, "tower": tower}
            for dim, tower in ((1, [16]), (2, [16]), (4, [32]), (8, [64]), (12, [128]))
        ]
        for name in ("simulator", "kuairand")
    },
    "gowalla": [{"embedding_dim": dim, "output": dim} for dim in (2, 4, 8, 16, 32)],
}
"""Shapes of models trained from scratch, by the teacher's own training: what the same bytes buy without a teacher."""
RECOVERY = {
    "simulator": {"data_share": 0.4, "learning_rate": 5e-4, "embedding_learning_rate": 0.02},
    "kuairand": {"data_share": 1.0, "learning_rate": 2e-4, "embedding_learning_rate": 0.003},
    "gowalla": {"data_share": 1.0, "learning_rate": 5e-4, "embedding_learning_rate": 0.03},
}
OBJECTIVE = {
    "simulator": {"distillation_weight": 0.5, "temperature": 2.0},
    "kuairand": {"distillation_weight": 0.7, "temperature": 2.0},
    "gowalla": {"distillation_weight": 0.5, "in_batch_weight": 1.0},
}
