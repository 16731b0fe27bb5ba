"""A study small enough for a test: the command, in a process of its own, and what it left."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import optuna

from autocompress.report.contract import FrontFile
from autocompress.report.front_files import read_front

OVERRIDES = (
    "search=ads",
    "data.rows=20000",
    "study.minutes=null",
    "study.rungs=[2000,8000]",
    "teacher.shape.embedding_dim=8",
    "teacher.shape.tower=[32,16]",
    "search_spaces.student.embedding_dim=[4,8]",
    "search_spaces.student.tower=[[32,16],[16]]",
)
PATIENCE = 100.0


def command(*items: str) -> list[str]:
    return [sys.executable, "-m", "autocompress", *items]


def environment(cache: Path) -> dict[str, str]:
    return {**os.environ, "AUTOCOMPRESS_CACHE": str(cache), "COLUMNS": "80"}


def run(folder: Path, cache: Path, *items: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*items), cwd=folder, env=environment(cache), capture_output=True, text=True, timeout=PATIENCE
    )


def start(folder: Path, cache: Path, *items: str) -> subprocess.Popen[str]:
    # a shell starts a background job with SIGINT ignored, and so would everything that the job starts
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            command(*items),
            cwd=folder,
            env=environment(cache),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)


def progress(folder: Path) -> tuple[int, bool]:
    """How many trials of the only study are over, and whether one runs that has its plan; read beside its process."""
    file = folder / "autocompress.db"
    if not file.exists():
        return 0, False
    over = "SELECT count(*) FROM trials WHERE state IN ('COMPLETE', 'PRUNED', 'FAIL')"
    planned = (
        "SELECT count(*) FROM trials NATURAL JOIN trial_user_attributes WHERE state = 'RUNNING' AND key = 'digest'"
    )
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as opened:
            return opened.execute(over).fetchone()[0], bool(opened.execute(planned).fetchone()[0])
    except sqlite3.OperationalError:  # the tables are being made
        return 0, False


def study_folder(folder: Path) -> Path:
    (found,) = (folder / "outputs").iterdir()
    return found


def front(folder: Path) -> FrontFile:
    return read_front(study_folder(folder))


def study(folder: Path) -> optuna.Study:
    storage = f"sqlite:///{folder}/autocompress.db"
    (name,) = optuna.get_all_study_names(storage)
    return optuna.load_study(study_name=name, storage=storage)
