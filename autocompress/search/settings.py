"""What a person may set about a study, its limits and its constraints."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, model_validator
from pydantic import Field as Limits

from autocompress.compress.calibration import Way
from autocompress.schema import Frozen
from autocompress.search.earlier import Earlier
from autocompress.search.latencies import LatencyName
from autocompress.search.samplers.evolution import Evolution
from autocompress.search.samplers.sampler import AnySampler
from autocompress.search.trial_pruners.extrapolation import Extrapolation
from autocompress.search.trial_pruners.trial_pruner import AnyTrialPruner

Scalar = bool | int | float | str
Positive = Annotated[float, Limits(gt=0.0)]
Rung = Annotated[int, Limits(ge=1)] | Literal["all"]


def _is_one_folder(name: str) -> str:
    if not 1 <= len(name) <= 100 or name.startswith(".") or "/" in name or "\\" in name or not name.isprintable():
        raise ValueError(f"{name[:40]!r} cannot name a folder: 1 to 100 characters, no slash, no dot in front")
    return name


FolderName = Annotated[str, AfterValidator(_is_one_folder)]


class StudySettings(Frozen):
    """`name` null means `<search>-<data>-<8 hex>`.

    `n_trials` counts all trials of the study and `minutes` its running time from the teacher to the last trial (neither
    preparation nor the closing measurement), both over every resume; null means no limit. `rungs` are training rows
    that a student has seen at each rung, growing; `all`, as the last one, is the whole log, and those that are no less
    are left out before it. `calibration` is fitted to the validation labels and folded into each
    file. `recipes` are parameter values (by Optuna name) that a new study tries first; those that the space does not
    hold are left out. `earlier` names studies of the same storage whose fronts are tried next, `same_schema` all of the
    same fields and tasks. With `last_mile_seeds` the files of the front are trained again before the test split is
    opened, on every row and with as many other seeds, past `minutes`.
    """

    name: FolderName | None = None
    storage: str = "sqlite:///autocompress.db"
    n_trials: Annotated[int, Limits(ge=1)] | None = 300
    minutes: Positive | None = 4.0
    seed: Annotated[int, Limits(ge=0)] = 0
    sampler: AnySampler = Evolution()
    trial_pruner: AnyTrialPruner = Extrapolation()
    eta: Annotated[int, Limits(ge=2)] = 2
    rungs: tuple[Rung, ...] = Limits((80_000, "all"), min_length=1)
    calibration: Way = "none"
    earlier: Earlier = ()
    last_mile_seeds: Annotated[int, Limits(ge=0, le=20)] = 0
    recipes: tuple[dict[str, Scalar], ...] = ()


class Constraints(Frozen):
    """Points that break one are not on the front while any point keeps them all; null means unconstrained.

    `auc_drop` bounds the worst task's validation AUC below the teacher's, `drop` the study's own metric, task by task,
    `max_bytes` the model file, `max_latency_ms` the median at batch 256 on one thread. `calibration_error` and
    `group_gap` bound the worst task's calibration error and the gap of its AUC between the groups of `data.group` (a
    few of them), on validation. `latency` bounds milliseconds of one thread by percentile and batch size: `p99_64`.
    """

    auc_drop: Annotated[float, Limits(ge=0.0)] | None = None
    drop: dict[str, Annotated[float, Limits(ge=0.0)]] = Limits(default_factory=dict)
    calibration_error: Annotated[float, Limits(ge=0.0)] | None = None
    group_gap: Annotated[float, Limits(ge=0.0)] | None = None
    max_bytes: Annotated[int, Limits(ge=1)] | None = None
    max_latency_ms: Positive | None = None
    latency: dict[LatencyName, Positive] = Limits(default_factory=dict)


class RayCluster(Frozen):
    """`address` of the cluster's head (`host:6379`, or `auto` on one of its nodes); null starts one on this machine."""

    address: str | None = None


class Execution(Frozen):
    """`threads` for training and evaluation, of all workers together; null means every core. Latency is always measured
    on one, while no other worker makes a step.

    `n_workers` processes of this machine run trials of one study; `study.n_trials` may be passed by those that were
    under way. With `join` the command is one more worker, whatever `n_workers`, of a study that another command has
    begun, on this machine or on one that shares `output` and `cache`, and leaves the front to that one. With `ray` the
    workers are actors of a cluster whose nodes see the command's folders, and the log is encoded there; `threads` null
    means every CPU of the cluster.
    """

    threads: Annotated[int, Limits(ge=1)] | None = None
    n_workers: Annotated[int, Limits(ge=1, le=64)] = 1
    join: bool = False
    ray: RayCluster | None = None

    @model_validator(mode="after")
    def _leads_or_joins(self) -> Execution:
        if self.join and self.ray is not None:
            raise ValueError("join: a Ray cluster starts its workers itself; leave out join or execution=ray")
        return self
