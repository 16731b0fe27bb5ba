"""`autocompress search`: data, teacher, landmarks, trials, front; resumed, limited, interrupted or finished."""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO

import optuna
import torch

from autocompress.data.cleaning_report import report_lines
from autocompress.data.ray_encoding import on_ray
from autocompress.data.store import prepare
from autocompress.data.write_split import in_threads
from autocompress.digest import json_digest
from autocompress.errors import UserError
from autocompress.report.console import print_front
from autocompress.report.front_files import last_front, read_front
from autocompress.report.progress import Progress
from autocompress.search.closing import close
from autocompress.search.config import SearchConfig
from autocompress.search.last_mile import last_mile
from autocompress.search.ledger import Ledger
from autocompress.search.nursery import prepare_nursery
from autocompress.search.opening import open_scene, study_key, train_landmarks
from autocompress.search.optimise import open_trials, optimise
from autocompress.search.ray_cluster import connected, threads_of_cluster
from autocompress.search.results import in_force, require_files
from autocompress.search.study import (
    EXHAUSTED,
    check_storage,
    finished,
    lives,
    open_storage,
    open_study,
    reopen,
    seconds_used,
    study_name,
    without_password,
)
from autocompress.search.trial import folder_prefix
from autocompress.search.workers import LOCK, join, lead
from autocompress.storage import check_writable, write_json
from autocompress.tracking.connection import check, ui_command

INTERRUPTED = 130


def search(config: SearchConfig) -> int:
    """Runs or resumes the study of `config` and prints its front; 0, or 130 where a person interrupted it.

    `UserError` for bad input, before anything is written into the current folder.
    """
    cluster = config.execution.ray
    with nullcontext() if cluster is None else connected(cluster):
        return _search(config)


def _search(config: SearchConfig) -> int:
    cache, cluster = config.cache.expanduser(), config.execution.ray
    here = os.cpu_count() or 1
    threads = config.execution.threads or (here if cluster is None else threads_of_cluster())
    torch.set_num_threads(max(1, min(threads, here)))
    check_writable("cache", cache)
    check_writable("output", config.output)
    check(config.tracking)
    check_storage(config.study.storage)
    if config.execution.n_workers > 1 and cluster is None and not config.execution.join:
        prepare_nursery()
    encoding = in_threads if cluster is None else on_ray
    dataset = prepare(config.data, config.cleaning, cache, say=lambda line: print(line, flush=True), encoding=encoding)
    for line in config.data.notes():
        print(line, flush=True)
    started = time.monotonic()  # study.minutes are the study's own: a log is prepared once, for all of them
    key = study_key(config, dataset)
    name = config.study.name or study_name(config.search, dataset.name, key)
    folder = config.output / name
    if config.execution.join:
        join(config, name, folder, threads)
        print(f"no trials are left for this process in {name}: the command that leads it shows the front", flush=True)
        return 0
    with _lock(folder, name), Progress(name) as show:
        storage = open_storage(config.study.storage)
        study = open_study(
            storage, name, config.study, config.search_spaces, key, json_digest(dataset.schema.model_dump(mode="json"))
        )
        before, asked = last_front(folder), in_force(config.constraints)
        if before and (before.state, before.constraints) == ("ended", asked) and is_finished(study, config):
            more = "A larger study.n_trials or study.minutes extends it."
            if study.user_attrs.get(EXHAUSTED):
                more = "Every plan of its space has been tried."
            used = f"{len(finished(study))} trials, {seconds_used(study) / 60:.1f} minutes"
            show.note(f"study {name} is finished: {used}. {more}")
        else:
            require_files(finished(study), folder)
            if study.user_attrs.get("closed") and before and before.constraints != asked:
                show.note(
                    "the constraints have changed since the test split was opened: the front is chosen anew; to search "
                    f"under the new ones take another study.name, with study.earlier=[{name}]"
                )
                reopen(study)
            for line in report_lines(dataset.cleaning):
                show.note(line)
            if dataset.guessed_schema is not None:
                show.note(f"what columns mean is guessed; data.schema takes a changed copy of {dataset.guessed_schema}")
            ledger = Ledger.open(config, study, dataset, folder, started, show)
            try:
                write_json(folder / "cleaning.json", dataset.cleaning.model_dump(mode="json"))
                scene = open_scene(config, dataset, folder, cache, threads, ledger)
                ledger.log_trials()  # what a killed process left unlogged
                if open_trials(config, study, scene, ledger):
                    if config.execution.n_workers > 1 or cluster is not None:
                        lead(config, study, folder, threads, ledger)
                    else:
                        optimise(config, study, scene, ledger)
                train_landmarks(config, scene, ledger)
                last_mile(config, study, scene, ledger)
                close(study, scene, ledger)
            except KeyboardInterrupt:
                ledger.interrupted()
                there = (folder / "front.json").is_file()
                kept = "the front so far is kept" if there else "there is no front yet"
                show.note(f"interrupted: {kept}; the same command goes on from here")
                if there:
                    _show_front(config, folder)
                return INTERRUPTED
            except BaseException:
                ledger.failed()
                raise
    _show_front(config, folder)
    return 0


def is_finished(study: optuna.Study, config: SearchConfig) -> bool:
    """Whether the study was closed and no limit lets it go on, or its sampler has nothing more to propose."""
    if not study.user_attrs.get("closed"):
        return False
    if study.user_attrs.get(EXHAUSTED):
        return True
    trials, minutes = config.study.n_trials, config.study.minutes
    spent = trials is not None and len(finished(study)) >= trials
    return spent or (minutes is not None and seconds_used(study) >= 60 * minutes)


def _show_front(config: SearchConfig, folder: Path) -> None:
    commands = {"compare the trials": ui_command(config.tracking)} if config.tracking.enabled else {}
    commands["watch the study"] = f"optuna-dashboard {shlex.quote(without_password(config.study.storage))}"
    print_front(read_front(folder), folder=folder, commands=commands)


def _clear(folder: Path) -> None:
    """Removes what processes of this machine left that were killed, unless a worker is still at work here."""
    ours = folder_prefix()
    numbers = [left.name.removeprefix(ours).partition(".")[0] for left in folder.glob(f"{ours}*")]
    if any(number.isdigit() and int(number) != os.getpid() and lives(int(number)) for number in numbers):
        return
    for left in (*folder.glob(f"{ours}*"), *folder.glob("artefacts/.*")):
        shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _lock(folder: Path, name: str) -> Iterator[None]:
    """Holds the study's folder; a folder that this call made and left without a front is removed again."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    stream: IO[str]
    try:
        with (folder / LOCK).open("w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise UserError(
                    f"study.name: {name} is being searched by another run of this command; execution.join=true runs "
                    "trials beside it"
                ) from error
            _clear(folder)
            yield
    finally:
        if made and not (folder / "artefacts").exists():
            shutil.rmtree(folder, ignore_errors=True)
            for path in made[1:]:
                if path.is_dir() and not any(path.iterdir()):
                    path.rmdir()
