"""Reaching the tracking database: where it is, whether it answers, and the command that shows it."""

from __future__ import annotations

import logging
import os
import shlex
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from autocompress.errors import UserError
from autocompress.tracking.config import DEFAULT_URI, TrackingConfig

if TYPE_CHECKING:
    from mlflow import MlflowClient

_SECONDS_TO_ANSWER = 5
# What MLflow's list of experiments shows as their kind: training runs, not language models.
_KIND = {"mlflow.experimentKind": "custom_model_development"}
_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}


def resolved_uri(config: TrackingConfig) -> str:
    """The URI that runs go to; the path of an SQLite file is made absolute, so that a later chdir changes nothing."""
    uri = _plain_uri(config)
    file = sqlite_file(uri)
    return uri if file is None else f"sqlite:///{file}"


def sqlite_file(uri: str) -> Path | None:
    """The absolute path of the SQLite file that a URI names; None for any other URI."""
    if not uri.startswith("sqlite:///") or uri == "sqlite:///:memory:":
        return None
    return Path(unquote(uri.removeprefix("sqlite:///").partition("?")[0])).absolute()


def ui_command(config: TrackingConfig) -> str:
    """What a person types in this folder to see the runs; for a tracking server, its address."""
    uri = _plain_uri(config)
    if uri.startswith(("http://", "https://")):
        return uri
    # Runs of an older MLflow in ./mlruns would win over the database when no store is named.
    older_store = any(Path("mlruns").glob("[0-9]*/meta.yaml")) or "MLFLOW_BACKEND_STORE_URI" in os.environ
    if sqlite_file(uri) == sqlite_file(DEFAULT_URI) and not older_store:
        return "mlflow ui"
    return f"mlflow ui --backend-store-uri {shlex.quote(uri)}"


def check(config: TrackingConfig) -> None:
    """Raises the UserError that `connect` would, and makes no database: to be called before anything is written."""
    if config.enabled:
        uri = resolved_uri(config)
        _check_answers(uri)
        file = sqlite_file(uri)
        if file is None or file.exists():
            connect(config)


def connect(config: TrackingConfig) -> tuple[MlflowClient, str]:
    """A client of the tracking database, and the id of the experiment, which is made where missing.

    Raises UserError naming `tracking.uri` or `tracking.experiment`, within seconds and with nothing left behind,
    where the database cannot be reached or the experiment cannot be used.
    """
    uri = resolved_uri(config)
    _check_answers(uri)
    _quieten()
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    try:
        client = MlflowClient(tracking_uri=uri)
        return client, _experiment(client, uri, config.experiment)
    except MlflowException as error:
        raise UserError(f"tracking.uri={_shown(uri)}: {_first_line(error)}") from error


def _plain_uri(config: TrackingConfig) -> str:
    return config.uri or os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI


def _experiment(client: MlflowClient, uri: str, name: str) -> str:
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return client.create_experiment(name, artifact_location=_artifact_location(uri), tags=_KIND)
        except MlflowException as error:
            # Another worker may have been first.
            found = client.get_experiment_by_name(name)
            if found is None:
                raise UserError(f"tracking.experiment={name}: {_first_line(error)}") from error
    if found.lifecycle_stage != "active":
        raise UserError(f"tracking.experiment={name} was deleted in MLflow; restore it there or choose another name")
    return found.experiment_id


def _artifact_location(uri: str) -> str | None:
    """`mlartifacts/` beside an SQLite file. Not the default `./mlruns`: once that holds runs, MLflow prefers it."""
    file = sqlite_file(uri)
    return None if file is None else (file.parent / "mlartifacts").as_uri()


def _check_answers(uri: str) -> None:
    """One quick attempt of our own: MLflow itself retries for minutes, and makes missing folders on the way."""
    file = sqlite_file(uri)
    if file is not None:
        _check_sqlite(uri, file)
        return
    parts = urlsplit(uri)
    scheme = parts.scheme.partition("+")[0]
    if scheme not in _PORTS:
        return
    try:
        address = (parts.hostname or "localhost", parts.port or _PORTS[scheme])
        with closing(socket.create_connection(address, timeout=_SECONDS_TO_ANSWER)):
            pass
    except (OSError, ValueError) as error:
        raise UserError(f"tracking.uri={_shown(uri)} does not answer: {error}") from error
    if not scheme.startswith("http"):
        _check_login(uri)


def _check_sqlite(uri: str, file: Path) -> None:
    if not file.parent.is_dir():
        raise UserError(f"tracking.uri={uri}: there is no folder {file.parent}")
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        raise UserError(f"tracking.uri={uri} cannot be written")
    if file.is_dir():
        raise UserError(f"tracking.uri={uri} is a folder, not an SQLite file")
    if file.exists():
        try:
            with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True)) as opened:
                opened.execute("SELECT name FROM sqlite_master").fetchone()
        except sqlite3.DatabaseError as error:
            raise UserError(f"tracking.uri={uri} is not an SQLite file: {error}") from error


def _check_login(uri: str) -> None:
    import sqlalchemy

    try:
        engine = sqlalchemy.create_engine(uri, poolclass=sqlalchemy.NullPool)
        with engine.connect():
            pass
    except (sqlalchemy.exc.SQLAlchemyError, ImportError) as error:
        raise UserError(f"tracking.uri={_shown(uri)} cannot be used: {_first_line(error)}") from error


def _quieten() -> None:
    """MLflow tells at INFO how it builds its tables, in the middle of whatever a person is reading."""
    for name in ("mlflow.store.db.utils", "mlflow.tracking", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _shown(uri: str) -> str:
    """The URI without its password."""
    password = urlsplit(uri).password
    return uri.replace(f":{password}@", ":***@") if password else uri


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
