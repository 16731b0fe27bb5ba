"""Several processes run trials of one study: nothing is lost, nothing is left running, nobody measures alone."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import FrozenTrial, TrialState

from autocompress.report.contract import FrontFile
from autocompress.search.study import PROCESS, lives
from tests.pipeline import small

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(300)]
TRIALS = 40
"""So many that the process that joins is there long before they are over."""
TWO = (*small.OVERRIDES, "study.trial_pruner=none", "execution.n_workers=2", "tracking.enabled=false")


@dataclass(frozen=True)
class Ended:
    front: FrontFile
    trials: list[FrozenTrial]
    printed: str

    def in_state(self, state: TrialState) -> list[FrozenTrial]:
        return [trial for trial in self.trials if trial.state is state]


def ended(folder: Path, printed: str) -> Ended:
    return Ended(small.front(folder), small.study(folder).trials, printed)


def of_the_leader(trial: FrozenTrial) -> bool:
    """Whether a worker of the command that leads runs it: such a name ends with a number."""
    return str(trial.user_attrs.get("worker", "")).count(":") == 2


def running_of_leader(folder: Path) -> list[FrozenTrial]:
    trials = small.study(folder).trials
    return [
        trial
        for trial in trials
        if trial.state is TrialState.RUNNING and of_the_leader(trial) and PROCESS in trial.user_attrs
    ]


def seen(kept: list[FrozenTrial], now: list[FrozenTrial]) -> list[FrozenTrial]:
    """`now`, which `kept` holds afterwards: a moment later other trials may run."""
    kept[:] = now
    return kept


def workers_of(trials: list[FrozenTrial]) -> set[str]:
    return {trial.user_attrs["worker"] for trial in trials if "worker" in trial.user_attrs}


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Ended:
    """A study of two workers, one of which is killed in the middle of a trial, with a third process that joins it."""
    folder = tmp_path_factory.mktemp("workers")
    process = small.start(folder, cache, *TWO, f"study.n_trials={TRIALS}")
    joined: subprocess.Popen[Any] | None = None
    try:
        small.wait_for(lambda: small.progress(folder)[1], process)
        joined = small.start(folder, cache, *TWO, f"study.n_trials={TRIALS}", "execution.join=true")
        small.wait_for(lambda: len(workers_of(small.study(folder).trials)) == 3, process)
        running: list[FrozenTrial] = []
        small.wait_for(lambda: bool(seen(running, running_of_leader(folder))), process)
        os.kill(running[0].user_attrs[PROCESS], signal.SIGKILL)
        printed, errors = process.communicate(timeout=small.PATIENCE)
        assert process.returncode == 0, errors
        said, errors = joined.communicate(timeout=small.PATIENCE)
        assert joined.returncode == 0, errors
    finally:
        process.kill()
        if joined is not None:
            joined.kill()
    return ended(folder, printed + said)


def test_a_worker_that_is_killed_loses_no_finished_trial_and_leaves_none_running(killed: Ended) -> None:
    assert killed.front.state == "ended"
    assert killed.in_state(TrialState.RUNNING) == []
    assert TRIALS <= len([trial for trial in killed.trials if trial.state.is_finished()]) <= TRIALS + 3
    assert killed.front.trials.complete == len(killed.in_state(TrialState.COMPLETE))
    assert "ended with status -9" in killed.printed


def test_its_trial_goes_back_to_the_queue_exactly_once(killed: Ended) -> None:
    failed = [trial for trial in killed.in_state(TrialState.FAIL) if "error" not in trial.user_attrs]
    again = [trial for trial in killed.trials if "failed_trial" in trial.system_attrs]
    # a worker may be killed between two trials
    assert len(failed) <= 1
    assert [trial.system_attrs["failed_trial"] for trial in again] == [trial.number for trial in failed]
    for first, second in zip(failed, again, strict=True):
        # killed while its plan was being proposed, what was proposed goes back
        assert second.params.items() >= first.params.items()
        assert "digest" not in first.user_attrs or second.params == first.params


def test_every_process_ran_trials_of_the_one_study(killed: Ended) -> None:
    workers = workers_of(killed.in_state(TrialState.COMPLETE))
    assert len(workers) == 3
    assert len({worker.rpartition(":")[0] for worker in workers if worker.count(":") == 2}) == 1
    assert "no trials are left for this process" in killed.printed


def test_workers_end_where_their_leader_is_killed(tmp_path: Path, cache: Path) -> None:
    process = small.start(tmp_path, cache, *TWO, "study.n_trials=200")
    try:
        small.wait_for(lambda: small.progress(tmp_path)[1], process)
        running: list[FrozenTrial] = []
        small.wait_for(lambda: len(workers_of(seen(running, running_of_leader(tmp_path)))) == 2, process)
        workers = [trial.user_attrs[PROCESS] for trial in running]
    finally:
        process.kill()
        process.communicate()
    deadline = time.monotonic() + small.PATIENCE
    while any(lives(worker) for worker in workers):
        assert time.monotonic() < deadline, "a worker goes on alone"
        time.sleep(0.05)
    assert workers


def test_ctrl_c_while_workers_are_being_prepared_leaves_no_traceback(tmp_path: Path, cache: Path) -> None:
    process = small.start(tmp_path, cache, *TWO)
    time.sleep(1.5)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=small.PATIENCE)
    assert process.returncode in (130, -signal.SIGINT)
    assert errors == ""


def test_a_study_that_is_not_there_cannot_be_joined(tmp_path: Path, cache: Path) -> None:
    done = small.run(tmp_path, cache, *TWO, "execution.join=true", "study.name=nobody")
    assert done.returncode == 2
    assert "execution.join: there is no study nobody in study.storage" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
