"""What a person may set about a study, and the configuration of a search as a whole."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from autocompress.search.config import SearchConfig
from autocompress.search.results import violations
from autocompress.search.settings import Constraints, Execution, StudySettings

TEACHER = {"embedding_dim": 16, "cross_layers": 2, "cross_rank": 64, "tower": [256, 256]}


def config(**changes: Any) -> SearchConfig:
    content: dict[str, Any] = {
        "search": "ads",
        "data": {"kind": "ads_simulator"},
        "teacher": {"shape": TEACHER},
        "landmarks": {},
        "study": {},
        "constraints": {},
        "execution": {},
        "tracking": {"uri": "sqlite:///mlflow.db", "experiment": "x"},
    }
    return SearchConfig.model_validate({**content, **changes})


@pytest.mark.parametrize(
    ("model", "key", "value"),
    [
        (StudySettings, "n_trials", 0),
        (StudySettings, "minutes", 0.0),
        (StudySettings, "minutes", -1.0),
        (StudySettings, "eta", 1),
        (StudySettings, "rungs", ()),
        (StudySettings, "rungs", (0,)),
        (StudySettings, "seed", -1),
        (StudySettings, "sampler", "tpee"),
        (StudySettings, "trial_pruner", "median"),
        (Constraints, "auc_drop", -0.1),
        (Constraints, "max_bytes", 0),
        (Constraints, "max_latency_ms", 0.0),
        (Execution, "threads", 0),
    ],
)
def test_a_value_out_of_range_is_refused_at_its_key(model: type[BaseModel], key: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        model.model_validate({key: value})
    assert {error["loc"][0] for error in caught.value.errors()} == {key}


@pytest.mark.parametrize("model", [StudySettings, Constraints, Execution])
def test_an_unknown_key_is_refused(model: type[BaseModel]) -> None:
    with pytest.raises(ValidationError, match="n_trails"):
        model.model_validate({"n_trails": 3})


@pytest.mark.parametrize("key", ["n_trials", "minutes"])
def test_a_limit_may_be_taken_away(key: str) -> None:
    assert getattr(StudySettings.model_validate({key: None}), key) is None


@pytest.mark.parametrize("rungs", [(2, 1), (1, 1)])
def test_rungs_must_grow(rungs: tuple[int, ...]) -> None:
    with pytest.raises(ValidationError, match="must grow from one to the next"):
        config(study={"rungs": rungs})


@pytest.mark.parametrize(
    ("knob", "value"),
    [
        ("embedding_dim", [8, 32]),
        ("embedding_dim", {"low": 4, "high": 32}),
        ("cross_layers", 3),
        ("tower", [[256, 256, 256]]),
        ("tower", [[128], [512, 256]]),
    ],
)
def test_a_student_larger_than_the_teacher_is_refused_by_its_knob(knob: str, value: object) -> None:
    with pytest.raises(ValidationError, match=rf"search_spaces\.student\.{knob}=.*larger than the teacher's"):
        config(search_spaces={"student": {knob: value}})


@pytest.mark.parametrize(
    ("knob", "value"),
    [
        ("embedding_dim", {"low": 4, "high": 16}),
        ("tower", [[256, 256], [64], []]),
        ("cross_rank", {"low": 8, "high": 64}),
    ],
)
def test_a_student_as_large_as_the_teacher_or_smaller_is_accepted(knob: str, value: object) -> None:
    assert knob in config(search_spaces={"student": {knob: value}}).search_spaces["student"]


def test_violations_are_positive_only_where_a_constraint_is_broken_and_count_the_worst_task() -> None:
    teacher = {"click": {"auc": 0.80}, "buy": {"auc": 0.90}}
    student = {"click": {"auc": 0.799}, "buy": {"auc": 0.895}}
    constraints = Constraints(auc_drop=0.002, max_bytes=1_000, max_latency_ms=2.0)
    found = violations(constraints, student, teacher, model_bytes=1_000, p50=1.0, metric="auc", latencies={})
    assert found == pytest.approx({"auc_drop": 0.003, "max_bytes": 0.0, "max_latency_ms": -0.5})
    assert violations(Constraints(), student, teacher, 10**9, 10.0, "auc", {}) == {}
    of_tasks = Constraints(drop={"click": 0.002, "buy": 0.001})
    found = violations(of_tasks, student, teacher, 1_000, 1.0, "auc", {})
    assert found == pytest.approx({"drop.click": -0.001, "drop.buy": 0.004})
