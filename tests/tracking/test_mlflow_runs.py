import json
from pathlib import Path

import pytest
from mlflow.entities import Run

from autocompress.tracking.config import TrackingConfig
from autocompress.tracking.mlflow_runs import (
    StudyRun,
    close_study,
    log_front,
    log_member,
    log_teacher,
    log_trial,
    open_study,
)

# SQLAlchemy 2.1 deprecates what MLflow 3.17's own tables (mlflow/store/tracking/sqlalchemy_store.py) still use.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")

PLAN = {"student": {"tower": [400, 400], "kind": None}, "stages": [{"keep": 0.5}, {"bits": 4}]}


def _trial(run: StudyRun, number: int) -> None:
    log_trial(
        run, number, "complete", PLAN, [{"click/auc": 0.74}, {"click/auc": 0.75, "loss": None}],
        {"valid/click/auc": 0.7612, "model_kb": 412.0}, "keeps 50 % of rows", seconds=12,
    )  # fmt: skip


def _by_tag(run: StudyRun, words: str) -> list[Run]:
    return list(run.client.search_runs([run.experiment_id], words))


def test_a_study_opened_again_continues_its_run(config: TrackingConfig, run: StudyRun) -> None:
    close_study(run, "KILLED")
    again = open_study(config, run.study, {"synthetic": "yes"})
    assert again is not None
    assert again.run_id == run.run_id
    assert run.client.get_run(run.run_id).info.status == "RUNNING"
    other = open_study(config, "it's another", {})
    assert other is not None
    assert other.run_id != run.run_id


def test_a_trial_is_a_named_child_with_params_metrics_and_steps(run: StudyRun) -> None:
    _trial(run, 7)
    (child,) = _by_tag(run, "tags.role = 'trial' and tags.state = 'complete' and tags.trial = '7'")
    assert child.info.run_name == "trial 7: keeps 50 % of rows"
    assert child.info.status == "FINISHED"
    assert 12_000 <= child.info.end_time - child.info.start_time < 60_000
    assert child.data.tags["mlflow.parentRunId"] == run.run_id
    assert child.data.params == {
        "student.tower": "[400, 400]", "student.kind": "none", "stages.0.keep": "0.5", "stages.1.bits": "4",
    }  # fmt: skip
    assert child.data.metrics == {"valid/click/auc": 0.7612, "model_kb": 412.0, "rung/click/auc": 0.75}
    steps = run.client.get_metric_history(child.info.run_id, "rung/click/auc")
    assert [(metric.step, metric.value) for metric in steps] == [(0, 0.74), (1, 0.75)]


def test_a_trial_is_logged_once(run: StudyRun) -> None:
    _trial(run, 7)
    _trial(run, 7)
    assert len(_by_tag(run, "tags.trial = '7'")) == 1


def test_a_trial_that_a_killed_process_left_half_logged_is_replaced(run: StudyRun) -> None:
    half = run.client.create_run(
        run.experiment_id, tags={"mlflow.parentRunId": run.run_id, "trial": "7", "role": "trial"}
    )
    _trial(run, 7)
    (child,) = _by_tag(run, "tags.trial = '7'")
    assert child.info.run_id != half.info.run_id


def test_a_failed_trial_is_a_failed_run_that_says_why(run: StudyRun) -> None:
    log_trial(run, 1, "failed", {}, [], {}, "keeps 10 % of rows", error="ValueError: " + "x" * 9000)
    (failed,) = _by_tag(run, "tags.state = 'failed'")
    assert failed.info.status == "FAILED"
    assert failed.data.tags["error"].startswith("ValueError: xxx")


def test_the_teacher_is_a_run_of_its_own_logged_once_a_digest(run: StudyRun, artefact: Path) -> None:
    for digest in ("a1", "a1", "b2"):
        log_teacher(run, "teacher", digest, {"layers": 3}, [{"loss": 0.5}, {"loss": 0.4}], {"auc": 0.76}, artefact)
    teachers = _by_tag(run, "tags.role = 'teacher'")
    assert len(teachers) == 2
    assert all("mlflow.parentRunId" not in teacher.data.tags for teacher in teachers)
    history = run.client.get_metric_history(teachers[0].info.run_id, "epoch/loss")
    assert [(metric.step, metric.value) for metric in history] == [(1, 0.5), (2, 0.4)]
    assert run.client.get_run(run.run_id).data.tags["teacher"] == "b2"
    assert run.client.list_artifacts(teachers[0].info.run_id, "artefact")[0].path == "artefact/model.onnx"


def test_a_front_member_gets_its_artefact_beside_the_database(run: StudyRun, artefact: Path) -> None:
    _trial(run, 7)
    log_member(run, 7, artefact)
    log_member(run, 7, artefact)
    (child,) = _by_tag(run, "tags.front = 'yes'")
    stored = Path.cwd() / "mlartifacts" / child.info.run_id / "artifacts" / "artefact" / "model.onnx"
    assert stored.read_bytes() == b"example"
    assert not Path("mlruns").exists()


def test_a_member_that_was_never_logged_is_an_error(run: StudyRun, artefact: Path) -> None:
    with pytest.raises(KeyError, match="trial 3"):
        log_member(run, 3, artefact)


def test_the_front_is_replaced_not_appended(run: StudyRun, artefact: Path, tmp_path: Path) -> None:
    for number in (1, 2):
        _trial(run, number)
        log_member(run, number, artefact)
    log_front(run, [{"trial": 1, "kb": 412}], "<p>one</p>", [(0, 0.1), (1, 0.2)])
    log_front(run, [{"trial": 2, "kb": 300}], "<p>two</p>", [(0, 0.1), (1, 0.2), (2, 0.3)])
    table = json.loads(Path(run.client.download_artifacts(run.run_id, "front.json", str(tmp_path))).read_text())
    assert table == {"columns": ["trial", "kb"], "data": [[2, 300]]}
    assert [child.data.tags["trial"] for child in _by_tag(run, "tags.front = 'yes'")] == ["2"]
    history = run.client.get_metric_history(run.run_id, "hypervolume")
    assert [(metric.step, metric.value) for metric in history] == [(0, 0.1), (1, 0.2), (2, 0.3)]


def test_more_params_and_metrics_than_one_batch_holds_are_all_logged(run: StudyRun) -> None:
    params = {f"p{number}": number for number in range(230)}
    log_trial(run, 0, "complete", params, [], {f"m{number}": number for number in range(1100)}, "words")
    (child,) = _by_tag(run, "tags.role = 'trial'")
    assert len(child.data.params) == 230
    assert len(child.data.metrics) == 1100


def test_switched_off_tracking_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = open_study(TrackingConfig(enabled=False), "study", {})
    log_trial(run, 0, "complete", {}, [], {}, "words")
    log_front(run, [], None, [])
    close_study(run, "FINISHED")
    assert run is None
    assert list(tmp_path.iterdir()) == []
