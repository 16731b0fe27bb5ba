"""The same plan, data, seed and machine give the same artefact, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from autocompress.compress.plan import Plan
from autocompress.config.compose import compose
from autocompress.data.store import prepare
from autocompress.search.landmarks import ship_ready
from autocompress.search.scene import Scene
from autocompress.search.trial import run_trial

from .small import OVERRIDES

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(120)]

OBJECTIVE = {"distillation_weight": 0.5, "temperature": 2.0}
PLAN = {
    "student": {"kind": "dcnv2", "embedding_dim": 4, "cross_layers": 1, "tower": [16]},
    "stages": [
        {
            "transforms": [
                {"kind": "rows", "keep": 0.5},
                {"kind": "channels", "ratio": 0.3},
                {"kind": "quantize_tables", "bits": 4, "granularity": "row"},
                {"kind": "quantize_dense"},
            ],
            "recovery": {"data_share": 0.2, "batch_size": 256, "objective": OBJECTIVE, "mask_ids": 0.05},
        },
        {"recovery": {"data_share": 0.5, "batch_size": 256, "objective": OBJECTIVE, "warm_up": 0.1}},
    ],
}


def made(cache: Path, seed: int) -> tuple[str, str, list[float]]:
    """Digests of the teacher's file and of a trial's, and what the trial's rungs showed, all from an empty cache."""
    (config,) = compose([*OVERRIDES, f"study.seed={seed}"])
    dataset = prepare(config.data, config.cleaning, cache)
    ready = config.teacher.ready(dataset, seed, cache, None, config.goal)
    folder = cache / "study"
    folder.mkdir()
    scene = Scene(
        dataset=dataset,
        shape=config.teacher.shape,
        teacher=ready,
        teacher_file=ship_ready(ready, "teacher", dataset, folder, cache),
        cache=cache,
        folder=folder,
        threads=2,
        seed=seed,
        soft_rows=dataset.rows["train"],
        goal=config.goal,
        mask_ids=config.teacher.training.mask_ids,
    )
    outcome = run_trial(
        Plan.model_validate(PLAN), scene, lambda rung, seen: "go on", lambda rung, quality: None, seed=seed
    )
    assert outcome.bundle is not None
    return scene.teacher_file.digest, outcome.bundle.digest, [rung["quality"] for rung in outcome.rungs]


def test_a_plan_gives_the_same_artefact_again_and_another_seed_another(tmp_path: Path) -> None:
    first, again, other = (made(tmp_path / name, seed) for name, seed in (("one", 0), ("two", 0), ("three", 1)))
    assert first == again
    assert other[:2] != first[:2]
    assert len(first[2]) == 4
