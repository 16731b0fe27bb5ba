"""The books of a running study: teacher, landmarks, trials, time; written to the front files and to MLflow."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.trial import FrozenTrial, TrialState

from autocompress.data.store import Dataset
from autocompress.report.contract import FrontFile, Mattered, MeasuredFile
from autocompress.report.csv_table import front_rows
from autocompress.report.front_files import write_front
from autocompress.report.html_page import front_page
from autocompress.report.progress import Progress
from autocompress.search.config import SearchConfig
from autocompress.search.files import Known
from autocompress.search.front_file import Files, State, front_file
from autocompress.search.latencies import LATENCIES
from autocompress.search.results import Finished, drop_dominated, front_members, read_finished
from autocompress.search.samplers.sampler import TEACHER_BYTES
from autocompress.search.study import finished, seconds_used
from autocompress.search.throttle import Throttle
from autocompress.tracking import mlflow_runs
from autocompress.tracking.connection import resolved_uri
from autocompress.training.from_scratch import Trained
from autocompress.training.teachers.teacher import Teacher

STATES: dict[TrialState, Literal["complete", "stopped", "failed"]] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "stopped",
}

FRONT_SHARE = 0.01
"""Of the running time that may go into writing the front: where trials take a second, several share a page."""


@dataclass
class Ledger:
    """Mutable on purpose: the one place where a study's progress is kept in memory."""

    config: SearchConfig
    study: optuna.Study
    dataset: Dataset
    folder: Path
    started: float
    before: float
    show: Progress
    run: mlflow_runs.StudyRun | None
    landmarks: list[Known] = field(default_factory=list)
    teacher_known: Known | None = None
    logged: set[int] = field(default_factory=set)
    kept: set[int] = field(default_factory=set)
    """Trials that this process has in MLflow, and those of them whose files are there, too."""
    latencies: dict[str, dict[str, float]] = field(default_factory=dict)
    stopped_at: float | None = None
    changed: bool = False
    """Whether files have come since the front was written."""
    pages: Throttle = field(default_factory=lambda: Throttle(FRONT_SHARE))

    @classmethod
    def open(
        cls,
        config: SearchConfig,
        study: optuna.Study,
        dataset: Dataset,
        folder: Path,
        started: float,
        show: Progress,
    ) -> Ledger:
        """Opens the MLflow run and prints where it is. `UserError` where the tracking database cannot be used."""
        tags = {"search": config.search, "data": dataset.name, "synthetic": str(dataset.synthetic).lower()}
        run = mlflow_runs.open_study(config.tracking, study.study_name, tags)
        if run is not None:
            show.note(f"MLflow tracking URI: {resolved_uri(config.tracking)}")
        ledger = cls(config, study, dataset, folder, started, seconds_used(study), show, run)
        ledger.latencies = study.user_attrs.get(LATENCIES, {})
        show.time_left(ledger.seconds_left)
        return ledger

    @property
    def teacher(self) -> Known:
        """The teacher's file; set once by the opening."""
        assert self.teacher_known is not None
        return self.teacher_known

    @teacher.setter
    def teacher(self, known: Known) -> None:
        self.teacher_known = known
        self.study.set_user_attr(TEACHER_BYTES, known.bundle.model_bytes)

    @property
    def seconds(self) -> float:
        """Running time of the study, over all resumes."""
        now = time.monotonic() if self.stopped_at is None else self.stopped_at
        return self.before + now - self.started

    @contextlib.contextmanager
    def clock_stopped(self) -> Iterator[None]:
        """Inside, no running time of the study goes by."""
        self.stopped_at = time.monotonic()
        try:
            yield
        finally:
            self.started += time.monotonic() - self.stopped_at
            self.stopped_at = None

    @property
    def seconds_left(self) -> float | None:
        """Until `study.minutes`; None without that limit."""
        minutes = self.config.study.minutes
        return None if minutes is None else 60 * minutes - self.seconds

    def keep_latencies(self, measured: Mapping[str, dict[str, float]]) -> None:
        """Stores what was measured of files whose trials are over."""
        self.latencies |= {digest: {**self.latencies.get(digest, {}), **new} for digest, new in measured.items()}
        self.study.set_user_attr(LATENCIES, self.latencies)

    def keep_time(self) -> None:
        """Stores the running time, so that a resume goes on counting."""
        self.study.set_user_attr("seconds", self.seconds)

    def log_teacher(self, trained: Trained, config: Teacher) -> None:
        """The teacher as an MLflow run of its own."""
        params = {**config.shape.model_dump(mode="json"), **config.training.model_dump(mode="json")}
        metrics = flat_metrics(self.teacher)
        folder = self.teacher.bundle.folder
        name = f"teacher: {self.teacher.words}"
        digest = trained.digest
        self._tracked(lambda: mlflow_runs.log_teacher(self.run, name, digest, params, trained.history, metrics, folder))

    def finished(self) -> list[Finished]:
        """Complete trials whose files are kept."""
        config = self.config
        trials, later = finished(self.study), self.latencies
        return read_finished(trials, self.teacher, config.constraints, self.folder, config.metric, later)

    def trial_ended(self, trial: FrozenTrial) -> None:
        """Books a trial that is over: MLflow, the display, the time, and the front as soon as it is due."""
        self.keep_time()
        self.log_trial(trial)
        self.changed |= trial.state is TrialState.COMPLETE
        if self.changed and self.pages.open:
            with self.pages.working():
                self.renew_front()
        self.show.finished(trial.number, STATES.get(trial.state, "failed"))

    def renew_front(self) -> None:
        """The front of all trials until now: its files, its members in MLflow, what it replaces removed."""
        trials = self.finished()
        members = front_members(trials)
        drop_dominated(trials, members)
        front = self.write("running", members)
        self.show.front(len(front.points), front.hypervolume)
        for member in members:
            if member.number in self.logged - self.kept:
                self._tracked(partial(mlflow_runs.log_member, self.run, member.number, member.known.bundle.folder))
                self.kept.add(member.number)
        self.changed = False

    def log_trials(self) -> None:
        """The trials that are over and that this process has not logged."""
        for trial in finished(self.study):
            if trial.number not in self.logged:
                self.log_trial(trial)

    def log_trial(self, trial: FrozenTrial) -> None:
        """A trial that is over as an MLflow run; one that has its run already is not logged twice."""
        state = STATES.get(trial.state, "failed")
        attributes = trial.user_attrs
        rungs = [
            {"quality": r["quality"], "log10_bytes": r["vector"][1], "log10_speedup": -r["vector"][2]}
            for r in attributes.get("rungs", [])
        ]
        metrics: dict[str, float | None] = {}
        if trial.state is TrialState.COMPLETE:
            metrics = {
                "quality": -trial.values[0],
                "model_bytes": attributes["model_bytes"],
                "speedup": attributes["speedup"],
                "p50_ms": attributes["p50"],
                **{f"{t}_{m}": value for t, values in attributes["quality"].items() for m, value in values.items()},
            }
        words, error = attributes.get("words", "no plan"), attributes.get("error")
        seconds = trial.duration.total_seconds() if trial.duration else None
        self._tracked(
            lambda: mlflow_runs.log_trial(
                self.run, trial.number, state, trial.params, rungs, metrics, words, seconds=seconds, error=error
            )
        )
        self.logged.add(trial.number)

    def write(
        self,
        state: State,
        members: list[Finished],
        measured: dict[str, MeasuredFile] | None = None,
        mattered: Mattered | None = None,
    ) -> FrontFile:
        """Writes front.json, front.csv and front.html. `measured` holds closing measurements by artefact digest."""
        front = front_file(
            self.config,
            self.study,
            self.dataset,
            Files(self.folder, self.teacher, tuple(self.landmarks), measured or {}, self.latencies),
            members,
            state=state,
            seconds=self.seconds,
            mattered=mattered,
        )
        write_front(front, self.folder)
        return front

    def close(self, front: FrontFile) -> None:
        """Logs the final front and ends the MLflow run."""
        self._log_front(front)
        self._tracked(lambda: mlflow_runs.close_study(self.run, "FINISHED"))

    def interrupted(self) -> None:
        """Keeps what there is: the time, the front without test values (in MLflow too), the MLflow run as killed."""
        self._break_off("KILLED")

    def failed(self) -> None:
        """As `interrupted`, the MLflow run as failed; raises nothing, so that the first error is the one told."""
        with contextlib.suppress(Exception):
            self._break_off("FAILED")

    def _break_off(self, status: Literal["KILLED", "FAILED"]) -> None:
        self.keep_time()
        if self.teacher_known is not None:
            self._log_front(self.write("interrupted", front_members(self.finished())))
        self._tracked(lambda: mlflow_runs.close_study(self.run, status))

    def _log_front(self, front: FrontFile) -> None:
        """The front in MLflow, with every trial and every member's artefact that are not there yet."""
        self.log_trials()
        trials = {trial.number: trial for trial in finished(self.study)}
        for point in front.points:
            self.log_trial(trials[point.trial])  # a person may have deleted its run
            self._tracked(partial(mlflow_runs.log_member, self.run, point.trial, self.folder / point.artefact))
        steps = [(step.trial, step.hypervolume) for step in front.hypervolume_history]
        rows: list[dict[str, Any]] = front_rows(front)
        self._tracked(lambda: mlflow_runs.log_front(self.run, rows, front_page(front), steps))

    def _tracked(self, log: Callable[[], None]) -> None:
        """Tracking must not end a study: where its database goes away, the study goes on and says so once."""
        if self.run is None:
            return
        # late: the import takes seconds
        from mlflow.exceptions import MlflowException

        try:
            log()
        except MlflowException as error:
            self.run = None
            self.show.note(f"MLflow is gone, the study goes on without it: {str(error).splitlines()[0]}")


def flat_metrics(known: Known) -> dict[str, float | None]:
    """`<task>_<metric>`, bytes and latency of a file."""
    flat: dict[str, float | None] = {
        # MLflow takes no @ in a name
        f"{task}_{metric.replace('@', '_at_')}": value
        for task, metrics in known.quality.items()
        for metric, value in metrics.items()
    }
    return {**flat, "model_bytes": known.bundle.model_bytes, "p50_ms": known.quick.p50, "speedup": known.quick.speedup}
