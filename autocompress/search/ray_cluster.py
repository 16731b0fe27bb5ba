"""Workers on a Ray cluster: each is an actor that joins the study by its URL, as a process of this machine would.

A node sees the folders of the command (its own folder, `output`, `cache`) and has the package installed.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autocompress.errors import UserError
from autocompress.search.settings import RayCluster

KNOCK_SECONDS = 5.0


@contextmanager
def connected(settings: RayCluster) -> Iterator[None]:
    """Inside, this process belongs to the cluster. `UserError` where Ray is not installed or no cluster answers."""
    try:
        # late: an extra, and its import takes a second
        import ray
    except ImportError as error:
        raise UserError("execution=ray: Ray is not installed: pip install 'autocompress[ray]'") from error
    local: dict[str, Any] = {"include_dashboard": False} if settings.address is None else {}
    try:
        _knock(settings.address)
        ray.init(settings.address, log_to_driver=False, configure_logging=False, **local)
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"execution.ray.address={settings.address}: no Ray cluster answers there: {reason}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str | None) -> None:
    """`OSError` where nobody listens at `host:port`: Ray itself would try for minutes."""
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host, int(port)), timeout=KNOCK_SECONDS).close()


def threads_of_cluster() -> int:
    """CPUs of all nodes."""
    import ray

    resources: Any = ray.cluster_resources
    return int(resources().get("CPU", 0))


def check_room(n_workers: int, threads: int) -> None:
    """`UserError` where the nodes have no room for so many workers of so many threads; a worker fits on one node."""
    import ray

    listed: Any = ray.nodes
    nodes = [int(node["Resources"].get("CPU", 0)) for node in listed() if node["Alive"]]
    room = sum(cpus // threads for cpus in nodes)
    if room < n_workers:
        raise UserError(
            f"execution.n_workers={n_workers}: the Ray cluster has room for {room} workers of {threads} threads each "
            f"(nodes of {', '.join(map(str, sorted(nodes)))} CPUs): fewer workers, or fewer execution.threads"
        )


class RayWorker:
    """A worker as its leader sees it, with the words of `multiprocessing.Process`."""

    def __init__(self, work: Callable[..., None], arguments: tuple[Any, ...], threads: int) -> None:
        self._work, self._arguments, self._threads = work, arguments, threads
        self._actor: Any = None
        self._done: Any = None
        self._status: int | None = None

    def start(self) -> None:
        """Asks the cluster for an actor with `threads` CPUs."""
        import ray

        self._actor = ray.remote(num_cpus=self._threads, max_restarts=0)(_Actor).remote()
        self._done = self._actor.run.remote(os.getcwd(), self._work, self._arguments)

    @property
    def exitcode(self) -> int | None:
        """None while it runs, 0 when it has ended, 1 when it raised, -9 when it or its node is gone."""
        import ray

        if self._status is None and ray.wait([self._done], timeout=0)[0]:
            try:
                ray.get(self._done)
                self._status = 0
            except ray.exceptions.RayActorError:
                self._status = -9
            except ray.exceptions.RayTaskError as error:
                print(error, file=sys.stderr)  # as a process of this machine would
                self._status = 1
        return self._status

    def is_alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._done is not None and self.exitcode is None

    def terminate(self) -> None:
        """Ends it, in the middle of whatever it does."""
        import ray

        ray.kill(self._actor)

    def join(self) -> None:
        """Returns when it has ended."""
        import ray

        if self._done is not None:
            ray.wait([self._done])


class _Actor:
    def run(self, folder: str, work: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        if not Path(folder).is_dir():
            raise RuntimeError(f"the node {socket.gethostname()} does not see {folder}, where the command runs")
        os.chdir(folder)
        work(*arguments)
