"""What every way of searching stands on, and what it is judged by; `run.py` tells what it is all for."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from autocompress.artefact.bundle import Bundle
from autocompress.artefact.runtime import open_session, outputs
from autocompress.compress.plan import Objective
from autocompress.config.compose import compose
from autocompress.data.numbering import between, renumbered
from autocompress.data.store import prepare
from autocompress.measure.catalogue import catalogue_of
from autocompress.measure.group_metrics import PerGroup
from autocompress.measure.quality import quality
from autocompress.search.config import SearchConfig
from autocompress.search.landmarks import STOCK, ship_ready, ship_stock
from autocompress.search.objectives import REFERENCE_QUALITY, Vector, vector
from autocompress.search.opening import know, know_teacher, scene_of
from autocompress.search.results import mean_quality
from autocompress.search.scene import Scene

Quality = dict[str, dict[str, float]]
THREADS = 1
FAR = -2 * REFERENCE_QUALITY


def opened(config: SearchConfig, folder: Path, *, whole_log: bool) -> Scene:
    """Data, teacher and its file; the teacher speaks of the whole log, or of as many rows as the search asks for."""
    cache = config.cache.expanduser()
    dataset = prepare(config.data, config.cleaning, cache)
    ready = config.teacher.ready(dataset, config.study.seed, cache, None, config.goal)
    scene = scene_of(config, ready, dataset, folder, cache, THREADS)
    return replace(scene, soft_rows=dataset.rows["train"]) if whole_log else scene


def quality_on_test(bundle: Bundle, scene: Scene) -> Quality:
    """Every metric of a file on the test split."""
    dataset = scene.dataset
    session, numbering = open_session(bundle.model, scene.threads), between(dataset.encoder, bundle.encoder())
    names, rows = dataset.schema.task_names, dataset.rows["test"]
    parts = [
        outputs(session, renumbered(dataset.inputs("test")[start : start + 65_536], numbering))["scores"]
        for start in range(0, rows, 65_536)
    ]
    found = quality(np.concatenate(parts), dataset.labels("test"), names, dataset.groups("test"))
    if scene.goal.catalogue is not None:
        catalogue = catalogue_of(dataset, "test", scene.goal.catalogue)
        retrieved: dict[str, PerGroup] = catalogue.values(
            lambda inputs: outputs(session, renumbered(inputs, numbering))
        )
        found[names[0]] |= {name: float(each.mean()[0]) for name, each in retrieved.items()}
    return found


def judged(files: list[tuple[float, Bundle, float]], scene: Scene) -> list[tuple[float, Vector]]:
    """(seconds, vector) of finished files: quality on the test split, latency measured once more, after the search.

    Files come with their loss on the validation split: what lost more than `FAR` there is left out, it adds nothing.
    """
    teacher, metric, found = quality_on_test(scene.teacher_file, scene), scene.goal.metric, []
    for seconds, bundle, loss in files:
        if loss > FAR:
            continue
        change = mean_quality(quality_on_test(bundle, scene), teacher, metric)
        quick = scene.quick(bundle.model, between(scene.dataset.encoder, bundle.encoder()))
        found.append((seconds, vector(change, bundle.model_bytes, quick.speedup)))
    return found


def main(*items: str) -> None:
    """Fills the cache with what every cell is given: data, teacher, its logits, and the landmarks of the report; of
    teacher and landmarks also their quality on the validation split."""
    (config,) = compose([*items, "tracking.enabled=false"])
    for whole_log in (False, True):
        scene = opened(config, config.output, whole_log=whole_log)
        scene.taught(Objective(distillation_weight=0.5))
    know_teacher(config, scene)
    know(STOCK, STOCK, ship_stock(scene.teacher_file, scene.dataset, scene.folder), scene)
    for name, landmark in config.landmarks.items():
        ready = landmark.ready(scene.dataset, config.study.seed, scene.cache, None, config.goal)
        know(name, name, ship_ready(ready, name, scene.dataset, scene.folder, scene.cache), scene)
    assert scene.arithmetic


if __name__ == "__main__":
    main(*sys.argv[1:])
