"""A study in PostgreSQL: the same command, two workers, no finished trial lost where the server is Debian's own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from autocompress.search.study import open_storage
from tests.pipeline import small

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(200)]
BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1:]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The URL of a database of a server that listens on a socket of its own; skipped where none is installed."""
    if not BINARIES:
        pytest.skip("PostgreSQL is not installed (Debian: apt install postgresql)")
    # the server refuses to run as root, and its user must reach the folder
    user, group = None, None
    place = Path(f"/tmp/autocompress-pg-{os.getpid()}")
    place.mkdir(mode=0o700)
    if os.geteuid() == 0:
        try:
            entry = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("PostgreSQL's user `postgres` is not there")
        os.chown(place, entry.pw_uid, entry.pw_gid)
        user, group = entry.pw_uid, entry.pw_gid
    name = "postgres" if user is not None else pwd.getpwuid(os.geteuid()).pw_name

    def pg(*items: str) -> None:
        subprocess.run(items, cwd="/", check=True, capture_output=True, timeout=60, user=user, group=group)

    binaries, data = BINARIES[0], place / "data"
    try:
        pg(str(binaries / "initdb"), "-D", str(data), "-A", "trust", "-U", name, "--no-sync")
        options = f"-c listen_addresses= -k {place} -c fsync=off"
        pg(str(binaries / "pg_ctl"), "-D", str(data), "-o", options, "-w", "-l", str(place / "log"), "start")
        try:
            yield f"postgresql://{name}@/postgres?host={place}"
        finally:
            pg(str(binaries / "pg_ctl"), "-D", str(data), "-m", "fast", "-w", "stop")
    finally:
        shutil.rmtree(place, ignore_errors=True)


def test_two_workers_run_a_study_in_postgresql_and_it_goes_on_where_it_ended(
    server: str, tmp_path: Path, cache: Path
) -> None:
    pytest.importorskip("psycopg")
    items = [*small.OVERRIDES, "tracking.enabled=false", "execution.n_workers=2", f"study.storage='{server}'"]
    for trials in (4, 7):
        done = small.run(tmp_path, cache, *items, f"study.n_trials={trials}")
        assert done.returncode == 0, done.stderr
        front = small.front(tmp_path)
        assert front.state == "ended"
        assert trials <= front.trials.complete + front.trials.stopped <= trials + 1
    storage = open_storage(server)
    try:
        (name,) = optuna.get_all_study_names(storage)
        trials_run = optuna.load_study(study_name=name, storage=storage).trials
    finally:
        storage.engine.dispose()
    assert {trial.state for trial in trials_run} <= {TrialState.COMPLETE, TrialState.PRUNED}
    assert {trial.user_attrs["worker"][-2:] for trial in trials_run} == {":1", ":2"}
