"""The loop of trials, inside Optuna's own `optimize`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from autocompress.search.books import Books
from autocompress.search.config import SearchConfig
from autocompress.search.finishing import TWICE, is_taken, queue_finishing
from autocompress.search.judging import Judging
from autocompress.search.latencies import measured
from autocompress.search.learning_curve import FINISHES, rung_name
from autocompress.search.ledger import Ledger
from autocompress.search.objectives import REFERENCE, Vector
from autocompress.search.opening import train_landmarks
from autocompress.search.recoveries import recoveries, rows_of
from autocompress.search.results import front_members, in_force
from autocompress.search.scene import Scene
from autocompress.search.space import suggest
from autocompress.search.study import EXHAUSTED, finished, reopen
from autocompress.search.told import told
from autocompress.search.trial import Outcome, run_trial

FAILURES_IN_A_ROW = 3


def open_trials(config: SearchConfig, study: optuna.Study, scene: Scene, ledger: Ledger) -> bool:
    """Opens the phase of trials and writes the front so far; False where a limit of the study is reached already."""
    know_latencies(config, scene, ledger)
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


def know_latencies(config: SearchConfig, scene: Scene, ledger: Ledger) -> None:
    """Measures what constraints ask now and did not while the files that are kept were made."""
    names, found = set(config.constraints.latency), {}
    for trial in ledger.finished() if names else []:
        missing = names & {name.removeprefix("latency.") for name, by in trial.broken.items() if by == math.inf}
        if missing:
            found[trial.known.bundle.digest] = measured(trial.known.bundle, missing, scene)
    if found:
        ledger.keep_latencies(found)


def optimise(config: SearchConfig, study: optuna.Study, scene: Scene, ledger: Ledger) -> None:
    """Runs trials in this process until a limit of the study is reached. KeyboardInterrupt passes through."""

    def ended(trial: FrozenTrial) -> None:
        ledger.trial_ended(trial)
        train_landmarks(config, scene, ledger)  # behind the first trial: a person sees a measured point sooner

    run_trials(config, study, scene, ledger, ended)


def is_spent(config: SearchConfig, study: optuna.Study, books: Books) -> bool:
    """Whether a limit of the study is reached, or its sampler has nothing more to propose."""
    limit = config.study.n_trials
    if study.user_attrs.get(EXHAUSTED) and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        return True
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

    A trial that raises is told as failed and the study goes on; after `FAILURES_IN_A_ROW` the last error is raised. One
    that was given to another process, because this one stood still for long, is left to that one. Where the sampler
    has nothing more to propose (a grid), what is queued is run, and the study is `exhausted`, a user attribute.
    """
    limit, finishing = config.study.n_trials, config.study.trial_pruner.finishes
    failures: list[Exception] = []
    lost: list[int] = []
    rows = scene.dataset.rows["train"]
    whole = recoveries(config.study.rungs, rows, scene.mask_ids)

    def attempt(trial: optuna.Trial) -> tuple[Outcome, float, Vector | None]:
        """The outcome, how far short it fell, and the file's vector where it ran to its end."""
        for name, value in (by or {}).items():
            trial.set_user_attr(name, value)
        finishes = trial.user_attrs.get(FINISHES)
        # where stages differ from one to the next a plan is all of them
        stages = whole if finishes is None or "stages" in config.search_spaces else whole[-1:]
        plan = suggest(trial, config.search_spaces, scene.shape, stages)
        plan = plan.model_copy(update={"calibration": config.study.calibration})
        words = plan.words(scene.shape)
        if finishes is not None and is_taken(finishes, trial.number, study.get_trials(deepcopy=False)):
            return Outcome(TWICE), 0.0, None
        trial.set_user_attr("words", words)
        trial.set_user_attr("plan", plan.model_dump(mode="json"))
        trial.set_user_attr("digest", plan.digest)
        books.show.trial(trial.number, limit, words if finishes is None else f"finishes trial {finishes}: {words}")
        judging = Judging(trial.number, len(whole), config, study, finishes=finishes is not None)
        outcome = run_trial(
            plan,
            scene,
            judging,
            lambda rung, quality: books.show.rung(trial.number, rung, quality),
            seed=scene.seed,
            first=1 + len(whole) - len(stages),
        )
        trial.set_user_attr("rungs", outcome.rungs)
        if outcome.stopped_at is not None:
            return outcome, judging.shortfall, None
        values, attributes, broken = told(outcome, config, scene, books)
        for name, value in attributes.items():
            trial.set_user_attr(name, value)
        books.show.rung(trial.number, "file", -values[0])
        for name, value in broken.items():
            trial.set_constraint(name, value)
        trial.set_constraint(REFERENCE, judging.beyond_reference(values[0], outcome.rungs[-1]["rung"]))
        return outcome, judging.shortfall, values

    def objective(trial: optuna.Trial) -> Vector:
        try:
            return judged(trial)
        except UpdateFinishedTrialError:
            lost.append(trial.number)
            raise

    def judged(trial: optuna.Trial) -> Vector:
        try:
            outcome, shortfall, values = attempt(trial)
        except UpdateFinishedTrialError:
            raise
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
        elif finishing is not None and len(whole) > 1:
            bounds = in_force(config.constraints)
            queue_finishing(study, rung_name(len(whole)), rows_of(config.study.rungs, rows), finishing, bounds)

    def go_on(several: int | None = None) -> None:
        while True:
            try:
                return study.optimize(objective, n_trials=several, callbacks=[ended], catch=(Exception,))
            except ValueError:  # Optuna's, of a trial that it cannot tell any more
                if not lost:
                    raise
                number = lost.pop()
                books.show.note(f"trial {number} was given to another process while this one stood still")
                after(study.get_trials(deepcopy=False)[number])
                if is_spent(config, study, books):
                    return None

    def left(*states: TrialState) -> bool:
        return bool(study.get_trials(deepcopy=False, states=states))

    go_on()
    while not is_spent(config, study, books) and left(TrialState.WAITING):
        go_on(1)
    if not is_spent(config, study, books) and not left(TrialState.WAITING, TrialState.RUNNING):
        study.set_user_attr(EXHAUSTED, True)
