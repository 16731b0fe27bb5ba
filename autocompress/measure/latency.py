"""Latency of ONNX files on one pinned thread, interleaved so that a ratio comes from one run."""

from __future__ import annotations

import contextlib
import gc
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import onnxruntime

from autocompress.data.inputs import Inputs

BATCHES = (1, 64, 256)
FINAL_RUNS = {1: 1_000, 64: 300, 256: 300}
QUICK_SECONDS = 0.5
P99_RUNS = 300
"""Fewer runs do not tell a p99."""

Sessions = Mapping[str, tuple[onnxruntime.InferenceSession, Inputs]]


def interleaved(
    sessions: Sessions, runs: int, *, warmup: int = 10, seconds: float = 60.0, in_a_row: int = 1
) -> dict[str, list[float]]:
    """Milliseconds of each `session.run`, one list per name; the sessions take turns, so drift hits all alike.

    Each session comes with the batch it is fed. Stops after `runs` runs each, or after `seconds` once
    20 are done.
    Each takes `in_a_row` runs at a time: one finds the caches full of the other's weights, several find them as a
    server does that runs nothing else. Sessions must have one thread each: the calling one, which is pinned.
    """
    feeds = {name: (session, inputs.feed()) for name, (session, inputs) in sessions.items()}
    times: dict[str, list[float]] = {name: [] for name in feeds}
    with _undisturbed():
        for session, feed in feeds.values():
            for _ in range(warmup):
                session.run(None, feed)
        end = time.perf_counter() + seconds
        for done in range(0, runs, in_a_row):
            if done >= 20 and time.perf_counter() > end:
                break
            for name, (session, feed) in feeds.items():
                for _ in range(in_a_row):
                    start = time.perf_counter()
                    session.run(None, feed)
                    times[name].append((time.perf_counter() - start) * 1e3)
    return times


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Keeps the calling thread on one core, where the system lets it, and the garbage collector away.

    Only this thread is pinned, but threads made meanwhile would inherit it: nothing but runs belongs inside.
    """
    before = os.sched_getaffinity(0) if hasattr(os, "sched_setaffinity") else None
    collecting = gc.isenabled()
    gc.disable()
    try:
        if before is not None:
            with contextlib.suppress(OSError):  # a sandbox may refuse; the runs still take turns
                os.sched_setaffinity(0, {_core(before)})
        yield
    finally:
        if collecting:
            gc.enable()
        if before is not None:
            with contextlib.suppress(OSError):
                os.sched_setaffinity(0, before)


def _core(allowed: set[int]) -> int:
    """The core that this thread is on: the scheduler has found it free, and two studies side by side get two."""
    try:
        # proc(5): the 39th field; the second one, a name in brackets, may hold blanks
        core = int(Path("/proc/thread-self/stat").read_text().rpartition(")")[2].split()[36])
    except (OSError, ValueError, IndexError):
        core = -1
    return core if core in allowed else min(allowed)


def percentiles(milliseconds: list[float]) -> dict[str, float | None]:
    """p50, p95 and, from `P99_RUNS` runs on, p99."""
    p50, p95, p99 = (float(value) for value in np.percentile(milliseconds, [50, 95, 99]))
    return {"p50": p50, "p95": p95, "p99": p99 if len(milliseconds) >= P99_RUNS else None}


def speedup(reference: list[float], measured: list[float]) -> float:
    """Reference's median over the measured median, of interleaved runs: above 1 is faster than the reference."""
    return float(np.median(reference) / np.median(measured))
