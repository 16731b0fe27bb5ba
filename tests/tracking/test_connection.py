import socket
from pathlib import Path

import pytest

from autocompress.errors import UserError
from autocompress.tracking.config import TrackingConfig
from autocompress.tracking.connection import connect, resolved_uri, ui_command

# SQLAlchemy 2.1 deprecates what MLflow 3.17's own tables (mlflow/store/tracking/sqlalchemy_store.py) still use.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_BACKEND_STORE_URI"):
        monkeypatch.delenv(name, raising=False)


def test_the_default_is_what_mlflow_ui_opens_by_itself(tmp_path: Path) -> None:
    assert resolved_uri(TrackingConfig()) == f"sqlite:///{tmp_path}/mlflow.db"
    assert ui_command(TrackingConfig()) == "mlflow ui"
    assert ui_command(TrackingConfig(uri=f"sqlite:///{tmp_path}/mlflow.db")) == "mlflow ui"


def test_an_older_file_store_makes_the_command_name_the_database(tmp_path: Path) -> None:
    (tmp_path / "mlruns" / "0").mkdir(parents=True)
    (tmp_path / "mlruns" / "0" / "meta.yaml").touch()
    assert ui_command(TrackingConfig()) == "mlflow ui --backend-store-uri sqlite:///mlflow.db"


def test_other_databases_are_named_and_servers_are_addresses() -> None:
    assert ui_command(TrackingConfig(uri="sqlite:///a b.db")) == "mlflow ui --backend-store-uri 'sqlite:///a b.db'"
    assert ui_command(TrackingConfig(uri="http://localhost:5000")) == "http://localhost:5000"


def test_null_takes_the_environments_uri(monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolved_uri(TrackingConfig(uri=None)) == resolved_uri(TrackingConfig())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:5001")
    assert resolved_uri(TrackingConfig(uri=None)) == "http://localhost:5001"


def test_a_missing_folder_is_named_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"tracking\.uri=sqlite:////.*there is no folder"):
        connect(TrackingConfig(uri=f"sqlite:///{tmp_path}/none/mlflow.db"))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_named_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database")
    with pytest.raises(UserError, match=r"tracking\.uri=.*is not an SQLite file"):
        connect(TrackingConfig(uri="sqlite:///notes.txt"))
    assert (tmp_path / "notes.txt").read_text() == "not a database"


@pytest.mark.parametrize("scheme", ["http", "postgresql"])
def test_a_server_that_does_not_answer_is_named_at_once_without_its_password(scheme: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=r"tracking\.uri=.*does not answer") as caught:
            connect(TrackingConfig(uri=f"{scheme}://me:secret@127.0.0.1:{port}/runs"))
    assert "secret" not in str(caught.value)


def test_a_deleted_experiment_is_named(config: TrackingConfig) -> None:
    client, experiment_id = connect(config)
    client.delete_experiment(experiment_id)
    with pytest.raises(UserError, match=r"tracking\.experiment=autocompress was deleted"):
        connect(config)


def test_a_scheme_that_mlflow_does_not_know_is_named() -> None:
    with pytest.raises(UserError, match=r"tracking\.uri=nonsense"):
        connect(TrackingConfig(uri="nonsense://x"))
