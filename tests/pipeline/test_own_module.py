"""A user's own module of thirty lines, searched from the command to the front through configuration alone."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from tests.pipeline import small

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(300)]

MODULE = '''
import torch
from torch import nn


class Gated(nn.Module):
    """A tower whose input is weighed by a gate of its own, with a shortcut past it."""

    def __init__(self, width: int, tasks: int, hidden: int, depth: int = 2) -> None:
        super().__init__()
        self.gate = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        layers = []
        for index in range(depth):
            layers += [nn.Linear(width if index == 0 else hidden, hidden), nn.GELU()]
        self.tower = nn.Sequential(*layers)
        self.shortcut = nn.Linear(width, tasks)
        self.out = nn.Linear(hidden, tasks)

    def forward(self, embedded: torch.Tensor) -> torch.Tensor:
        weighed = self.norm(embedded) * torch.sigmoid(self.gate(embedded))
        return self.out(self.tower(weighed)) + self.shortcut(embedded)
'''


def test_an_own_module_is_pruned_quantized_and_exported_like_ours(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_models.py").write_text(MODULE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    shaped = [word for word in small.OVERRIDES if "teacher.shape" not in word]
    own = ["teacher=module", "teacher.target=my_models.Gated", "+teacher.arguments.hidden=32"]
    items = [*shaped, *own, "study.n_trials=4", "tracking.enabled=false"]
    ended = small.run(tmp_path, cache, *items)
    assert ended.returncode == 0, ended.stderr
    front = small.front(tmp_path)
    assert (front.state, front.trials.failed) == ("ended", 0)
    assert front.teacher.words == "my_models.Gated, d 16"

    kinds = {transform["kind"] for stage in front.points[0].plan["stages"] for transform in stage["transforms"]}
    assert "quantize_tables" in kinds
    smallest = min(front.points, key=lambda point: point.model_bytes)
    assert smallest.compression_ratio > 4
    folder = small.study_folder(tmp_path) / smallest.artefact
    # what is stored names the kind and nothing that could be imported
    assert "my_models" not in "".join((folder / name).read_text() for name in ("plan.json", "records.json"))
    records = json.loads((folder / "records.json").read_text())
    pruned = [record["kept"] for record in records if "kept" in record]
    assert all("tower.0" in kept for kept in pruned)

    small.run(tmp_path, cache, "rows", *items, "split=test", "output=rows.parquet")
    small.run(tmp_path, cache, "predict", f"artefact={folder}", "input=rows.parquet", "output=scores.parquet")
    rows, scores = pl.read_parquet(tmp_path / "rows.parquet"), pl.read_parquet(tmp_path / "scores.parquet")
    for task in ("click", "conversion"):
        told = smallest.quality[task]["auc"].test
        assert told == pytest.approx(roc_auc_score(rows[task], scores[task]), abs=1e-4)
