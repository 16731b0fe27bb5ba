"""The Optuna study of a search: its name, its storage, what a resume finds, its sampler."""

from __future__ import annotations

import os
import socket
import sqlite3
import warnings
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from autocompress.digest import json_digest
from autocompress.errors import UserError
from autocompress.search.earlier import SCHEMA, earlier_recipes
from autocompress.search.samplers.sampler import Setting
from autocompress.search.settings import StudySettings
from autocompress.search.space import Spaces, recipe_in

OBJECTIVES = ("-(mean quality - teacher's)", "log10 model bytes", "log10 (1 / speed-up), batch 256")
BUSY_SECONDS = 30
HEARTBEAT_SECONDS, GRACE_SECONDS = 5, 30
"""How often a worker says that it lives, and after how long a silence its trial goes to another."""
HOST, PROCESS = "host", "process"
"""User attributes: where a worker runs a trial, and its process there."""
EXHAUSTED = "exhausted"
"""User attribute of a study whose sampler has nothing more to propose."""


def study_name(scenario: str, data: str, key: dict[str, Any]) -> str:
    """`<scenario>-<data>-<8 hex>`; the hex is over `key`: data, teacher, space, objectives and seed."""
    return f"{scenario}-{data}-{json_digest(key)[:8]}"


def open_storage(url: str) -> RDBStorage:
    """A relational storage; SQLite with a write-ahead log: one flush a trial instead of one a statement.

    `UserError` naming `study.storage` where the URL is malformed or nobody answers there.
    """
    # heartbeats are marked experimental
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    shown = url
    try:
        shown = without_password(url)
        sqlite = make_url(url).get_backend_name() == "sqlite"
        arguments = {"timeout": BUSY_SECONDS} if sqlite else {"connect_timeout": 5}
        storage = RDBStorage(
            url,
            engine_kwargs={"connect_args": arguments},
            skip_table_creation=False,
            heartbeat_interval=HEARTBEAT_SECONDS,
            grace_period=GRACE_SECONDS,
            heartbeat_stale_trial_callback=give_back,
        )
    except (ArgumentError, NoSuchModuleError, SQLAlchemyError, ImportError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if isinstance(error, ImportError):
            reason = "its driver is not installed (for PostgreSQL: pip install psycopg[binary])"
        raise UserError(f"study.storage={shown}: cannot be used: {reason}") from error
    if sqlite:
        event.listen(storage.engine, "connect", _write_ahead)
        storage.engine.dispose()
    return storage


def without_password(url: str) -> str:
    """The URL as it may be shown; `ArgumentError` where it is malformed."""
    return make_url(url).render_as_string(hide_password=True)


def check_storage(url: str) -> None:
    """Raises the `UserError` that `open_storage` would, and makes no SQLite file: for before the work."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    file = Path(parsed.database) if parsed and parsed.get_backend_name() == "sqlite" and parsed.database else None
    if file is None or file.exists():
        open_storage(url).engine.dispose()
    elif not os.access(file.parent, os.W_OK):
        raise UserError(f"study.storage={url}: there is no folder {file.parent} that can be written")


def _write_ahead(connection: sqlite3.Connection, _: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def open_study(
    storage: RDBStorage, name: str, settings: StudySettings, spaces: Spaces, key: dict[str, Any], schema: str = ""
) -> optuna.Study:
    """The study of this name, new or resumed.

    Recipes, and the fronts of earlier studies on `schema` (a digest) that the settings ask for, are queued in a new
    study. The caller holds the study's lock, so a trial of this machine that is RUNNING belongs to a worker that still
    lives, or to a process that died: then it is told as failed, and its proposal is not made again. The sampler's seed
    comes from (seed, trials stored), because a resumed sampler with the old seed would repeat its proposals.
    `UserError` naming `study.name` where the stored study has another `key` (as in `study_name`): its trials cannot be
    compared.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    # metric names, which the dashboard shows, and NSGA-III are marked experimental
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    study = optuna.create_study(
        storage=storage, study_name=name, directions=["minimize"] * len(OBJECTIVES), load_if_exists=True
    )
    if study.user_attrs.get("key", json_digest(key)) != json_digest(key):
        raise UserError(
            f"study.name={name}: that study has other data, teacher, landmarks, search space, rungs or seed; give it "
            "those again, or take another name"
        )
    study.set_user_attr("key", json_digest(key))
    study.set_user_attr(SCHEMA, schema)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        here = trial.user_attrs.get(HOST, socket.gethostname()) == socket.gethostname()
        if here and not lives(trial.user_attrs.get(PROCESS)):
            study.tell(trial.number, state=TrialState.FAIL)
    if not study.get_trials(deepcopy=False):
        study.set_metric_names(list(OBJECTIVES))
        recipes = [known for recipe in settings.recipes if (known := recipe_in(recipe, spaces))]
        if settings.earlier:
            recipes += earlier_recipes(storage, settings.earlier, schema, spaces)
        for recipe in recipes:
            study.enqueue_trial(recipe, skip_if_exists=True)
    study.sampler = new_sampler(study, settings, spaces)
    return study


def lives(process: int | None) -> bool:
    """Whether there is a process of this number on this machine."""
    if process is None:
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user
        return True
    return True


def new_sampler(
    study: optuna.Study, settings: StudySettings, spaces: Spaces, worker: int | None = None
) -> optuna.samplers.BaseSampler:
    """The sampler of a process that goes on with a study; each `worker` of several has a seed of its own."""
    seed = settings.seed + 7919 * len(study.get_trials(deepcopy=False)) + 104_729 * (worker or 0)
    setting = Setting(spaces, seed % 2**32, settings.n_trials, settings.minutes, together=worker is not None)
    return settings.sampler.build(setting)


def give_back(study: optuna.Study, trial: FrozenTrial) -> None:
    """Queues the plan of a trial whose worker died once more; a plan that killed two workers is not tried again."""
    optuna.storages.RetryHeartbeatStaleTrialCallback(max_retry=1)(study, trial)


def reopen(study: optuna.Study) -> None:
    """Lets a study that was closed go on: what is chosen from now on is chosen after its test split was opened."""
    if study.user_attrs.get("test_opened"):
        study.set_user_attr("test_reused", True)
    study.set_user_attr("closed", False)


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that are over: complete, stopped (PRUNED) or failed."""
    over = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    return study.get_trials(deepcopy=False, states=over)


def seconds_used(study: optuna.Study) -> float:
    """Running time of the study so far, over all resumes."""
    return float(study.user_attrs.get("seconds", 0.0))
