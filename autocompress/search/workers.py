"""Workers that run trials of one study side by side; one process leads: it keeps the books and replaces nobody.

A worker is the loop of trials and nothing else: it finds data and teacher by digest, joins the study by its URL, and
tells its trials there. A worker that dies gives its trial back to the queue, exactly once: the storage lets one process
alone tell a trial as failed.
"""

from __future__ import annotations

import contextlib
import fcntl
import multiprocessing
import os
import secrets
import signal
import socket
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import optuna
import torch
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from autocompress.compress.plan import PACKAGE
from autocompress.data.store import prepare
from autocompress.errors import UserError
from autocompress.family import extend
from autocompress.search.config import SearchConfig
from autocompress.search.files import Known
from autocompress.search.ledger import Ledger
from autocompress.search.nursery import nursery
from autocompress.search.opening import know_teacher, scene_of
from autocompress.search.optimise import is_spent, run_trials
from autocompress.search.ray_cluster import RayWorker, check_room
from autocompress.search.samplers.sampler import TEACHER_BYTES
from autocompress.search.study import HOST, PROCESS, finished, give_back, new_sampler, open_storage, seconds_used

LEADER = f"{socket.gethostname()}:{os.getpid()}"
"""Who this process is among those that run trials of a study."""
LOOK_SECONDS = 0.5
"""How often the leader looks for trials that are over."""
WORKER = "worker"
LOCK = ".lock"
"""In a study's folder: held by the command that leads it."""


class Silent:
    """A display of a process that nobody watches; the leader tells what it did."""

    def trial(self, number: int, of: int | None, words: str) -> None:
        """Nothing."""

    def rung(self, number: int, rung: str, quality: float | None) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""


@dataclass(frozen=True)
class WorkerBooks:
    """What a loop of trials asks, in a worker; the study had run `before` seconds when the wall's clock was `began`."""

    teacher: Known
    before: float
    began: float
    minutes: float | None
    show: Silent = field(default_factory=Silent)

    @property
    def seconds(self) -> float:
        """Running time of the study."""
        return self.before + time.time() - self.began

    @property
    def seconds_left(self) -> float | None:
        """Until `study.minutes`."""
        return None if self.minutes is None else 60 * self.minutes - self.seconds


class Hand(Protocol):
    """A worker as its leader sees it: `multiprocessing.Process`, or an actor of Ray."""

    def start(self) -> None:
        """Begins."""

    @property
    def exitcode(self) -> int | None:
        """None while it runs; zero where it ended as it should."""

    def is_alive(self) -> bool:
        """Whether it runs."""

    def terminate(self) -> None:
        """Ends it at once."""

    def join(self) -> None:
        """Returns when it has ended."""


def lead(config: SearchConfig, study: optuna.Study, folder: Path, threads: int, ledger: Ledger) -> None:
    """Starts the workers and books their trials until all have ended. KeyboardInterrupt passes through.

    `UserError` where a cluster has no room for them, `RuntimeError` with the last trial's error where every worker
    failed.
    """
    several, dumped = config.execution.n_workers, config.model_dump(mode="json")
    each = max(1, threads // several)
    known = {trial.number for trial in finished(study)}
    started = (ledger.seconds, time.time())
    workers = [
        _hand(config, (dumped, study.study_name, str(folder), each, number, f"{LEADER}:{number}", *started))
        for number in range(1, several + 1)
    ]
    if config.execution.ray is not None:
        check_room(several, each)
    dead: set[int] = set()
    begun: list[Hand] = []

    def look() -> None:
        for number, worker in enumerate(workers, start=1):
            if worker.exitcode not in (None, 0) and number not in dead:
                dead.add(number)
                _bury(number, worker, study, ledger)
        for trial in finished(study):
            if trial.number not in known:
                known.add(trial.number)
                limit = config.study.n_trials
                of = None if limit is None or trial.number >= limit else limit
                ledger.show.trial(trial.number, of, trial.user_attrs.get("words", ""))
                ledger.trial_ended(trial)

    try:
        for worker in workers:
            worker.start()
            begun.append(worker)
        while any(worker.is_alive() for worker in workers):
            look()
            time.sleep(LOOK_SECONDS)
        look()
    finally:
        # one whose start was interrupted may run all the same
        begun += [worker for worker in workers if worker not in begun and worker.is_alive()]
        for worker in begun:
            if worker.is_alive():
                worker.terminate()
        for worker in begun:
            worker.join()
        _requeue(study, {f"{LEADER}:{number}" for number in range(1, several + 1)})
    if len(dead) == several:
        errors = [trial.user_attrs["error"] for trial in finished(study) if "error" in trial.user_attrs]
        raise RuntimeError(f"every worker has failed: {errors[-1] if errors else 'see above'}")


def _hand(config: SearchConfig, arguments: tuple[Any, ...]) -> Hand:
    if config.execution.ray is not None:
        return RayWorker(work, arguments, threads=arguments[3])
    listens = signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    return nursery().Process(target=forked, args=(listens, *arguments))


def _bury(number: int, worker: Hand, study: optuna.Study, ledger: Ledger) -> None:
    back = _requeue(study, {f"{LEADER}:{number}"})
    trials = f"; trial {back[0]} goes back to the queue" if back else ""
    ledger.show.note(f"worker {number} ended with status {worker.exitcode}{trials}")


def _requeue(study: optuna.Study, names: set[str]) -> list[int]:
    """Tells the running trials of workers that are gone as failed, and queues their plans once more."""
    found = []
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if trial.user_attrs.get(WORKER) in names:
            with contextlib.suppress(UpdateFinishedTrialError):  # another process was first
                if study._storage.set_trial_state_values(trial._trial_id, state=TrialState.FAIL):
                    give_back(study, study._storage.get_trial(trial._trial_id))
                    found.append(trial.number)
    return found


def forked(listens: bool, *arguments: Any) -> None:
    """`work`, in a process that may have inherited to ignore Ctrl-C; `listens`: whether its leader does not.

    A leader that is a script's background job ignores it: its workers must not end before it.
    """
    if listens:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    work(*arguments)


def work(
    dumped: dict[str, Any], name: str, folder: str, threads: int, number: int, who: str, before: float, began: float
) -> None:
    """The whole life of worker `number`, called `who`: a process of its own. Ends when a limit of the study is
    reached."""
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with contextlib.suppress(KeyboardInterrupt):  # the leader has heard it, too, and tells
        if dumped["methods"]:
            extend(PACKAGE, Path(dumped["methods"]).expanduser(), "methods")
        config = SearchConfig.model_validate(dumped)
        torch.set_num_threads(threads)
        cache = config.cache.expanduser()
        dataset = prepare(config.data, config.cleaning, cache)
        ready = config.teacher.ready(dataset, config.study.seed, cache, None, config.goal)
        scene = scene_of(config, ready, dataset, Path(folder), cache, threads)
        study = optuna.load_study(study_name=name, storage=open_storage(config.study.storage))
        study.sampler = new_sampler(study, config.study, config.search_spaces, number)
        books = WorkerBooks(know_teacher(config, scene), before, began, config.study.minutes)
        by = {HOST: socket.gethostname(), PROCESS: os.getpid(), WORKER: who}
        if not is_spent(config, study, books):
            run_trials(config, study, scene, books, _while_led, by)


def join(config: SearchConfig, name: str, folder: Path, threads: int) -> None:
    """Runs trials of a study that another command leads, until that one's limits; waits for its teacher first.

    `UserError` where there is no such study, or where it has ended.
    """
    try:
        study = optuna.load_study(study_name=name, storage=open_storage(config.study.storage))
    except KeyError as error:
        raise UserError(
            f"execution.join: there is no study {name} in study.storage; the command that leads it has the same "
            "overrides, and no execution.join"
        ) from error
    while study.user_attrs.get("closed"):
        if is_led(folder):  # by a command that extends it, and is still at its teacher
            time.sleep(LOOK_SECONDS)
            continue
        raise UserError(
            f"execution.join: the study {name} has ended; the same command without execution.join and with larger "
            "limits extends it, and then others may join"
        )
    if TEACHER_BYTES not in study.user_attrs:
        print(f"{name}: waiting until the command that leads it has its teacher", flush=True)
    while TEACHER_BYTES not in study.user_attrs:
        time.sleep(LOOK_SECONDS)
    dumped = config.model_dump(mode="json")
    # a number of its own, on whatever machine: its proposals are its own
    work(dumped, name, str(folder), threads, secrets.randbits(31), LEADER, seconds_used(study), time.time())


def is_led(folder: Path) -> bool:
    """Whether a command holds the study's folder: it leads the study, and trials may join it."""
    if not (folder / LOCK).exists():
        return False
    with (folder / LOCK).open() as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _while_led(trial: FrozenTrial) -> None:
    """The leader books it; where that one was killed, its workers end."""
    leader = multiprocessing.parent_process()
    if leader is not None and not leader.is_alive():
        raise KeyboardInterrupt
