"""The loop of trials, inside Optuna's own `optimize`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import optuna
from optuna.trial import FrozenTrial, TrialState

from autocompress.compress.plan import Recovery
from autocompress.search.config import SearchConfig
from autocompress.search.files import Known, valid_quality
from autocompress.search.ledger import Ledger
from autocompress.search.objectives import HOPELESS, Vector, dominates, standing, vector
from autocompress.search.opening import train_landmarks
from autocompress.search.results import Violations, front_members, mean_quality, violations
from autocompress.search.scene import Scene
from autocompress.search.space import suggest
from autocompress.search.study import finished, reopen
from autocompress.search.trial import Outcome, run_trial

FAILURES_IN_A_ROW = 3


class Show(Protocol):
    """Where a loop of trials says what it does."""

    def trial(self, number: int, of: int | None, words: str) -> None:
        """A trial has begun."""

    def rung(self, number: int, rung: str, quality: float | None) -> None:
        """A trial has been judged."""

    def note(self, text: str) -> None:
        """A line that stays."""


class Books(Protocol):
    """What a loop of trials asks: the teacher, and the time."""

    @property
    def teacher(self) -> Known:
        """What trials are judged against."""

    @property
    def seconds(self) -> float:
        """Running time of the study."""

    @property
    def seconds_left(self) -> float | None:
        """Until `study.minutes`; None without that limit."""

    @property
    def show(self) -> Show:
        """The display."""


def open_trials(config: SearchConfig, study: optuna.Study, scene: Scene, ledger: Ledger) -> bool:
    """Opens the phase of trials and writes the front so far; False where a limit of the study is reached already."""
    if is_spent(config, study, ledger):
        return False
    reopen(study)
    if finished(study):
        train_landmarks(config, scene, ledger)  # found again: the front of a resumed study keeps them all
    ledger.show.phase("trials")
    front = ledger.write("running", front_members(ledger.finished()))
    if front.points:
        ledger.show.front(len(front.points), front.hypervolume)
    return True


def optimise(config: SearchConfig, study: optuna.Study, scene: Scene, ledger: Ledger) -> None:
    """Runs trials in this process until a limit of the study is reached. KeyboardInterrupt passes through."""

    def ended(trial: FrozenTrial) -> None:
        ledger.trial_ended(trial)
        train_landmarks(config, scene, ledger)  # behind the first trial: a person sees a measured point sooner

    run_trials(config, study, scene, ledger, ended)


def is_spent(config: SearchConfig, study: optuna.Study, books: Books) -> bool:
    """Whether a limit of the study is reached."""
    limit = config.study.n_trials
    if limit is not None and len(finished(study)) >= limit:
        return True
    return books.seconds_left is not None and books.seconds_left <= 0


def run_trials(
    config: SearchConfig,
    study: optuna.Study,
    scene: Scene,
    books: Books,
    after: Callable[[FrozenTrial], None],
    by: Mapping[str, Any] | None = None,
) -> None:
    """The loop: `after` is called with each trial that is over; `by` is stored with each, and says who runs it.

    A trial that raises is told as failed and the study goes on; after `FAILURES_IN_A_ROW` the last error is raised.
    """
    limit = config.study.n_trials
    failures: list[Exception] = []

    def attempt(trial: optuna.Trial) -> tuple[Outcome, float, Vector | None]:
        """The outcome, how far short it fell, and the file's vector where it ran to its end."""
        for name, value in (by or {}).items():
            trial.set_user_attr(name, value)
        plan = suggest(trial, config.search_spaces, scene.shape, recoveries(config.study.rungs, scene))
        plan = plan.model_copy(update={"calibration": config.study.calibration})
        words = plan.words(scene.shape)
        trial.set_user_attr("words", words)
        trial.set_user_attr("plan", plan.model_dump(mode="json"))
        trial.set_user_attr("digest", plan.digest)
        books.show.trial(trial.number, limit, words)
        others, shortfall = Others(study, trial.number), 0.0

        def judge(rung: str, seen: Vector) -> bool:
            nonlocal shortfall
            at_rung, pruner = others.at(rung), config.study.trial_pruner
            reached = 0 if rung == "gate" else 1 if rung == "one-shot" else 1 + int(rung.split()[1])
            levels = 1 + len(config.study.rungs)
            shortfall = levels - reached + (standing(seen, list(at_rung.values())) / (len(at_rung) + 1))
            if pruner.kind == "none":
                return True
            if rung == "gate":
                return not any(dominates(other, seen) for other in others.complete())
            if rung.startswith("rung") and -seen[0] < HOPELESS:
                return False
            return pruner.goes_on(trial.number, reached - 1, seen, at_rung, config.study.eta)

        outcome = run_trial(
            plan,
            scene,
            judge,
            lambda rung, quality: books.show.rung(trial.number, rung, quality),
            seed=scene.seed,
        )
        trial.set_user_attr("rungs", outcome.rungs)
        if outcome.stopped_at is not None:
            return outcome, shortfall, None
        values, attributes, broken = told(outcome, config, scene, books)
        for name, value in attributes.items():
            trial.set_user_attr(name, value)
        books.show.rung(trial.number, "file", -values[0])
        for name, value in broken.items():
            trial.set_constraint(name, value)
        return outcome, shortfall, values

    def objective(trial: optuna.Trial) -> Vector:
        try:
            outcome, shortfall, values = attempt(trial)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            if not any("error" in other.user_attrs for other in finished(study)):
                books.show.note(f"trial {trial.number} failed, the study goes on: {reason.splitlines()[0]}")
            trial.set_user_attr("error", reason)
            failures.append(error)
            raise
        failures.clear()
        if values is not None:
            return values
        trial.set_user_attr("stopped_at", outcome.stopped_at)
        # TPE ranks stopped trials by this: the later they stopped, and the better they stood there, the better
        trial.set_constraint("stopped", shortfall)
        raise optuna.TrialPruned(outcome.stopped_at)

    def ended(study: optuna.Study, trial: FrozenTrial) -> None:
        after(trial)
        if len(failures) >= FAILURES_IN_A_ROW:
            raise failures[-1]
        if is_spent(config, study, books):
            study.stop()

    study.optimize(objective, callbacks=[ended], catch=(Exception,))


def recoveries(rungs: tuple[int, ...], scene: Scene) -> list[Recovery]:
    """One recovery per rung: the latest rows up to `rungs[i]`, in several epochs where there are fewer.

    Ids are masked as often as in the teacher's training, or its students would unlearn what to say of new ids.
    """
    rows = scene.dataset.rows["train"]
    return [
        Recovery(data_share=min(1.0, rung / rows), epochs=max(1, math.floor(rung / rows)), mask_ids=scene.mask_ids)
        for rung in rungs
    ]


class Others:
    """What the other trials of the study showed at a rung; read once, when a trial starts."""

    def __init__(self, study: optuna.Study, number: int) -> None:
        self._trials = [trial for trial in finished(study) if trial.number != number]

    def at(self, rung: str) -> dict[int, Vector]:
        """Vectors at a rung, by trial."""
        return {
            trial.number: tuple(seen["vector"])
            for trial in self._trials
            for seen in trial.user_attrs.get("rungs", [])
            if seen["rung"] == rung
        }

    def complete(self) -> list[Vector]:
        """Vectors of the complete trials."""
        return [tuple(trial.values) for trial in self._trials if trial.state is TrialState.COMPLETE]


def told(
    outcome: Outcome, config: SearchConfig, scene: Scene, books: Books
) -> tuple[Vector, dict[str, Any], Violations]:
    """Of a trial that ran to its end: its values, what is stored beside them, and how far constraints are broken."""
    assert outcome.bundle is not None
    assert outcome.quick is not None
    quality = valid_quality(outcome.bundle, scene.dataset, scene.threads, scene.catalogue)
    teacher = books.teacher.quality
    attributes = {
        "artefact": outcome.bundle.digest,
        "sha256": outcome.bundle.sha256,
        "quality": quality,
        "model_bytes": outcome.bundle.model_bytes,
        "p50": outcome.quick.p50,
        "speedup": outcome.quick.speedup,
        "parity": outcome.parity,
        "study_seconds": books.seconds,
    }
    broken = violations(
        config.constraints, quality, teacher, outcome.bundle.model_bytes, outcome.quick.p50, scene.goal.metric
    )
    change = mean_quality(quality, teacher, scene.goal.metric)
    return vector(change, outcome.bundle.model_bytes, outcome.quick.speedup), attributes, broken
