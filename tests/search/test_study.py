"""The stored study: what it may be resumed with, and what opening its test split means for it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState, create_trial

from autocompress.artefact.bundle import Bundle
from autocompress.errors import UserError
from autocompress.search.files import Known
from autocompress.search.results import Finished, front_members, in_force, require_files
from autocompress.search.scene import Quick
from autocompress.search.settings import Constraints, StudySettings
from autocompress.search.study import (
    OBJECTIVES,
    PROCESS,
    check_storage,
    open_storage,
    open_study,
    reopen,
    without_password,
)


@pytest.fixture
def storage(tmp_path: Path) -> RDBStorage:
    return open_storage(f"sqlite:///{tmp_path}/study.db")


def opened(storage: RDBStorage, key: dict[str, Any]) -> optuna.Study:
    return open_study(storage, "mine", StudySettings(), {}, key)


def test_a_study_of_another_key_is_refused_by_its_name_and_left_as_it_is(storage: RDBStorage) -> None:
    study = opened(storage, {"seed": 0})
    with pytest.warns(UserWarning, match="Heartbeat"):  # it wants Study.optimize, where it beats
        running = study.ask()
    with pytest.raises(UserError, match=r"study\.name=mine: that study has other data"):
        opened(storage, {"seed": 1})
    assert study.trials[running.number].state is TrialState.RUNNING
    opened(storage, {"seed": 0})
    assert study.trials[running.number].state is TrialState.FAIL


def test_a_trial_of_a_worker_that_still_lives_is_left_to_it(storage: RDBStorage) -> None:
    study = opened(storage, {})
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for process in (os.getpid(), gone.pid):
        with pytest.warns(UserWarning, match="Heartbeat"):
            study.ask().set_user_attr(PROCESS, process)
    opened(storage, {})
    assert [trial.state for trial in study.trials] == [TrialState.RUNNING, TrialState.FAIL]


def test_a_password_is_not_shown() -> None:
    assert without_password("postgresql://me:secret@host/db") == "postgresql://me:***@host/db"
    assert without_password("sqlite:///a.db") == "sqlite:///a.db"


def test_a_study_from_before_keys_were_stored_takes_the_first_one(storage: RDBStorage) -> None:
    optuna.create_study(storage=storage, study_name="mine", directions=["minimize"] * len(OBJECTIVES))
    opened(storage, {"seed": 1})
    with pytest.raises(UserError, match=r"study\.name=mine"):
        opened(storage, {"seed": 2})


@pytest.mark.parametrize("test_opened", [True, False])
def test_a_study_that_goes_on_reuses_its_test_split_only_where_that_was_opened(
    test_opened: bool, storage: RDBStorage
) -> None:
    study = opened(storage, {})
    if test_opened:
        study.set_user_attr("test_opened", True)
    reopen(study)
    assert study.user_attrs.get("test_reused", False) is test_opened
    assert study.user_attrs["closed"] is False


def test_checking_a_storage_makes_no_file(tmp_path: Path) -> None:
    check_storage(f"sqlite:///{tmp_path}/study.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["sqlite:////nowhere/x.db", "my.db", "foo://x", "sqlite:///{text}"])
def test_a_storage_that_cannot_be_used_is_named(url: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database " * 100)
    with pytest.raises(UserError, match=r"^study\.storage="):
        check_storage(url.format(text=tmp_path / "text"))


def test_complete_trials_without_any_file_are_refused_and_stopped_ones_need_none(tmp_path: Path) -> None:
    complete = create_trial(values=[0.0, 0.0, 0.0], user_attrs={"artefact": "abc"})
    stopped = create_trial(state=TrialState.PRUNED)
    require_files([stopped], tmp_path)
    with pytest.raises(UserError, match=r"^output: no file of the 1 complete trials is in .*move that folder back"):
        require_files([stopped, complete], tmp_path)
    (tmp_path / "artefacts" / "abc").mkdir(parents=True)
    require_files([stopped, complete], tmp_path)


def test_constraints_in_force_are_those_that_are_set() -> None:
    assert in_force(Constraints()) == {}
    assert in_force(Constraints(max_bytes=1000, auc_drop=0.0)) == {"max_bytes": 1000.0, "auc_drop": 0.0}
    assert in_force(Constraints(drop={"click": 0.001})) == {"drop.click": 0.001}
    assert in_force(Constraints(latency={"p99_64": 2.0})) == {"latency.p99_64": 2.0}


def test_a_file_whose_plan_another_trial_finished_as_well_or_better_leaves_the_front() -> None:
    known = Known("trial", "", cast(Bundle, None), {}, Quick(1.0, 2.0))

    def trial(number: int, loss: float, size: float, *, superseded: bool) -> Finished:
        return Finished(number, 0.0, (loss, size, -0.5), known, {}, {}, superseded=superseded)

    faster_by_noise = replace(trial(1, 0.01, 5.0, superseded=True), vector=(0.01, 5.0, -0.6))
    trials = [faster_by_noise, trial(2, 0.004, 5.0, superseded=False), trial(3, 0.001, 6.0, superseded=False)]
    assert [member.number for member in front_members(trials)] == [2, 3]
    everyone = [replace(each, superseded=False) for each in trials]
    assert [member.number for member in front_members(everyone)] == [1, 2, 3]
