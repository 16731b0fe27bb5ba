"""One run of plain Optuna over the same space, every trial trained on the whole log: `run.py` starts it.

python plain.py found.json <when it was started> tpe|nsga2|random|"tpe from random weights" <overrides>
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

import optuna
import torch

from autocompress.artefact.bundle import Bundle
from autocompress.compress.plan import Plan, Recovery
from autocompress.compress.transform import Record
from autocompress.config.compose import compose
from autocompress.models.recommender import Recommender, build
from autocompress.search.config import SearchConfig
from autocompress.search.files import valid_quality
from autocompress.search.objectives import Vector, vector
from autocompress.search.opening import know_teacher
from autocompress.search.results import mean_quality
from autocompress.search.scene import Scene
from autocompress.search.space import recipe_in, suggest
from autocompress.search.trial import one_shot, ship
from autocompress.storage import write_json
from autocompress.training.fit import FRESH, WARM, fit

sys.path.append(str(Path(__file__).resolve().parent))
from judged import THREADS, judged, opened

SAMPLERS = {
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "nsga2": lambda seed: optuna.samplers.NSGAIISampler(seed=seed),
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
}
RANDOM_WEIGHTS = " from random weights"


def student(plan: Plan, scene: Scene, *, fresh: bool) -> tuple[Recommender, list[Record]]:
    """All transforms applied, to the teacher's weights or to random ones."""
    if not fresh:
        return one_shot(plan, scene)
    model = build(plan.student, scene.dataset.schema, scene.dataset.encoder.rows)
    return model, [transform.apply(model, scene.context) for transform in plan.transforms()]


def recovery(config: SearchConfig, *, fresh: bool) -> Recovery:
    """The whole log: at random weights as often as the teacher's own training, once behind it."""
    training = config.teacher.training
    return Recovery(data_share=1.0, epochs=training.epochs if fresh else 1, mask_ids=training.mask_ids)


def break_off(*_: object) -> NoReturn:
    """What an alarm does to a trial."""
    raise optuna.TrialPruned


def main(found: str, started: str, way: str, *items: str) -> None:
    """Searches until the minutes are over, then judges every file."""
    (config,) = compose([*items, "tracking.enabled=false"])
    torch.set_num_threads(THREADS)
    scene = opened(config, config.output, whole_log=True)
    dataset = scene.dataset
    on_valid = know_teacher(config, scene).quality
    fresh, training = way.endswith(RANDOM_WEIGHTS), config.teacher.training
    rates = {name: getattr(training, name) for name in ("learning_rate", "embedding_learning_rate") if fresh}
    files: list[tuple[float, Bundle, float]] = []
    assert config.study.minutes is not None
    over = float(started) + 60 * config.study.minutes

    def left() -> float:
        return over - time.time()

    def objective(trial: optuna.Trial) -> Vector:
        plan = suggest(trial, config.search_spaces, scene.shape, [recovery(config, fresh=fresh)])
        model, records = student(plan, scene, fresh=fresh)
        stage = plan.stages[-1].recovery.model_copy(update=rates)
        fit(
            model, dataset, stage, taught=scene.taught(stage.objective), seed=config.study.seed,
            accumulator=FRESH if fresh else WARM, arithmetic=scene.arithmetic,
        )  # fmt: skip
        bundle = ship(model, plan, records, scene, config.study.seed, "whole log")
        quick = scene.quick(bundle.model, model.bank.numbering)
        change = mean_quality(valid_quality(bundle, dataset, THREADS, scene.catalogue), on_valid, scene.goal.metric)
        files.append((time.time() - float(started), bundle, -change))
        return vector(change, bundle.model_bytes, quick.speedup)

    def within(trial: optuna.Trial) -> Vector:
        """A training that the minutes end is not waited for: its file would not count."""
        signal.setitimer(signal.ITIMER_REAL, max(left(), 1e-3))
        try:
            return objective(trial)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        directions=["minimize"] * 3, sampler=SAMPLERS[way.removesuffix(RANDOM_WEIGHTS)](config.study.seed)
    )
    for recipe in config.study.recipes:
        if known := recipe_in(recipe, config.search_spaces):
            study.enqueue_trial(known)
    signal.signal(signal.SIGALRM, break_off)
    study.optimize(within, timeout=left(), catch=(Exception,))
    failed = [trial.number for trial in study.trials if trial.state is optuna.trial.TrialState.FAIL]
    facts = {"trials": len(study.trials), "failed": len(failed), "teacher_bytes": scene.teacher_file.model_bytes}
    write_json(Path(found), {**facts, "shipped": len(files), "files": judged(files, scene)})


if __name__ == "__main__":
    main(*sys.argv[1:])
