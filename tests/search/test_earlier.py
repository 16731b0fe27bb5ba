"""What a new study takes over from earlier ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.storages import RDBStorage
from optuna.trial import TrialState, create_trial

from autocompress.errors import UserError
from autocompress.search.earlier import MOST, Earlier
from autocompress.search.settings import StudySettings
from autocompress.search.space import Range, Spaces
from autocompress.search.study import open_storage, open_study

ANY: BaseDistribution = FloatDistribution(0.0, 9.0)
SPACES: Spaces = {"rows": {"keep": Range(low=0.1, high=1.0)}}


@pytest.fixture
def storage(tmp_path: Path) -> RDBStorage:
    return open_storage(f"sqlite:///{tmp_path}/study.db")


def opened(storage: RDBStorage, name: str, schema: str, earlier: Earlier = ()) -> optuna.Study:
    return open_study(storage, name, StudySettings(earlier=earlier, recipes=()), SPACES, {}, schema)


def with_front(storage: RDBStorage, name: str, schema: str, members: int, **more: Any) -> None:
    """The larger the file, the better; one trial in the middle is dominated by all."""
    study = opened(storage, name, schema)
    sizes = [0.1 + 0.8 * place / max(1, members - 1) for place in range(members)]
    for keep in sizes:
        params = {"rows.keep": keep, **more}
        distributions = dict.fromkeys(params, ANY)
        study.add_trial(create_trial(params=params, distributions=distributions, values=[-keep, 5 + keep, 0.0]))
    only = {"rows.keep": ANY}
    study.add_trial(create_trial(params={"rows.keep": 0.5}, distributions=only, values=[0.5, 9.0, 1.0]))


def queued(study: optuna.Study) -> list[dict[str, Any]]:
    waiting = study.get_trials(states=(TrialState.WAITING,))
    return [trial.system_attrs["fixed_params"] for trial in waiting]


def test_the_front_of_a_study_that_is_named_is_queued_and_nothing_else(storage: RDBStorage) -> None:
    with_front(storage, "first", "s", 3)
    assert queued(opened(storage, "second", "s")) == []
    assert queued(opened(storage, "third", "s", ("first",))) == [{"rows.keep": keep} for keep in (0.1, 0.5, 0.9)]


def test_of_a_long_front_both_ends_and_what_lies_evenly_between_are_taken(storage: RDBStorage) -> None:
    with_front(storage, "first", "s", 40)
    found = [each["rows.keep"] for each in queued(opened(storage, "second", "s", ("first",)))]
    assert len(found) == MOST
    assert (found[0], found[-1]) == (0.1, pytest.approx(0.9))


def test_parameters_that_the_space_does_not_hold_are_left_to_the_sampler(storage: RDBStorage) -> None:
    with_front(storage, "first", "s", 2, **{"channels.ratio": 0.5})
    assert queued(opened(storage, "second", "s", ("first",))) == [{"rows.keep": 0.1}, {"rows.keep": 0.9}]


def test_all_studies_of_the_same_columns_can_be_asked_for(storage: RDBStorage) -> None:
    with_front(storage, "first", "s", 2)
    with_front(storage, "other columns", "t", 5)
    assert len(queued(opened(storage, "second", "s", "same_schema"))) == 2


@pytest.mark.parametrize(("name", "said"), [("frst", "did you mean 'first'"), ("strange", "has other fields or tasks")])
def test_a_study_that_is_not_there_or_has_other_columns_is_refused(name: str, said: str, storage: RDBStorage) -> None:
    with_front(storage, "first", "s", 2)
    with_front(storage, "strange", "t", 2)
    with pytest.raises(UserError, match=rf"study\.earlier.*{said}"):
        opened(storage, "second", "s", (name,))
