"""One small study on the simulator, from the command to the front, and what the front promises."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from autocompress.cli.main import main
from autocompress.digest import file_digest
from autocompress.measure.quality import METRICS
from autocompress.report.contract import FrontFile, MeasuredFile
from autocompress.search.objectives import Vector, dominates
from tests.pipeline import small

pytestmark = [
    pytest.mark.pipeline,
    pytest.mark.timeout(400),
    # SQLAlchemy 2.1 deprecates what MLflow 3.17's own tables (mlflow/store/tracking/sqlalchemy_store.py) still use.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning"),
]
SCHEMA = Path(__file__).parents[2] / "docs" / "front.schema.json"
TRIALS = 4
COMMAND = (*small.OVERRIDES, f"study.n_trials={TRIALS}", "constraints.max_bytes=1000000")


@dataclass(frozen=True)
class Study:
    folder: Path
    front: FrontFile
    printed: str
    errors: str
    rows: Path

    @property
    def files(self) -> tuple[MeasuredFile, ...]:
        return (self.front.teacher, *self.front.landmarks, *self.front.points)

    def bundle(self, file: MeasuredFile) -> Path:
        return small.study_folder(self.folder) / file.artefact


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Study:
    folder = tmp_path_factory.mktemp("study")
    ended = small.run(folder, cache, *COMMAND)
    assert ended.returncode == 0, ended.stderr
    rows = folder / "rows.parquet"
    assert main(["rows", *small.OVERRIDES, "split=test", f"output={rows}"]) == 0
    return Study(folder, small.front(folder), ended.stdout, ended.stderr, rows)


def predict(artefact: Path, rows: Path, output: Path) -> pl.DataFrame:
    assert main(["predict", f"artefact={artefact}", f"input={rows}", f"output={output}"]) == 0
    return pl.read_parquet(output)


def test_front_json_keeps_the_published_schema(done: Study) -> None:
    content = json.loads((small.study_folder(done.folder) / "front.json").read_text())
    jsonschema.validate(content, json.loads(SCHEMA.read_text()))
    assert content["state"] == "ended"
    assert content["test_reused"] is False
    assert sum(content["trials"].values()) == TRIALS
    assert content["points"] != []


def test_nothing_is_printed_on_stderr_and_no_line_of_the_tables_passes_80_columns(done: Study) -> None:
    assert done.errors == ""
    report = done.printed[done.printed.index("The front, largest file first") :]
    places = ("front: ", "data: ", "table: ", "files: ", "compare the trials: ", "watch the study: ")
    lines = [line for line in report.splitlines() if not line.startswith(places)]
    assert [line for line in lines if len(line) > 80] == []


def test_bytes_and_digests_are_those_of_the_files(done: Study) -> None:
    for file in done.files:
        bundle = done.bundle(file)
        assert sum(path.stat().st_size for path in bundle.glob("model.onnx*")) == file.model_bytes
        assert sum(path.stat().st_size for path in bundle.iterdir()) == file.bundle_bytes
        assert file_digest(bundle / "model.onnx") == file.sha256
        assert file_digest(bundle / "MANIFEST.json") == bundle.name
        assert file.compression_ratio == pytest.approx(done.front.teacher.model_bytes / file.model_bytes)


def test_auc_recomputed_from_rows_and_predict_is_the_reported_one(done: Study, tmp_path: Path) -> None:
    labels = pl.read_parquet(done.rows)
    for file in done.files:
        scores = predict(done.bundle(file), done.rows, tmp_path / "scores.parquet")
        assert scores.columns == list(file.quality)
        assert scores.height == labels.height == done.front.data.rows["test"]
        for task, metrics in file.quality.items():
            recomputed = roc_auc_score(labels[task].to_numpy(), scores[task].to_numpy())
            assert metrics["auc"].test == pytest.approx(recomputed, abs=1e-4)


def test_every_file_has_every_measurement_once_the_study_has_ended(done: Study) -> None:
    for file in done.files:
        assert set(file.latency_ms) == set(file.speedup) == {"1", "64", "256"}
        assert all(latency.p99 is not None for latency in file.latency_ms.values())
        for metrics in file.quality.values():
            assert set(METRICS) == set(metrics)
            for value in metrics.values():
                assert value.test is not None
                assert value.test_ci95 is not None
                # the bootstrap counts in float64, torchmetrics in float32
                assert value.test_ci95[0] - 1e-6 <= value.test <= value.test_ci95[1] + 1e-6
                assert value.test_drop_ci95 is not None


def test_no_point_of_the_front_is_better_than_another_in_every_respect(done: Study) -> None:
    teacher = {task: metrics["auc"].valid for task, metrics in done.front.teacher.quality.items()}
    (stored,) = {len(trial.values or []) for trial in small.study(done.folder).trials if trial.state.name == "COMPLETE"}
    assert stored == 3
    told = {trial.number: trial.values for trial in small.study(done.folder).trials}
    for point in done.front.points:
        change = np.mean([point.quality[task]["auc"].valid - value for task, value in teacher.items()])
        assert told[point.trial][:2] == pytest.approx([-change, np.log10(point.model_bytes)])
    vectors: list[Vector] = [tuple(told[point.trial]) for point in done.front.points]
    assert not any(dominates(one, other) for one in vectors for other in vectors)


def test_the_optuna_study_holds_every_trial_under_the_name_of_the_folder(done: Study) -> None:
    study = small.study(done.folder)
    assert study.study_name == done.front.study == small.study_folder(done.folder).name
    assert len(study.trials) == TRIALS
    assert len(study.directions) == 3


def test_mlflow_holds_the_study_its_trials_and_the_teacher(done: Study) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{done.folder}/mlflow.db")
    (experiment,) = client.search_experiments(filter_string="name = 'autocompress'")
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = [run for run in runs if run.data.tags["role"] == "study"]
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert parent.info.status == "FINISHED"
    assert len([run for run in runs if run.data.tags["role"] == "teacher"]) == 1
    assert sorted(int(run.data.tags["trial"]) for run in children) == list(range(TRIALS))
    members = {int(run.data.tags["trial"]) for run in children if run.data.tags["front"] == "yes"}
    assert members == {point.trial for point in done.front.points}
    assert len(client.get_metric_history(parent.info.run_id, "hypervolume")) == done.front.trials.complete
    assert {file.path for file in client.list_artifacts(parent.info.run_id)} >= {"front.json", "front.html"}


def test_predict_ignores_labels_and_other_columns_and_keeps_order(done: Study, tmp_path: Path) -> None:
    artefact = done.bundle(done.front.points[0])
    rows = pl.read_parquet(done.rows)
    expected = predict(artefact, done.rows, tmp_path / "all.parquet")
    shuffled = rows.with_row_index("row").sample(fraction=1.0, shuffle=True, seed=1)
    shuffled.drop("click", "conversion", "day").with_columns(more=pl.lit("x")).write_parquet(tmp_path / "in.parquet")
    scores = predict(artefact, tmp_path / "in.parquet", tmp_path / "out.parquet")
    assert scores.columns == ["click", "conversion"]
    difference = np.abs(scores.to_numpy() - expected[shuffled["row"]].to_numpy())
    assert difference.max() <= 1e-6


def test_ids_that_training_never_saw_share_one_score(done: Study, tmp_path: Path) -> None:
    row = pl.read_parquet(done.rows).head(1)
    unknown = pl.concat([row.with_columns(user_id=pl.lit(-value, dtype=pl.Int64)) for value in (1, 2, 3)])
    unknown.write_parquet(tmp_path / "in.parquet")
    scores = predict(done.bundle(done.front.teacher), tmp_path / "in.parquet", tmp_path / "out.parquet")
    assert scores.n_unique() == 1
    assert scores["click"].is_between(0, 1).all()


def test_a_file_without_rows_gives_a_file_without_scores(done: Study, tmp_path: Path) -> None:
    pl.read_parquet(done.rows).head(0).write_parquet(tmp_path / "in.parquet")
    scores = predict(done.bundle(done.front.points[0]), tmp_path / "in.parquet", tmp_path / "out.parquet")
    assert scores.shape == (0, 2)


@pytest.mark.parametrize("subcommand", ["predict", "measure"])
def test_a_bundle_alone_is_enough_and_neither_torch_nor_lightning_is_imported(
    subcommand: str, done: Study, tmp_path: Path
) -> None:
    artefact = done.bundle(done.front.points[0])
    (tmp_path / "elsewhere").mkdir()
    alone = tmp_path / "elsewhere" / "bundle"
    alone.mkdir()
    for file in artefact.iterdir():
        (alone / file.name).write_bytes(file.read_bytes())
    items = [subcommand, f"artefact={alone}"]
    if subcommand == "predict":
        items += [f"input={done.rows}", "output=scores.parquet"]
    code = (
        "import sys; from autocompress.cli.main import main; status = main(sys.argv[1:]);"
        "heavy = {'torch', 'lightning', 'pytorch_lightning', 'hydra', 'optuna', 'mlflow'} & set(sys.modules);"
        "print(sorted(heavy)); sys.exit(status)"
    )
    ended = subprocess.run([sys.executable, "-c", code, *items], cwd=tmp_path, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[-1] == "[]"
    if subcommand == "measure":
        (stored,) = alone.parent.glob("*.json")
        assert json.loads(stored.read_text())["sha256"] == done.front.points[0].sha256


def test_the_same_command_on_a_finished_study_says_so_and_shows_its_front(done: Study, cache: Path) -> None:
    before = (small.study_folder(done.folder) / "front.json").read_bytes()
    again = small.run(done.folder, cache, *COMMAND)
    assert (again.returncode, again.stderr) == (0, "")
    assert f"study {done.front.study} is finished: {TRIALS} trials" in again.stdout
    assert "The front, largest file first" in again.stdout
    assert (small.study_folder(done.folder) / "front.json").read_bytes() == before
