"""The front of a study as the result contract describes it, at any moment of the study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import optuna
from optuna.trial import TrialState

from autocompress.data.cleaning_report import report_lines
from autocompress.data.store import Dataset
from autocompress.measure.machine import machine
from autocompress.report.contract import (
    Belief,
    DataSummary,
    FrontFile,
    HypervolumeStep,
    Machine,
    Mattered,
    MeasuredFile,
    Point,
    TrialCounts,
)
from autocompress.search.bandit import BELIEFS
from autocompress.search.binding import unkept
from autocompress.search.config import SearchConfig
from autocompress.search.files import Known, describe
from autocompress.search.plain_warnings import plain_warnings
from autocompress.search.results import Finished, bayes_auc, dominated_by, hypervolume_history, in_force
from autocompress.search.study import finished

State = Literal["running", "interrupted", "ended"]


@dataclass(frozen=True)
class Files:
    """What stands on a front beside its members; `measured` holds closing measurements, `latencies` what constraints
    asked of a file after its trial, both by artefact digest."""

    folder: Path
    teacher: Known
    landmarks: tuple[Known, ...]
    measured: Mapping[str, MeasuredFile]
    latencies: Mapping[str, Mapping[str, float]]


def front_file(
    config: SearchConfig,
    study: optuna.Study,
    dataset: Dataset,
    files: Files,
    members: Sequence[Finished],
    *,
    state: State,
    seconds: float,
    mattered: Mattered | None,
) -> FrontFile:
    """The whole of `front.json`, after `seconds` of the study."""

    def file(known: Known) -> MeasuredFile:
        return files.measured.get(known.bundle.digest) or describe(known, files.teacher, files.folder)

    trials = finished(study)
    history = hypervolume_history(trials, files.teacher.bundle.model_bytes)
    landmarks = tuple(file(landmark) for landmark in files.landmarks)
    teacher = file(files.teacher)
    points = tuple(
        Point(
            **{**file(member.known).model_dump(), "name": f"trial {member.number}"},
            trial=member.number,
            plan=member.plan,
            feasible=member.feasible,
            trained_parameters=member.trained_parameters,
            training_seconds=member.training_seconds,
            dominated_by=dominated_by(member.known, files.landmarks, files.teacher, config.metric),
        )
        for member in members
    )
    constraints = in_force(config.constraints)
    reused = bool(study.user_attrs.get("test_reused"))
    # of the files that a person can take
    there = [trial for trial in trials if (files.folder / "artefacts" / trial.user_attrs.get("artefact", "")).is_dir()]
    why = unkept(there, files.teacher.quality, config.constraints, config.metric, files.latencies)
    return FrontFile(
        study=study.study_name,
        state=state,
        data=DataSummary(
            name=dataset.name,
            digest=dataset.digest,
            synthetic=dataset.synthetic,
            rows=dataset.rows,
            cleaning=tuple(report_lines(dataset.cleaning)),
            bayes_auc=bayes_auc(dataset, "test" if state == "ended" else "valid"),
        ),
        machine=Machine.model_validate(machine()),
        seed=config.study.seed,
        metric=config.metric,
        wall_seconds=seconds,
        trials=TrialCounts(
            complete=sum(t.state is TrialState.COMPLETE for t in trials),
            stopped=sum(t.state is TrialState.PRUNED for t in trials),
            failed=sum(t.state is TrialState.FAIL for t in trials),
        ),
        hypervolume=history[-1][2] if history else 0.0,
        hypervolume_history=tuple(HypervolumeStep(trial=n, seconds=s, hypervolume=h) for n, s, h in history),
        test_reused=reused,
        warnings=plain_warnings(teacher, landmarks, why, config.metric, test_reused=reused),
        constraints=constraints,
        bandit=tuple(
            Belief(trial=t.number, arm=t.user_attrs[BELIEFS]["arm"], values=t.user_attrs[BELIEFS]["values"])
            for t in trials
            if BELIEFS in t.user_attrs
        ),
        mattered=mattered,
        teacher=teacher,
        landmarks=landmarks,
        points=points,
    )
