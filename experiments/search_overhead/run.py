"""What a search costs beside training, evaluation, export and measurement; and how many more trials two workers run.

    python experiments/search_overhead/run.py             # about 35 minutes on slow cores; resumes by part, sampler
    python experiments/search_overhead/run.py profile     # one part: profile, samplers, looks, workers

`profile`: a study of 30 trials on the simulator (**synthetic**) with clocks around its parts, its phase of trials by
what the seconds went to (the landmark's left out); all that is not training, evaluation, export or measurement is
overhead. Python's own profiler makes such a study longer, so it is not used. `samplers`: asking and telling
with 1,000 trials in SQLite as the search opens it, each with what a real trial stores; medians of `ASKED` trials, or
of as many as `LONGEST` seconds let through. `looks`: what a quick look at a file's latency tells with fewer
and with more runs, `LOOKS` times each in turn. `workers`: trials over in `MINUTES` by one worker of one thread, by two
of one thread each, and by one of two threads, all from a warm cache, alternated over `ROUNDS` rounds with a seed per
round. Their plans are random, of one architecture, and all train on 80,000 rows: what a search happens to finish, a
training as long as twenty others, would else decide the number. Stored: `results.json`.
"""

from __future__ import annotations

import importlib
import itertools
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import numpy as np
import optuna
from optuna.trial import TrialState

from autocompress import family
from autocompress.compress.plan import Recovery
from autocompress.config.compose import compose
from autocompress.data.numbering import Numbering
from autocompress.measure.machine import machine
from autocompress.search import run as search_run
from autocompress.search.samplers.sampler import PACKAGE, Setting
from autocompress.search.scene import QUICK_RUNS, Quick, Scene
from autocompress.search.space import suggest
from autocompress.search.study import finished, open_storage, open_study
from autocompress.storage import write_json

HERE = Path(__file__).resolve().parent
STORED = HERE / "results.json"
ITEMS = ["search=ads", "tracking.enabled=false"]
PARTS: dict[str, tuple[str, ...]] = {
    "training": ("trial:fit",),
    "evaluation": ("scene:Scene.rung_quality", "told:valid_quality"),
    "export": ("trial:export", "trial:ship", "trial:check_parity"),
    "measurement": ("scene:Scene.quick",),
}
OTHERS: dict[str, tuple[str, ...]] = {
    "applying the plan": ("trial:one_shot",),
    "front files": ("ledger:Ledger.trial_ended",),
    "asking": ("optimise:suggest",),
    "queueing what is to be finished": ("optimise:queue_finishing",),
}
WHOLE = "run:optimise"
LANDMARKS = ("optimise:train_landmarks",)
"""Trained once behind the first trial; its seconds are not the trials'."""
STORED_TRIALS, ASKED, LONGEST = 1_000, 20, 60.0
LOOKS, RUNS = 16, (10, 20, 40, 100)
MINUTES, ROUNDS = 1.5, 2
ALIKE = (
    *("study.sampler=random", "study.trial_pruner=none", "study.rungs=[80000]", "study.recipes=[]"),
    *("search_spaces=[student,rows]", "search_spaces.rows.keep=[0.2,0.3]", "search_spaces.student.tower=[[64]]"),
    *("search_spaces.student.embedding_dim=8", "search_spaces.student.cross_layers=1"),
)
WORKERS = {"one of one thread": (1, 1), "two of one thread": (2, 2), "one of two threads": (1, 2)}


def profile() -> dict[str, Any]:
    """Seconds of the phase of trials by what they went to."""
    seconds: Counter[str] = Counter()
    with TemporaryDirectory() as folder, ExitStack() as patches:
        (config,) = compose(
            [
                *ITEMS,
                "study.minutes=null",
                "study.n_trials=30",
                f"output={folder}/out",
                f"study.storage=sqlite:///{folder}/s.db",
            ]
        )
        inside: list[str] = []
        for place in (*itertools.chain(*PARTS.values(), *OTHERS.values()), *LANDMARKS):
            patches.enter_context(timed(place, seconds, inside))
        patches.enter_context(timed(WHOLE, seconds, []))
        search_run.search(config)
    whole = seconds[WHOLE] - sum(seconds[place] for place in LANDMARKS)
    parts = {part: sum(seconds[place] for place in places) for part, places in PARTS.items()}
    others = {part: sum(seconds[place] for place in places) for part, places in OTHERS.items()}
    return {"seconds": whole, "parts": parts, "overhead": 1 - sum(parts.values()) / whole, "of_the_overhead": others}


def timed(place: str, seconds: Counter[str], inside: list[str]) -> AbstractContextManager[Any]:
    """While it is entered, `seconds[place]` grows by every call of that `module:name`, of the package `search`, as its
    callers know it; calls inside of another one of the same `inside` are left to that one."""
    module, _, name = place.partition(":")
    owner: Any = importlib.import_module(f"autocompress.search.{module}")
    *classes, name = name.split(".")
    for each in classes:
        owner = getattr(owner, each)
    called = getattr(owner, name)

    def around(*items: Any, **named: Any) -> Any:
        if inside:
            return called(*items, **named)
        inside.append(place)
        start = time.perf_counter()
        try:
            return called(*items, **named)
        finally:
            inside.pop()
            seconds[place] += time.perf_counter() - start

    return mock.patch.object(owner, name, around)


def samplers(known: dict[str, Any]) -> dict[str, Any]:
    """Median seconds to ask (all parameters of a plan) and to tell, by sampler, with many trials stored."""
    found = dict(known)
    for kind in (name for name in family.members(PACKAGE) if name != "grid" and name not in known):
        with TemporaryDirectory() as folder:
            found[kind] = asked(kind, f"sqlite:///{folder}/s.db")
        print(kind, found[kind], flush=True)
    return found


def asked(kind: str, url: str) -> dict[str, float]:
    """Of one sampler, over `ASKED` trials."""
    (config,) = compose([*ITEMS, f"study.sampler={kind}", f"study.storage={url}"])
    settings, spaces, shape = config.study, config.search_spaces, config.teacher.shape
    study = open_study(open_storage(url), "s", settings.model_copy(update={"recipes": ()}), spaces, {})
    draw, stages = np.random.default_rng(0), [Recovery(data_share=0.1), Recovery()]
    source = optuna.create_study(directions=["minimize"] * 3, sampler=optuna.samplers.RandomSampler(seed=0))
    study.set_user_attr("teacher_bytes", 10_000_000)

    def facts(vector: list[float]) -> dict[str, Any]:
        names = ("gate", "one-shot", "rung 1", "rung 2")
        rungs = [{"rung": name, "quality": -vector[0], "vector": vector, "seconds": 1.0} for name in names]
        belief = {"arm": "none", "values": {"none": 0.1}, "context": [1.0, 0, 0, 0, 1, 0.5]}
        return {"rungs": rungs, "quality": {"click": {"auc": 0.8}}, "words": "a plan", "bandit": belief}

    for number in range(STORED_TRIALS):
        trial = source.ask()
        plan = suggest(trial, spaces, shape, stages)
        vector = [abs(draw.normal()) * 0.01, 5 + draw.random(), -draw.random()]
        made = {**facts(vector), "plan": plan.model_dump(mode="json")}
        stopped = number % 3 == 0
        study.add_trial(
            optuna.trial.create_trial(
                state=TrialState.PRUNED if stopped else TrialState.COMPLETE,
                values=None if stopped else vector,
                params=trial.params,
                distributions=trial.distributions,
                user_attrs=made,
                constraints={"stopped": 1.0} if stopped else {},
            )
        )
    study.sampler = settings.sampler.build(Setting(spaces, 1, None, None))
    times: dict[str, list[float]] = {"ask": [], "store": [], "tell": []}
    for _ in range(ASKED):
        if sum(times["ask"]) > LONGEST:
            break
        start = time.perf_counter()
        trial = study.ask()
        plan = suggest(trial, spaces, shape, stages)
        times["ask"].append(time.perf_counter() - start)
        vector = [abs(draw.normal()) * 0.01, 5 + draw.random(), -draw.random()]
        start = time.perf_counter()
        for name, value in {**facts(vector), "plan": plan.model_dump(mode="json")}.items():
            if name != "bandit":
                trial.set_user_attr(name, value)
        times["store"].append(time.perf_counter() - start)
        start = time.perf_counter()
        study.tell(trial, vector)
        times["tell"].append(time.perf_counter() - start)
    return {name: statistics.median(each) for name, each in times.items()} | {"asked": len(times["ask"])}


def looks() -> list[dict[str, Any]]:
    """Of files that a search makes: how far looks at them differ, as the logarithm of the speed-up, by runs."""
    told: dict[tuple[str, int], list[float]] = {}
    with TemporaryDirectory() as folder:
        (config,) = compose(
            [
                *ITEMS,
                "study.minutes=null",
                "study.n_trials=6",
                f"output={folder}/out",
                f"study.storage=sqlite:///{folder}/s.db",
            ]
        )
        looked = Scene.quick

        def look(scene: Scene, path: Path, numbering: Numbering, runs: int = QUICK_RUNS) -> Quick:
            if path.parent.parent.name == "artefacts" and len(told) < 4 * len(RUNS):
                for _, each in itertools.product(range(LOOKS), RUNS):
                    seen = looked(scene, path, numbering, each)
                    told.setdefault((path.parent.name[:8], each), []).append(math.log(seen.speedup))
            return looked(scene, path, numbering, runs)

        with mock.patch.object(Scene, "quick", look):
            search_run.search(config)
    return [
        {"file": file, "runs": runs, "speedup": math.exp(statistics.median(each)), "spread": statistics.stdev(each)}
        for (file, runs), each in told.items()
    ]


def workers() -> list[dict[str, Any]]:
    """Trials over, complete or stopped, in the same minutes."""
    rows = []
    for seed in range(ROUNDS):
        with TemporaryDirectory() as folder:  # fills the cache with this seed's teacher
            items = [*ITEMS, *ALIKE, f"study.seed={seed}", "study.minutes=null", "study.n_trials=1"]
            subprocess.run(
                [sys.executable, "-m", "autocompress", *items], check=True, cwd=folder, stdout=subprocess.DEVNULL
            )
        for name, (several, threads) in WORKERS.items():
            with TemporaryDirectory() as folder:
                items = [*ITEMS, *ALIKE, f"study.seed={seed}", f"study.minutes={MINUTES}", "study.n_trials=null"]
                items += [f"execution.n_workers={several}", f"execution.threads={threads}", "study.name=s"]
                storage = f"sqlite:///{folder}/s.db"
                command = [sys.executable, "-m", "autocompress", *items, f"study.storage={storage}"]
                subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL, env=dict(os.environ))
                over = len(finished(optuna.load_study(study_name="s", storage=open_storage(storage))))
            rows.append({"workers": name, "seed": seed, "trials": over})
            print(rows[-1], flush=True)
    return rows


def main(wanted: list[str]) -> None:
    """Runs the parts that are not stored yet."""
    stored: dict[str, Any] = json.loads(STORED.read_text()) if STORED.exists() else {"machine": machine()}
    asked_before = stored.get("samplers", {})
    parts = {
        "profile": profile,
        "samplers": lambda: samplers(asked_before),
        "looks": looks,
        "workers": workers,
    }
    for name, part in parts.items():
        if (name not in stored or name == "samplers") and (not wanted or name in wanted):
            stored[name] = part()
            write_json(STORED, stored)
            print(name, json.dumps(stored[name])[:2000], flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
