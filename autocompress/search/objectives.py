"""What is minimised, which differences count, and what is on the front.

A vector is (-quality, log10 bytes, -log10 speed-up): quality is the mean over tasks of (validation AUC - teacher's),
bytes those of model.onnx, speed-up the ratio of medians at batch 256.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import moocore
import numpy as np
from numpy.typing import NDArray
from optuna.trial import FrozenTrial

TIES = (0.0002, math.log10(1.01), math.log10(1.05))
"""Differences below these are ties, or noise would make a front: .0002 of AUC, 1 % of bytes, 5 % of latency."""

REFERENCE_QUALITY = -0.02
REFERENCE = "reference"
"""A constraint that nobody asked for: what is expected below the reference quality counts as breaking it."""

BOUNDS = "bounds"
"""User attribute: the constraints under which a trial's file was judged."""
RESOURCES = ("max_bytes", "max_latency_ms", "latency.")
"""Beginnings of the constraints on bytes and latency: broken by a share of the bound, and before any training."""

Vector = tuple[float, float, float]


def asked_for(constraints: Mapping[str, float]) -> dict[str, float]:
    """How far those constraints are broken that a person asked for."""
    return {name: by for name, by in constraints.items() if name != REFERENCE}


def keeps(trial: FrozenTrial, bounds: Mapping[str, float] | None = None, beginnings: tuple[str, ...] = ("",)) -> bool:
    """Whether a trial's file keeps what a person asked for, as far as the names begin so; False where it was judged
    under others than `bounds`."""
    if bounds is not None and trial.user_attrs.get(BOUNDS, {}) != bounds:
        return False
    return all(by <= 0 for name, by in asked_for(trial.constraints).items() if name.startswith(beginnings))


def vector(quality: float, model_bytes: int, speedup: float) -> Vector:
    """The objectives of one file, all to be minimised."""
    return (-quality, math.log10(model_bytes), -math.log10(speedup))


def boxes(vectors: Sequence[Vector]) -> NDArray[np.float64]:
    """Vectors (n, 3) in units of `TIES`, rounded: equal boxes are ties, and dominance of boxes is transitive.

    Laumanns et al., "Combining Convergence and Diversity in Evolutionary Multiobjective Optimization", 2002.
    """
    grid: NDArray[np.float64] = np.round(np.asarray(vectors, dtype=np.float64).reshape(-1, 3) / np.asarray(TIES))
    return grid


def front(vectors: Sequence[Vector]) -> list[int]:
    """Indices of the non-dominated vectors, one per box (the one of best quality), by rising bytes."""
    if not vectors:
        return []
    grid = boxes(vectors)
    best: dict[tuple[float, ...], int] = {}
    for index in np.flatnonzero(moocore.is_nondominated(grid, keep_weakly=True)).tolist():
        key = tuple(grid[index])
        if key not in best or vectors[index] < vectors[best[key]]:
            best[key] = index
    return sorted(best.values(), key=lambda index: vectors[index][1])


def dominates(one: Vector, other: Vector) -> bool:
    """Whether `one` is at least as good in every objective and better in one, ties not counting."""
    left, right = boxes([one, other])
    return bool((left <= right).all() and (left < right).any())


def hypervolume(vectors: Sequence[Vector], teacher_bytes: int) -> float:
    """Volume between the vectors and (-.02, teacher's bytes, teacher's latency): quality x decades x decades."""
    return volume(vectors, np.array(vector(REFERENCE_QUALITY, teacher_bytes, 1.0)))


def volume(vectors: Sequence[Vector], reference: NDArray[np.float64]) -> float:
    """Volume between the vectors and a reference point (3,); those that are no better in some objective add none."""
    points = np.asarray(vectors, dtype=np.float64).reshape(-1, 3)
    inside = points[(points < reference).all(axis=1)]
    return float(moocore.hypervolume(inside, ref=reference)) if len(inside) else 0.0


def volumes_added(
    vectors: NDArray[np.float64], members: Sequence[Vector], reference: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What each of `vectors` (n, 3) alone adds to the volume of `members`, (n,)."""
    held = np.array(members, dtype=np.float64).reshape(-1, 3)
    held = held[(held < reference).all(axis=1)]
    now = moocore.hypervolume(held, ref=reference) if len(held) else 0.0
    counts = (vectors < reference).all(axis=1)
    for member in held:
        counts &= (vectors < member).any(axis=1)
    found = np.zeros(len(vectors))
    for place in np.flatnonzero(counts):
        found[place] = moocore.hypervolume(np.vstack([held, vectors[place]]), ref=reference) - now
    return found


def beyond(vectors: Sequence[Vector]) -> NDArray[np.float64]:
    """A reference point (3,) for a front wherever it lies: its worst values and a tenth of its extent, in quality what
    counts at all."""
    points = np.array(vectors)
    found: NDArray[np.float64] = points.max(axis=0) + 0.1 * np.ptp(points, axis=0) + 1e-6
    found[0] = -REFERENCE_QUALITY if points[:, 0].min() < -REFERENCE_QUALITY else found[0]
    return found


Ties = Literal["crowding", "epsilon_net"]


def standing(mine: Vector, others: Sequence[Vector], ties: Ties = "crowding") -> int:
    """How many of `others` are better: of a lower non-dominated rank, or of the same rank and less crowded, or earlier
    in an epsilon net over the rank.

    Schmucker et al., "Multi-objective Asynchronous Successive Halving", arXiv:2106.12639.
    """
    grid = boxes([*others, mine])
    ranks = moocore.pareto_rank(grid)
    members = np.flatnonzero(ranks == ranks[-1])
    room = crowding(grid[members]) if ties == "crowding" else -epsilon_net(grid[members])
    return int((ranks < ranks[-1]).sum() + (room > room[-1]).sum())


def survives(mine: Vector, others: Sequence[Vector], eta: int, ties: Ties = "crowding") -> bool:
    """Whether a trial is among the best 1/eta of those seen at its rung, itself counted.

    The stopping variant of asynchronous successive halving (Li et al., MLSys 2020), with `standing` in place of a
    loss. Until eta^2 trials were seen nobody is stopped.
    """
    seen = len(others) + 1
    return seen < eta**2 or standing(mine, others, ties) < math.ceil(seen / eta)


def epsilon_net(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places (n,) of points (n, m) in an order in which each next one is the farthest from all before it.

    It begins with the least of the first objective; distances are in units of each objective's spread.
    """
    spread = np.ptp(points, axis=0)
    scaled = points / np.where(spread > 0, spread, 1.0)
    places = np.empty(len(points))
    away = np.full(len(points), np.inf)
    chosen = int(np.argmin(scaled[:, 0]))
    for place in range(len(points)):
        places[chosen] = place
        away = np.minimum(away, np.linalg.norm(scaled - scaled[chosen], axis=1))
        away[chosen] = -np.inf
        chosen = int(np.argmax(away))
    return places


def crowding(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Crowding distance (n,) of points (n, m), infinite at the ends of each objective (Deb et al., NSGA-II, 2002); an
    objective in which all are equal has no ends."""
    distance = np.zeros(len(points))
    for column in points.T:
        order = np.argsort(column, kind="stable")
        spread = column[order[-1]] - column[order[0]]
        if spread > 0:
            distance[order[[0, -1]]] = np.inf
            distance[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / spread
    return distance
