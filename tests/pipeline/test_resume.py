"""A study that is interrupted, killed, resumed, ended and extended: by the same command, in processes of their own."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from autocompress.report.contract import FrontFile
from tests.pipeline import small

pytestmark = [
    pytest.mark.pipeline,
    pytest.mark.timeout(400),
    # SQLAlchemy 2.1 deprecates what MLflow 3.17's own tables (mlflow/store/tracking/sqlalchemy_store.py) still use.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning"),
]
ENDLESS = "study.n_trials=1000"
SLOW = (*small.OVERRIDES, "study.trial_pruner=none")
"""Every trial runs to its end, so that a signal meets one in its middle."""


@dataclass(frozen=True)
class Step:
    status: int
    printed: str
    errors: str
    front: FrontFile
    trials: dict[int, tuple[str, dict[str, Any], list[float] | None, str | None]]
    """Number -> (state, parameters, values, digest of the plan)."""


def seen(folder: Path, status: int, printed: str, errors: str) -> Step:
    trials = {
        trial.number: (trial.state.name, dict(trial.params), trial.values, trial.user_attrs.get("digest"))
        for trial in small.study(folder).trials
        if trial.state.name != "WAITING"
    }
    return Step(status, printed, errors, small.front(folder), trials)


def stopped(
    folder: Path, cache: Path, by: signal.Signals, over: int, meanwhile: Callable[[], None] = lambda: None
) -> Step:
    """Runs the study until `over` trials are over and another one runs."""
    process = small.start(folder, cache, *SLOW, ENDLESS)

    def in_the_middle_of_a_trial() -> bool:
        ended, planned = small.progress(folder)
        return planned and ended >= over

    try:
        small.wait_for(in_the_middle_of_a_trial, process)
        meanwhile()
        small.wait_for(in_the_middle_of_a_trial, process)
        process.send_signal(by)
        printed, errors = process.communicate(timeout=small.PATIENCE)
    finally:
        process.kill()
    return seen(folder, process.returncode, printed, errors)


def ended(folder: Path, cache: Path, trials: int) -> Step:
    done = small.run(folder, cache, *SLOW, f"study.n_trials={trials}")
    return seen(folder, done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Tracked:
    """What MLflow holds of the study: the status of its run, trials, artefacts, steps of the hypervolume."""

    status: str
    trials: set[int]
    artefacts: set[str]
    hypervolume: int


def tracked(folder: Path) -> Tracked:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    (experiment,) = client.search_experiments(filter_string="name = 'autocompress'")
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = (run for run in runs if run.data.tags["role"] == "study")
    return Tracked(
        parent.info.status,
        {int(run.data.tags["trial"]) for run in runs if run.data.tags["role"] == "trial"},
        {file.path for file in client.list_artifacts(parent.info.run_id)},
        len(client.get_metric_history(parent.info.run_id, "hypervolume")),
    )


@dataclass(frozen=True)
class Story:
    folder: Path
    interrupted: Step
    tracked: Tracked
    second: subprocess.CompletedProcess[str]
    killed: Step
    resumed: Step
    extended: Step


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Story:
    folder = tmp_path_factory.mktemp("resumed")
    second: list[subprocess.CompletedProcess[str]] = []

    def start_a_second_process() -> None:
        second.append(small.run(folder, cache, *SLOW, ENDLESS))

    interrupted = stopped(folder, cache, signal.SIGINT, 1, start_a_second_process)
    meanwhile = tracked(folder)
    killed = stopped(folder, cache, signal.SIGKILL, len(interrupted.trials) + 1)
    resumed = ended(folder, cache, len(killed.trials) + 1)
    extended = ended(folder, cache, len(resumed.trials) + 1)
    return Story(folder, interrupted, meanwhile, second[0], killed, resumed, extended)


def test_a_second_process_on_a_running_study_is_refused_in_one_line(story: Story) -> None:
    assert (story.second.returncode, story.second.stdout) == (2, "")
    assert story.second.stderr.count("\n") == 1
    assert "is being searched by another run" in story.second.stderr


def test_ctrl_c_ends_with_130_and_the_front_so_far_without_test_values(story: Story) -> None:
    step = story.interrupted
    assert (step.status, step.errors) == (130, "")
    assert "interrupted: the front so far is kept" in step.printed
    assert "The front, largest file first" in step.printed
    assert step.front.state == "interrupted"
    for file in (step.front.teacher, *step.front.landmarks, *step.front.points):
        assert all(value.test is None for metrics in file.quality.values() for value in metrics.values())
    assert "RUNNING" not in {state for state, *_ in step.trials.values()}


def test_tasks_and_metrics_stand_in_one_order_from_the_first_page_to_the_last(story: Story) -> None:
    files = [step.front.teacher for step in (story.interrupted, story.killed, story.resumed, story.extended)]
    orders = {tuple((task, *metrics) for task, metrics in file.quality.items()) for file in files}
    assert len(orders) == 1
    assert next(iter(orders))[0][1] == "auc"


def test_ctrl_c_leaves_the_front_and_every_trial_in_mlflow(story: Story) -> None:
    over = {number for number, (state, *_) in story.interrupted.trials.items() if state != "RUNNING"}
    assert story.tracked.status == "KILLED"
    assert story.tracked.trials == over
    assert story.tracked.artefacts >= {"front.json", "front.html"}
    assert story.tracked.hypervolume == len(story.interrupted.front.hypervolume_history)


def test_a_resumed_study_knows_its_front_before_its_first_trial(story: Story) -> None:
    assert "no file yet" not in story.resumed.printed


def test_after_kill_9_the_front_is_that_of_the_last_trial_that_ended(story: Story) -> None:
    assert story.killed.status == -signal.SIGKILL
    assert story.killed.front.state == "running"
    assert sum(state == "RUNNING" for state, *_ in story.killed.trials.values()) == 1


def test_no_trial_that_ended_is_lost_or_changed(story: Story) -> None:
    for before, after in ((story.interrupted, story.killed), (story.killed, story.resumed)):
        over = {number: trial for number, trial in before.trials.items() if trial[0] != "RUNNING"}
        assert {number: after.trials[number] for number in over} == over
    assert (story.resumed.status, story.resumed.errors) == (0, "")
    assert story.resumed.front.state == "ended"


def test_the_trial_that_was_killed_is_told_as_failed(story: Story) -> None:
    (number,) = (number for number, (state, *_) in story.killed.trials.items() if state == "RUNNING")
    assert story.resumed.trials[number][0] == "FAIL"


def test_no_proposal_is_repeated(story: Story) -> None:
    # a trial that was killed before it had a plan proposed nothing
    trials = [trial for trial in story.extended.trials.values() if trial[3] is not None]
    proposed = [json.dumps(parameters, sort_keys=True) for _, parameters, _, _ in trials]
    digests = [digest for *_, digest in trials]
    assert len(trials) > len(story.interrupted.trials)
    assert len(set(proposed)) == len(proposed)
    assert len(set(digests)) == len(digests)


def test_limits_count_over_every_resume(story: Story) -> None:
    assert len(story.resumed.trials) == len(story.killed.trials) + 1
    assert sum(story.resumed.front.trials.model_dump().values()) == len(story.resumed.trials)
    assert story.resumed.front.wall_seconds > story.interrupted.front.wall_seconds


def test_a_study_that_is_extended_says_that_its_test_split_was_opened(story: Story) -> None:
    assert story.resumed.front.test_reused is False
    assert story.extended.front.test_reused is True
    assert len(story.extended.trials) == len(story.resumed.trials) + 1
    assert "test split reused" in story.extended.printed


def test_no_draft_of_a_killed_process_is_left(story: Story) -> None:
    folder = small.study_folder(story.folder)
    assert [path.name for path in folder.iterdir() if path.name.startswith(".") and path.name != ".lock"] == []
    assert [path.name for path in (folder / "artefacts").iterdir() if path.name.startswith(".")] == []


def test_every_trial_that_is_over_has_one_mlflow_run(story: Story) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{story.folder}/mlflow.db")
    (experiment,) = client.search_experiments(filter_string="name = 'autocompress'")
    runs = client.search_runs([experiment.experiment_id])
    assert len([run for run in runs if run.data.tags["role"] == "study"]) == 1
    children = sorted(int(run.data.tags["trial"]) for run in runs if run.data.tags["role"] == "trial")
    assert children == sorted(story.extended.trials)
