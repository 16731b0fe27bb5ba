"""What goes wrong in a study, and what is left of it: one after another in one story."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from autocompress.cli.main import main
from autocompress.data import store
from autocompress.report.contract import FrontFile
from autocompress.search import opening, optimise, run
from tests.pipeline import small

pytestmark = [
    pytest.mark.pipeline,
    pytest.mark.timeout(400),
    # SQLAlchemy 2.1 deprecates what MLflow 3.17's own tables (mlflow/store/tracking/sqlalchemy_store.py) still use.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning"),
]
WHOLE = (*small.OVERRIDES, "study.trial_pruner=none")
"""Every trial runs to its end."""
TRIALS = 5


@dataclass(frozen=True)
class Step:
    front: FrontFile
    attributes: dict[str, object]
    printed: str
    runs: tuple[Run, ...]
    artefacts: frozenset[str]
    """Of the study's own run."""

    @property
    def parent(self) -> Run:
        (found,) = (each for each in self.runs if each.data.tags["role"] == "study")
        return found

    @property
    def children(self) -> dict[int, Run]:
        return {int(each.data.tags["trial"]): each for each in self.runs if each.data.tags["role"] == "trial"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("mishaps")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("AUTOCOMPRESS_CACHE", str(cache))
        yield folder


@dataclass(frozen=True)
class Story:
    clock: dict[str, float]
    nothing: Step
    failed: Step
    ended: Step
    constrained: Step
    again: Step
    bounded: Step


def step(folder: Path, printed: str) -> Step:
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    (experiment,) = client.search_experiments(filter_string="name = 'autocompress'")
    runs = tuple(client.search_runs([experiment.experiment_id]))
    (parent,) = (each for each in runs if each.data.tags["role"] == "study")
    artefacts = frozenset(file.path for file in client.list_artifacts(parent.info.run_id))
    return Step(small.front(folder), dict(small.study(folder).user_attrs), printed, runs, artefacts)


@pytest.fixture(scope="module")
def story(folder: Path) -> Story:
    def search(*items: str) -> Step:
        text = io.StringIO()
        with contextlib.redirect_stdout(text):
            assert main([*WHOLE, *items]) == 0
        return step(folder, text.getvalue())

    def broken(*_: object) -> None:
        raise ArithmeticError("no plan today\nnor tomorrow")

    clock: dict[str, float] = {}

    def prepare(*items: object, **named: object) -> object:
        dataset = store.prepare(*items, **named)  # type: ignore[arg-type]
        clock["prepared"] = time.monotonic()
        return dataset

    def open_scene(*items: Any) -> object:
        clock["started"] = items[-1].started
        return opening.open_scene(*items)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "prepare", prepare)
        patch.setattr(run, "open_scene", open_scene)
        nothing = search("study.minutes=0.0001")
    text = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(text):
        patch.setattr(optimise, "suggest", broken)
        with pytest.raises(ArithmeticError, match="no plan today"):
            main([*WHOLE, "study.n_trials=9"])
    failed = step(folder, text.getvalue())
    ended = search(f"study.n_trials={TRIALS}")
    largest = max(point.model_bytes for point in ended.front.points)
    constrained = search(f"study.n_trials={TRIALS}", f"constraints.max_bytes={largest - 1}")
    again = search(f"study.n_trials={TRIALS}", f"constraints.max_bytes={largest - 1}")
    bounded = search(f"study.n_trials={TRIALS}", "+constraints.latency.p99_7=0.0001")
    return Story(clock, nothing, failed, ended, constrained, again, bounded)


def test_a_study_without_time_for_a_trial_says_so_and_leaves_the_test_split_closed(story: Story) -> None:
    assert "study.minutes ran out before the first trial: teacher and landmarks took" in story.nothing.printed
    assert (story.nothing.front.state, story.nothing.front.points) == ("interrupted", ())
    assert "test_opened" not in story.nothing.attributes
    assert story.nothing.front.teacher.quality["click"]["auc"].test is None


def test_the_small_landmark_keeps_no_first_trial_waiting(story: Story) -> None:
    assert story.failed.printed.index("trial 0 failed") < story.failed.printed.index("landmarks: small")
    assert story.ended.printed.index("landmarks: small") < story.ended.printed.index("trials\n")


def test_the_minutes_of_a_study_begin_when_its_data_is_prepared(story: Story) -> None:
    assert story.clock["started"] >= story.clock["prepared"]


def test_why_a_trial_failed_is_said_once_and_stored_with_every_trial(story: Story) -> None:
    assert story.failed.printed.count("no plan today") == 1
    assert "trial 0 failed, the study goes on: ArithmeticError: no plan today\n" in story.failed.printed
    assert [each.data.tags["error"].splitlines()[0] for each in story.failed.children.values()] == [
        "ArithmeticError: no plan today"
    ] * optimise.FAILURES_IN_A_ROW


def test_a_study_that_failed_has_its_front_in_mlflow(story: Story) -> None:
    assert story.failed.parent.info.status == "FAILED"
    assert story.failed.artefacts >= {"front.json", "front.html"}
    assert story.failed.front.state == "interrupted"


def test_a_study_that_failed_before_its_first_trial_ended_goes_on_untouched(story: Story) -> None:
    assert story.ended.front.state == "ended"
    assert story.ended.front.trials.complete == TRIALS - optimise.FAILURES_IN_A_ROW
    assert story.ended.front.test_reused is False


def test_a_drop_of_any_metric_is_a_loss_where_it_is_positive(story: Story) -> None:
    front = story.ended.front
    for file in (*front.landmarks, *front.points):
        for task, metrics in file.quality.items():
            for metric, value in metrics.items():
                teacher = front.teacher.quality[task][metric].test
                assert value.test is not None
                assert teacher is not None
                lost = value.test - teacher if metric in ("log_loss", "calibration_error") else teacher - value.test
                assert value.test_drop == pytest.approx(lost)


def test_another_constraint_on_a_finished_study_chooses_its_front_anew_and_marks_it(
    story: Story,
) -> None:
    before, after = story.ended.front, story.constrained.front
    assert "the constraints have changed" in story.constrained.printed
    assert (after.state, after.test_reused) == ("ended", True)
    assert after.constraints == {"max_bytes": max(point.model_bytes for point in before.points) - 1}
    assert after.trials == before.trials
    assert all(point.feasible is (point.model_bytes <= after.constraints["max_bytes"]) for point in after.points)
    kept = {point.trial: point for point in before.points if point.trial in {p.trial for p in after.points}}
    for point in after.points:
        assert set(point.latency_ms) == {"1", "64", "256"}
        if point.trial in kept:  # measured once, not twice
            assert point.latency_ms == kept[point.trial].latency_ms
    assert after.teacher.latency_ms == before.teacher.latency_ms


def test_the_members_of_the_front_have_their_files_in_mlflow(story: Story, folder: Path) -> None:
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    children = story.constrained.children
    members = {number for number, each in children.items() if each.data.tags["front"] == "yes"}
    assert members == {point.trial for point in story.constrained.front.points}
    for number in members:
        assert client.list_artifacts(children[number].info.run_id, "artefact")


def test_the_same_constraint_again_changes_nothing(story: Story) -> None:
    assert f"is finished: {TRIALS} trials" in story.again.printed
    assert story.again.front == story.constrained.front


def test_under_a_bound_that_no_file_keeps_there_is_a_front_and_the_reason(story: Story) -> None:
    """The latency is one that nobody had asked for while the files were made."""
    front = story.bounded.front
    assert front.state == "ended"
    assert front.points
    assert not any(point.feasible for point in front.points)
    (why,) = (each for each in front.warnings if "binds" in each)
    assert "No file keeps every constraint, and latency.p99_7 binds (latency.p99_7=0.0001 by 0 of" in why
    assert "Nearest: trial" in why
    assert " ".join(why.split()[:6]) in " ".join(story.bounded.printed.split())
    measured = cast(dict[str, dict[str, float]], story.bounded.attributes["latencies"])
    assert {Path(point.artefact).name for point in front.points} <= set(measured)
    assert all(each["p99_7"] > 0.0001 for each in measured.values())


def test_an_output_without_the_files_of_the_study_is_named_and_not_given_an_empty_front(
    story: Story, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = tmp_path / "moved"
    assert main([*WHOLE, f"study.n_trials={TRIALS}", f"output={moved}"]) == 2
    printed = capsys.readouterr().err
    assert f"error: output: no file of the 2 complete trials is in {moved}/{story.ended.front.study}: " in printed
    assert printed.count("\n") == 1
    assert not moved.exists()


def test_a_study_is_not_resumed_under_its_name_with_another_seed(
    story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    name = story.ended.front.study
    assert main([*WHOLE, f"study.name={name}", "study.seed=7"]) == 2
    assert f"study.name={name}: that study has other data" in capsys.readouterr().err
    assert small.front(Path()) == story.bounded.front


@pytest.mark.parametrize("key", ["tracking.uri", "study.storage"])
def test_a_database_that_cannot_be_used_is_named_before_any_data_is_read(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["data=kuairand", "data.root=/nowhere", f"{key}=sqlite:////nowhere/x.db"]) == 2
    assert f"error: {key}=sqlite:////nowhere/x.db" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
