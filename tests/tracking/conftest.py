import shutil
from pathlib import Path

import pytest

from autocompress.tracking.config import TrackingConfig
from autocompress.tracking.mlflow_runs import StudyRun, open_study


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite tracking database with its tables; making them takes seconds, so the tests copy this one."""
    from mlflow import MlflowClient

    file = tmp_path_factory.mktemp("tracking") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def config(empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrackingConfig:
    """The default config, in a folder of its own that is the current one."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    return TrackingConfig()


@pytest.fixture
def run(config: TrackingConfig) -> StudyRun:
    opened = open_study(config, "ads-example-00000000", {"synthetic": "yes"})
    assert opened is not None
    return opened


@pytest.fixture
def artefact(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"example")
    return folder
