"""Plans that were shipped early are finished where that adds most."""

from __future__ import annotations

from datetime import datetime, timedelta

import optuna
import pytest
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from autocompress.search.finishing import TWICE, is_taken, most_promising, queue_finishing
from autocompress.search.learning_curve import FINISHES
from autocompress.search.trial_pruners.trial_pruner import Finishing

SPACE: dict[str, BaseDistribution] = {"rows.keep": FloatDistribution(0.0, 100.0)}
ROWS = (100, 1_000)


def shipped(
    loss: float,
    size: float,
    *,
    rung: str = "rung 1",
    finishes: int | None = None,
    keep: float = 1.0,
    broken: dict[str, float] | None = None,
) -> FrozenTrial:
    """A complete trial of ten seconds, one of which was training."""
    rungs = [
        {"rung": "one-shot", "vector": [2 * loss, size, -0.5]},
        {"rung": rung, "vector": [loss, size, -0.5], "training_seconds": 1.0},
    ]
    made = create_trial(
        values=[loss, size, -0.5],
        params={"rows.keep": keep},
        distributions=SPACE,
        user_attrs={"rungs": rungs, **({} if finishes is None else {FINISHES: finishes})},
        constraints=broken,
    )
    made.datetime_start = datetime(2026, 1, 1)
    made.datetime_complete = made.datetime_start + timedelta(seconds=10)
    return made


def study_of(*trials: FrozenTrial) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(directions=["minimize"] * 3)
    study.add_trials(trials)
    return study


def queued(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(states=(TrialState.WAITING,))


def test_the_plan_that_promises_most_is_queued_once_with_its_parameters() -> None:
    study = study_of(shipped(0.010, 5.0, keep=3.0), shipped(0.011, 5.0, keep=4.0), shipped(0.0001, 6.0, keep=5.0))
    assert queue_finishing(study, "rung 2", ROWS, Finishing(0.5, 0.25))
    assert not queue_finishing(study, "rung 2", ROWS, Finishing(0.5, 0.25)), "one at a time"
    (trial,) = queued(study)
    assert trial.user_attrs == {FINISHES: 0}
    assert trial.system_attrs["fixed_params"] == {"rows.keep": 3.0}


def test_what_is_finished_or_has_nothing_to_recover_is_left_alone() -> None:
    study = study_of(
        shipped(0.010, 5.0), shipped(0.002, 5.0, rung="rung 2", finishes=0), shipped(0.0003, 6.0), shipped(0.02, 5.5)
    )
    assert not queue_finishing(study, "rung 2", ROWS, Finishing(0.9, 0.25)), (
        "the last one is dominated whatever it recovers"
    )


def test_finishing_has_its_share_of_the_time_with_the_coming_training_and_no_more() -> None:
    trials = [shipped(0.010, 5.0), shipped(0.002, 5.0, rung="rung 2", finishes=0), shipped(0.010, 4.0, keep=7.0)]
    assert not queue_finishing(study_of(*trials), "rung 2", ROWS, Finishing(0.55, 0.25))
    study = study_of(*trials)
    assert queue_finishing(study, "rung 2", ROWS, Finishing(0.6, 0.25)), (
        "10 s are spent and 19 s come, of 30 s and 19 s"
    )
    assert queued(study)[0].user_attrs == {FINISHES: 2}


def test_a_long_training_waits_until_enough_has_been_seen_to_pay_for_it() -> None:
    assert not queue_finishing(study_of(shipped(0.010, 5.0)), "rung 2", ROWS, Finishing(0.5, 0.25))
    assert queue_finishing(study_of(*[shipped(0.010, 5.0)] * 2), "rung 2", ROWS, Finishing(0.5, 0.25))


def test_among_equal_gains_the_shorter_training_comes_first() -> None:
    long, short = shipped(0.010, 5.0), shipped(0.010, 5.0)
    long.user_attrs["rungs"][-1]["training_seconds"] = 5.0
    long.number, short.number = 0, 1
    corner = shipped(0.0, 7.0)
    corner.number = 2
    assert most_promising([long], [long, corner], "rung 2", ROWS, 0.25) is long
    assert most_promising([], [corner], "rung 2", ROWS, 0.25) is None


def test_a_plan_that_training_cannot_make_fit_is_left_alone_once_any_file_fits() -> None:
    large, lossy = shipped(0.010, 5.0, broken={"max_bytes": 0.2}), shipped(0.012, 4.9, broken={"auc_drop": 0.002})
    fits = shipped(0.0, 4.8, broken={"max_bytes": -0.1, "auc_drop": -0.01})
    for number, trial in enumerate((large, lossy, fits)):
        trial.number = number
    assert most_promising([large], [large, fits], "rung 2", ROWS, 0.25) is None
    assert most_promising([large], [large], "rung 2", ROWS, 0.25) is large
    lossy_and_faster = shipped(0.012, 4.7, broken={"auc_drop": 0.002})
    lossy_and_faster.number = 3
    assert most_promising([lossy_and_faster], [lossy_and_faster, fits], "rung 2", ROWS, 0.25) is lossy_and_faster


def finishing(state: TrialState, **attributes: str) -> FrozenTrial:
    return create_trial(
        state=state, params={"rows.keep": 1.0}, distributions=SPACE, user_attrs={FINISHES: 0, **attributes}
    )


def test_a_plan_whose_finishing_was_broken_off_is_queued_again_and_one_that_failed_is_not() -> None:
    trials = [shipped(0.010, 5.0)] * 2
    assert queue_finishing(study_of(*trials, finishing(TrialState.FAIL)), "rung 2", ROWS, Finishing(0.5, 0.25))
    failed = study_of(*trials, finishing(TrialState.FAIL, error="RuntimeError: parity"))
    assert queue_finishing(failed, "rung 2", ROWS, Finishing(0.5, 0.25))
    assert queued(failed)[0].user_attrs == {FINISHES: 1}


def test_a_plan_whose_finishing_killed_two_processes_is_not_tried_again() -> None:
    trials = [*[shipped(0.010, 5.0)] * 2, *[finishing(TrialState.FAIL)] * 2]
    study = study_of(*trials)
    assert queue_finishing(study, "rung 2", ROWS, Finishing(0.5, 0.25))
    assert queued(study)[0].user_attrs == {FINISHES: 1}


def test_what_other_workers_are_finishing_counts_with_the_time_that_it_will_take() -> None:
    trials = [shipped(0.010, 5.0)] * 4
    under_way = finishing(TrialState.RUNNING)
    assert not queue_finishing(study_of(*trials, under_way), "rung 2", ROWS, Finishing(0.48, 0.25))
    study = study_of(*trials, under_way)
    assert queue_finishing(study, "rung 2", ROWS, Finishing(0.5, 0.25)), "38 s of 78 s"
    assert queued(study)[0].user_attrs == {FINISHES: 1}


def test_of_two_workers_that_queue_the_same_plan_the_first_finishes_it() -> None:
    trials = study_of(shipped(0.01, 5.0), finishing(TrialState.RUNNING), finishing(TrialState.WAITING)).trials
    assert (is_taken(0, 1, trials), is_taken(0, 2, trials), is_taken(1, 2, trials)) == (False, True, False)
    broken_off = study_of(shipped(0.01, 5.0), finishing(TrialState.FAIL), finishing(TrialState.WAITING)).trials
    assert not is_taken(0, 2, broken_off)
    left_to_it = finishing(TrialState.PRUNED, stopped_at=TWICE)
    assert not is_taken(0, 2, study_of(shipped(0.01, 5.0), left_to_it, finishing(TrialState.WAITING)).trials)


@pytest.mark.parametrize("state", [TrialState.PRUNED, TrialState.FAIL])
def test_a_trial_without_a_file_is_never_finished(state: TrialState) -> None:
    study = study_of(create_trial(state=state, params={"rows.keep": 1.0}, distributions=SPACE))
    assert not queue_finishing(study, "rung 2", ROWS, Finishing(0.5, 0.25))
