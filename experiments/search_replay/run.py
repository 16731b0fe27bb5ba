"""How do samplers and settings of the search compare, on a replay of stored trials?

    python experiments/search_replay/run.py                   # about 10 minutes on one core; resumes by way
    python experiments/search_replay/run.py "sampler tpe"     # some ways

`trials.json` holds what some hundred plans of the simulator (**synthetic**) showed: bytes, latency, the loss at once,
after 80,000 rows and after the whole log. Gaussian processes (fitted, a length per parameter, unlike those of
`evolution`) tell all this of any plan, with noise, and a clock runs by the seconds that trainings took: six minutes of
search are over in a second. What is replayed is the search's own code: spaces, samplers, pruners, finishing. `plain`:
TPE with full trainings, as in `search_efficiency`. What counts is the true vector (without noise) of every file.
`SEEDS` seeds a way. A replay is what its models make of it: it says what is worth running, and nothing about speed.
Stored: `results.json`.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
import warnings
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import json_to_distribution
from optuna.trial import TrialState
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from autocompress.config.compose import compose
from autocompress.search import finishing
from autocompress.search.judging import Judging
from autocompress.search.learning_curve import FINISHES, rung_name
from autocompress.search.objectives import REFERENCE, REFERENCE_QUALITY, Vector, vector, volume
from autocompress.search.recoveries import recoveries, rows_of
from autocompress.search.samplers.sampler import TEACHER_BYTES, Setting
from autocompress.search.space import recipe_in, suggest
from autocompress.search.surrogate import features
from autocompress.storage import write_json

HERE = Path(__file__).resolve().parent
STORED = HERE / "results.json"
ROWS, FIRST, TEACHER, SLOWEST = 800_000, 80_000, 7_780_708, 0.5
MINUTES, SEEDS, START = 6.0, 8, 6.0
"""`START`: seconds before the first trial."""
MOMENTS = (60, 90, 120, 180, 360)
SHIFT = 0.004
"""Losses are modelled by the logarithm of what they are above -.004: no plan gains as much."""
NOISE = {"loss": 0.0003, "log_latency": 0.012}
COSTS = {"gate": 0.28, "one-shot": 0.15, "rung": 0.15, "file": 0.45}
PLAIN = ("study.rungs=[all]", "study.trial_pruner=none")
SAMPLERS = ("evolution", "tpe", "{kind: tpe, multivariate: true}", "nsga2", "nsga3", "random")
WAYS: dict[str, tuple[str, ...]] = {f"sampler {name}": (f"study.sampler={name}",) for name in SAMPLERS}
WAYS |= {
    "plain": ("study.sampler=tpe", *PLAIN),
    "a child alone": ("study.sampler={kind: evolution, children: 1}",),
    "64 children": ("study.sampler={kind: evolution, children: 64}",),
    "finishing a third": ("study.trial_pruner={kind: extrapolation, finishing: 0.35}",),
    "finishing two thirds": ("study.trial_pruner={kind: extrapolation, finishing: 0.65}",),
    "first rung 40,000": ("study.rungs=[40000, all]",),
    "first rung 160,000": ("study.rungs=[160000, all]",),
    "halving": ("study.trial_pruner=asha",),
}


class World:
    """What any plan would show."""

    def __init__(self, stored: dict[str, Any]) -> None:
        self._trials = stored["trials"]
        self._space = {name: json_to_distribution(json.dumps(each)) for name, each in stored["space"].items()}

    @cached_property
    def models(self) -> dict[str, Any]:
        """A process for each number; the loss at the end as it departs from a line over the one at rung 1."""
        found = {name: self._model(name, lambda value: value) for name in ("log_bytes", "log_latency")}
        found |= {name: self._model(name, _bent) for name in ("one_shot", "rung_1")}
        found["seconds"] = self._model("seconds", math.log)
        ended = [each for each in self._trials if "end" in each and "rung_1" in each]
        first, last = (np.array([_bent(each[name]) for each in ended]) for name in ("rung_1", "end"))
        slope, offset = np.polyfit(first, last, 1)
        found["line"] = (slope, offset)
        found["end"] = self._fit([each["params"] for each in ended], last - slope * first - offset)
        return found

    def _model(self, name: str, bend: Any) -> Any:
        known = [each for each in self._trials if name in each]
        return self._fit([each["params"] for each in known], np.array([bend(each[name]) for each in known]))

    def _fit(self, plans: list[dict[str, Any]], values: Any) -> Any:
        inputs = features(plans, self._space)
        kernel = ConstantKernel(1.0) * RBF(np.full(inputs.shape[1], 3.0), (0.3, 100.0)) + WhiteKernel(0.05, (1e-4, 1.0))
        return GaussianProcessRegressor(kernel, alpha=1e-6, normalize_y=True).fit(inputs, values)

    def shows(self, params: dict[str, Any]) -> dict[str, float]:
        """Of a plan."""
        inputs, models = features([params], self._space), self.models
        found = {name: float(models[name].predict(inputs)[0]) for name in models if name != "line"}
        slope, offset = models["line"]
        end = slope * found["rung_1"] + offset + found["end"]
        one, first = found["one_shot"], min(found["rung_1"], found["one_shot"])
        return {
            **found,
            "one_shot": one,
            "rung_1": first,
            "end": min(end, first),
            "seconds": math.exp(found["seconds"]),
        }


def _bent(loss: float) -> float:
    return math.log(max(loss, -0.6 * SHIFT) + SHIFT)


def loss_after(shown: dict[str, float], rows: int) -> float:
    """Between what is known, by the logarithm of the rows."""
    if rows >= FIRST:
        share = math.log(rows / FIRST) / math.log(ROWS / FIRST)
        return math.exp((1 - share) * shown["rung_1"] + share * shown["end"]) - SHIFT
    share = math.log(1 + 9 * rows / FIRST) / math.log(10)
    return math.exp((1 - share) * shown["one_shot"] + share * shown["rung_1"]) - SHIFT


def replay(world: World, seed: int, items: tuple[str, ...]) -> list[float]:
    """Hypervolume at `MOMENTS`."""
    (config,) = compose(["search=ads", "data.rows=1000000", "tracking.enabled=false", *items])
    settings, spaces, shape = config.study, config.search_spaces, config.teacher.shape
    draw = np.random.default_rng(seed)
    sampler = settings.sampler.build(Setting(spaces, seed, None, MINUTES))
    study = optuna.create_study(directions=["minimize"] * 3, sampler=sampler)
    study.set_user_attr(TEACHER_BYTES, TEACHER)
    for recipe in settings.recipes:
        if known := recipe_in(recipe, spaces):
            study.enqueue_trial(known)
    rows, whole = rows_of(settings.rungs, ROWS), recoveries(settings.rungs, ROWS, 0.05)
    clock, files = START, list[tuple[float, Vector]]()
    while clock < 60 * MINUTES:
        trial = study.ask()
        finishes = FINISHES in trial.user_attrs
        suggest(trial, spaces, shape, whole[-1:] if finishes else whole)
        shown = world.shows(trial.params)
        latency = shown["log_latency"] + draw.normal() * NOISE["log_latency"]
        judging = Judging(trial.number, len(whole), config, study, finishes=finishes)
        seconds, rungs, verdict, best, true = COSTS["gate"], list[dict[str, Any]](), "go on", math.inf, math.inf
        steps = [("gate", None), ("one-shot", 0), *((rung_name(1 + place), each) for place, each in enumerate(rows))]
        for name, trained in steps[:2] + steps[-1:] if finishes else steps:
            rung: dict[str, Any] = {"rung": name, "vector": [0.0, shown["log_bytes"], latency]}
            if trained is not None:
                spent = shown["seconds"] * trained / FIRST
                seconds += COSTS["rung"] + spent
                now = math.exp(shown["one_shot"]) - SHIFT if trained == 0 else loss_after(shown, trained)
                noisy = now + draw.normal() * NOISE["loss"]
                best, true = min((best, true), (noisy, now))
                rung["vector"][0] = best
                rung |= {"training_seconds": spent} if trained else {}
            rungs.append(rung)
            verdict = "ship" if name == steps[-1][0] else judging(name, tuple(rung["vector"]))
            if verdict != "go on":
                break
        seconds += COSTS["file"] if verdict == "ship" else 0.0
        clock += seconds
        trial.set_user_attr("rungs", rungs)
        trial.set_user_attr("replayed_seconds", seconds)
        if verdict == "ship":
            trial.set_constraint(REFERENCE, judging.beyond_reference(best, rungs[-1]["rung"]))
            study.tell(trial, (best, shown["log_bytes"], latency))
            files.append((clock, (true, shown["log_bytes"], shown["log_latency"])))
        else:
            trial.set_constraint("stopped", judging.shortfall)
            study.tell(trial, state=TrialState.PRUNED)
        if settings.trial_pruner.finishes is not None and len(whole) > 1:
            finishing.queue_finishing(study, rung_name(len(whole)), rows, settings.trial_pruner.finishes)
    reference = np.array(vector(REFERENCE_QUALITY, TEACHER, SLOWEST))
    return [volume([found for when, found in files if when <= moment], reference) for moment in MOMENTS]


def main(asked: list[str]) -> None:
    """Replays what is not stored yet."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    # a parameter that says nothing gets the longest length there is; NSGA-III is marked experimental
    for category in (ConvergenceWarning, optuna.exceptions.ExperimentalWarning):
        warnings.filterwarnings("ignore", category=category)
    finishing._seconds = lambda trial: trial.user_attrs["replayed_seconds"]
    world = World(json.loads((HERE / "trials.json").read_text()))
    stored: dict[str, Any] = json.loads(STORED.read_text()) if STORED.exists() else {}
    for way in (each for each in WAYS if not asked or each in asked):
        if way not in stored:
            runs = [replay(world, seed, WAYS[way]) for seed in range(SEEDS)]
            means = [statistics.fmean(each) for each in zip(*runs, strict=True)]
            errors = [statistics.stdev(each) / math.sqrt(SEEDS) for each in zip(*runs, strict=True)]
            stored[way] = {"seconds": MOMENTS, "mean": means, "standard_error": errors}
            write_json(STORED, stored)
            print(way, *(f"{mean:.4f}+-{error:.4f}" for mean, error in zip(means, errors, strict=True)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
