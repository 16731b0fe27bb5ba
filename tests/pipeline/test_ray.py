"""Ray: the same study on the actors of a cluster of two nodes, and the same store from its encoders."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from autocompress.config.compose import compose
from autocompress.data.store import STORE, prepare
from autocompress.search.study import HOST
from tests.pipeline import small

ray = pytest.importorskip("ray")
pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(300)]
CPUS = 1


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes of one CPU each, both on this machine; the head has none, so that it runs no worker."""
    from ray.cluster_utils import Cluster

    made: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        yield made
    finally:
        made.shutdown()


@contextmanager
def one_node(cluster: Any, cpus: int) -> Iterator[None]:
    """Inside, the cluster has a node more. Afterwards it knows that the node is gone: a dead node counts as alive
    until the cluster has missed it."""
    node = cluster.add_node(num_cpus=cpus)
    try:
        yield
    finally:
        cluster.remove_node(node)
        cluster.wait_for_nodes(small.PATIENCE)


def test_a_node_that_is_killed_in_the_middle_of_a_trial_loses_no_finished_trial_and_leaves_none_running(
    cluster: Any, tmp_path: Path, cache: Path
) -> None:
    nodes = [cluster.add_node(num_cpus=CPUS) for _ in range(2)]
    items = [*small.OVERRIDES, "study.trial_pruner=none", "tracking.enabled=false", "study.n_trials=10"]
    items += ["execution=ray", "execution.n_workers=2", f"execution.ray.address={cluster.address}"]
    process = small.start(tmp_path, cache, *items)
    try:
        small.wait_for(lambda: small.progress(tmp_path)[0] >= 3 and small.progress(tmp_path)[1], process)
        cluster.remove_node(nodes[0], allow_graceful=False)
        printed, errors = process.communicate(timeout=small.PATIENCE)
        assert process.returncode == 0, errors
    finally:
        process.kill()
        cluster.remove_node(nodes[1])
        cluster.wait_for_nodes(small.PATIENCE)
    trials, front = small.study(tmp_path).trials, small.front(tmp_path)
    assert front.state == "ended"
    assert not [trial for trial in trials if trial.state is TrialState.RUNNING]
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    assert len(complete) >= 9
    assert front.trials.complete == len(complete)
    assert len({trial.user_attrs["worker"] for trial in complete}) == 2
    assert all(trial.user_attrs[HOST] for trial in complete)
    assert "ended with status -9" in printed
    lost = [trial.number for trial in trials if trial.state is TrialState.FAIL]
    assert [t.system_attrs["failed_trial"] for t in trials if "failed_trial" in t.system_attrs] == lost


def test_workers_that_the_cluster_has_no_room_for_are_refused_in_one_line(
    cluster: Any, tmp_path: Path, cache: Path
) -> None:
    items = [*small.OVERRIDES, "tracking.enabled=false", "execution=ray", "execution.n_workers=3"]
    items += ["execution.threads=3", f"execution.ray.address={cluster.address}"]
    with one_node(cluster, CPUS):
        done = small.run(tmp_path, cache, *items)
    assert done.returncode == 2
    assert "execution.n_workers=3: the Ray cluster has room for 1 workers of 1 threads each" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_cluster_that_does_not_answer_is_named_in_one_line(tmp_path: Path, cache: Path) -> None:
    done = small.run(tmp_path, cache, *small.OVERRIDES, "execution=ray", "execution.ray.address=127.0.0.1:1")
    assert done.returncode == 2
    assert "execution.ray.address=127.0.0.1:1: no Ray cluster answers there" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


ENCODE = """
import sys
from pathlib import Path
import ray
from autocompress.config.compose import compose
from autocompress.data.ray_encoding import on_ray
from autocompress.data.store import prepare
ray.init(sys.argv[1], log_to_driver=False, configure_logging=False)
(config,) = compose(sys.argv[3:])
print(prepare(config.data, config.cleaning, Path(sys.argv[2]), encoding=on_ray).folder)
"""


def test_a_log_that_ray_data_encodes_gives_the_same_store(cluster: Any, tmp_path: Path) -> None:
    items = ["search=personalized", "data.users=20000"]
    (config,) = compose(items)
    here = prepare(config.data, config.cleaning, tmp_path / "here")
    command = [small.command()[0], "-c", ENCODE, cluster.address, str(tmp_path / "ray"), *items]
    with one_node(cluster, 2):
        done = subprocess.run(command, capture_output=True, text=True, timeout=small.PATIENCE, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    there = Path(done.stdout.strip().splitlines()[-1])
    assert there.name == here.digest
    assert (there / STORE).read_bytes() == (here.folder / STORE).read_bytes()
