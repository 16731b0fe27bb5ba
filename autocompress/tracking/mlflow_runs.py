"""The runs of a study: opened or resumed, logged to once per teacher, trial and front member, closed.

Every function takes the `StudyRun` of `open_study`, or None where tracking is off, and then does nothing. Each may be
called again after a crash: what is there already is not logged twice. Where the database goes away in the middle,
they raise mlflow.exceptions.MlflowException.

Tags to filter by: `role` (study, trial, teacher), `state` (complete, stopped, failed), `front` (yes, no), `trial`,
`error` (of a failed trial).
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from autocompress.tracking.batches import TAG_LENGTH, as_metrics, log_metrics, log_params, run_name
from autocompress.tracking.config import TrackingConfig
from autocompress.tracking.connection import connect

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_STUDY_TAG, _TEACHER_TAG, _PARENT_TAG = "autocompress.study", "autocompress.teacher", "mlflow.parentRunId"
_NOTE_TAG, _TABLES_TAG = "mlflow.note.content", "mlflow.loggedArtifacts"
_ARTEFACT = "artefact"


@dataclass(frozen=True)
class StudyRun:
    """An open parent run."""

    client: MlflowClient
    experiment_id: str
    run_id: str
    study: str


def open_study(config: TrackingConfig, study_name: str, tags: Mapping[str, str]) -> StudyRun | None:
    """Opens the study's parent run, the same one after a resume, and sets `tags` on it; None where tracking is off.

    Raises UserError naming `tracking.uri` or `tracking.experiment` where they cannot be used.
    """
    if not config.enabled:
        return None
    client, experiment_id = connect(config)
    found = _find(client, experiment_id, {_STUDY_TAG: study_name, "role": "study"})
    if found:
        run_id = found[0].info.run_id
        client.update_run(run_id, status="RUNNING")
    else:
        own = {_STUDY_TAG: study_name, "role": "study", **_source_tags()}
        run_id = client.create_run(experiment_id, tags=own, run_name=run_name(study_name)).info.run_id
    for name, value in tags.items():
        client.set_tag(run_id, name, value)
    return StudyRun(client, experiment_id, run_id, study_name)


def log_teacher(
    run: StudyRun | None,
    name: str,
    digest: str,
    params: Mapping[str, Any],
    epoch_metrics: Sequence[Mapping[str, float | None]],
    metrics: Mapping[str, float | None],
    artefact: Path | None,
) -> None:
    """Logs the teacher as a run of its own, once per `digest`, and notes it on the study's run.

    `epoch_metrics` holds one dict an epoch and becomes steps 1, 2, ... under `epoch/`; `metrics` are the final ones.
    """
    if run is None:
        return
    tags = {_TEACHER_TAG: digest, "role": "teacher"}
    run_id = _finished(run, tags)
    if run_id is None:
        run_id = _create(run, tags, run_name(name), seconds=None)
        log_params(run.client, run_id, params)
        _log_steps(run, run_id, "epoch", epoch_metrics, first=1)
        log_metrics(run.client, run_id, as_metrics(metrics, 0, _now()))
        if artefact is not None:
            run.client.log_artifacts(run_id, str(artefact), _ARTEFACT)
        run.client.set_terminated(run_id, "FINISHED")
    run.client.set_tag(run.run_id, "teacher", digest)
    run.client.set_tag(run.run_id, "teacher_run", run_id)


def log_trial(
    run: StudyRun | None,
    number: int,
    state: Literal["complete", "stopped", "failed"],
    params: Mapping[str, Any],
    rung_metrics: Sequence[Mapping[str, float | None]],
    metrics: Mapping[str, float | None],
    words: str,
    *,
    seconds: float | None = None,
    error: str | None = None,
) -> None:
    """Logs a trial that is over as a child run, once per `number`.

    `params` may be a nested plan. `rung_metrics` holds one dict a rung and becomes steps 0, 1, ... under `rung/`, apart
    from `metrics`, which were measured on the file. `seconds` is how long the trial took, `error` (a tag) why
    it failed.
    """
    if run is None:
        return
    tags = {_PARENT_TAG: run.run_id, "trial": str(number), "role": "trial"}
    if _finished(run, tags) is not None:
        return
    more = {"state": state, "front": "no", _STUDY_TAG: run.study, _NOTE_TAG: words}
    if error is not None:
        more["error"] = error[:TAG_LENGTH]
    run_id = _create(run, tags | more, run_name(f"trial {number}: {words}"), seconds)
    log_params(run.client, run_id, params)
    # The final ones first: MLflow's compare page opens with the metric that it met first.
    log_metrics(run.client, run_id, as_metrics(metrics, 0, _now()))
    _log_steps(run, run_id, "rung", rung_metrics, first=0)
    run.client.set_terminated(run_id, "FAILED" if state == "failed" else "FINISHED")


def log_member(run: StudyRun | None, trial_number: int, artefact: Path) -> None:
    """Logs the artefact's folder to a trial that joined the front, once, and tags the trial `front=yes`.

    Raises KeyError for a trial that was not logged.
    """
    if run is None:
        return
    run_id = _finished(run, {_PARENT_TAG: run.run_id, "trial": str(trial_number)})
    if run_id is None:
        raise KeyError(f"trial {trial_number} of {run.study} has no run")
    if not run.client.list_artifacts(run_id, _ARTEFACT):
        run.client.log_artifacts(run_id, str(artefact), _ARTEFACT)
    run.client.set_tag(run_id, "front", "yes")


def log_front(
    run: StudyRun | None,
    rows: Sequence[Mapping[str, Any]],
    figure_html: str | None,
    hypervolume_steps: Sequence[tuple[int, float]],
) -> None:
    """Replaces the front on the study's run: `front.json` as a table, `front.html`, hypervolume at each (step, value).

    All rows have the same keys. A trial is tagged `front=yes` where a row has its number as `trial`, else `front=no`.
    """
    if run is None:
        return
    columns = list(rows[0]) if rows else []
    table = {"columns": columns, "data": [[row[column] for column in columns] for row in rows]}
    # Not client.log_table: it appends to the table that is there.
    run.client.log_dict(run.run_id, table, "front.json")
    run.client.set_tag(run.run_id, _TABLES_TAG, json.dumps([{"path": "front.json", "type": "table"}]))
    if figure_html is not None:
        run.client.log_text(run.run_id, figure_html, "front.html")
    _log_hypervolume(run, hypervolume_steps)
    _tag_members(run, {str(row.get("trial")) for row in rows})


def close_study(run: StudyRun | None, status: Literal["FINISHED", "KILLED", "FAILED"]) -> None:
    """Ends the parent run: FINISHED when the study ended, KILLED when a person stopped it, FAILED otherwise."""
    if run is not None:
        run.client.set_terminated(run.run_id, status)


def _log_hypervolume(run: StudyRun, steps: Sequence[tuple[int, float]]) -> None:
    known = {metric.step for metric in run.client.get_metric_history(run.run_id, "hypervolume")}
    now = _now()
    fresh = [as_metrics({"hypervolume": value}, step, now) for step, value in steps if step not in known]
    log_metrics(run.client, run.run_id, [metric for metrics in fresh for metric in metrics])


def _tag_members(run: StudyRun, members: set[str]) -> None:
    for child in _find(run.client, run.experiment_id, {_PARENT_TAG: run.run_id, "role": "trial"}):
        belongs = "yes" if child.data.tags["trial"] in members else "no"
        if child.data.tags.get("front") != belongs:
            run.client.set_tag(child.info.run_id, "front", belongs)


def _log_steps(
    run: StudyRun, run_id: str, group: str, steps: Sequence[Mapping[str, float | None]], *, first: int
) -> None:
    now = _now()
    for step, values in enumerate(steps, first):
        grouped = {f"{group}/{name}": value for name, value in values.items()}
        log_metrics(run.client, run_id, as_metrics(grouped, step, now + step))


def _create(run: StudyRun, tags: Mapping[str, str], name: str, seconds: float | None) -> str:
    started = _now() - round(1000 * (seconds or 0))
    tags = {**tags, **_source_tags()}
    created: Run = run.client.create_run(run.experiment_id, start_time=started, tags=tags, run_name=name)
    return str(created.info.run_id)


def _finished(run: StudyRun, tags: Mapping[str, str]) -> str | None:
    """The run with these tags that was logged to its end; what a killed process left half-logged is deleted."""
    ended = None
    for found in _find(run.client, run.experiment_id, tags):
        if found.info.status == "RUNNING":
            run.client.delete_run(found.info.run_id)
        else:
            ended = found.info.run_id
    return ended


def _find(client: MlflowClient, experiment_id: str, tags: Mapping[str, str]) -> list[Run]:
    """All runs with these tags."""
    # Values are compared here as well as quoted there: MLflow's filter language has no escape for a quote.
    quotable = {name: value for name, value in tags.items() if "'" not in value}
    words = " and ".join(f"tags.`{name}` = '{value}'" for name, value in quotable.items())
    runs: list[Run] = []
    token: str | None = None
    while True:
        page = client.search_runs([experiment_id], words, max_results=1000, page_token=token)
        runs += [run for run in page if all(run.data.tags.get(name) == value for name, value in tags.items())]
        token = page.token
        if not token:
            return runs


def _source_tags() -> dict[str, str]:
    return {"mlflow.source.name": "autocompress", "mlflow.source.type": "LOCAL"}


def _now() -> int:
    return int(1000 * time.time())
