"""A trial that another process was given meanwhile, and a sampler that has nothing more to propose."""

from __future__ import annotations

from pathlib import Path

import pytest
from optuna.trial import TrialState

from tests.pipeline import small

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(300)]
UNTRACKED = (*small.OVERRIDES, "tracking.enabled=false")
FINITE = (
    "search_spaces=[rows,quantize_tables]",
    "search_spaces.rows.keep=[0.2,1.0]",
    "search_spaces.quantize_tables.bits=[4,8]",
    "search_spaces.quantize_tables.granularity=row",
)


def test_a_trial_that_was_given_to_another_process_is_left_to_that_one_and_the_study_goes_on(
    tmp_path: Path, cache: Path
) -> None:
    process = small.start(tmp_path, cache, *UNTRACKED, "study.n_trials=5", "study.trial_pruner=none")
    try:
        small.wait_for(lambda: small.progress(tmp_path)[0] >= 1 and small.progress(tmp_path)[1], process)
        study = small.study(tmp_path)
        (running,) = study.get_trials(states=(TrialState.RUNNING,))
        study.tell(running.number, state=TrialState.FAIL)
        printed, errors = process.communicate(timeout=small.PATIENCE)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    assert f"trial {running.number} was given to another process" in " ".join(printed.split())
    trials = small.study(tmp_path).trials
    assert [trial.state for trial in trials].count(TrialState.COMPLETE) == 4
    assert trials[running.number].state is TrialState.FAIL
    assert small.front(tmp_path).state == "ended"


def test_a_grid_ends_when_all_plans_were_tried_and_the_same_command_again_changes_nothing(
    tmp_path: Path, cache: Path
) -> None:
    items = [item for item in UNTRACKED if "search_spaces" not in item]
    items += [*FINITE, "study.sampler=grid", "study.recipes=[]", "study.n_trials=null"]
    first = small.run(tmp_path, cache, *items)
    assert first.returncode == 0, first.stderr
    trials, front = small.study(tmp_path).trials, small.front(tmp_path)
    tried = {tuple(sorted(trial.params.items())) for trial in trials}
    assert len(tried) == 4
    assert not [trial for trial in trials if not trial.state.is_finished()]
    again = small.run(tmp_path, cache, *items)
    assert again.returncode == 0, again.stderr
    assert "Every plan of its space has been tried" in " ".join(again.stdout.split())
    assert small.front(tmp_path) == front
    assert not front.test_reused
    assert len(small.study(tmp_path).trials) == len(trials)
