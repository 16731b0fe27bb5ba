"""Latencies that constraints bound: the median or the 99th percentile of a file, at a batch size of somebody's own.

Where none is bounded nothing is measured: a trial's quick look is at batch 256 alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Annotated

import numpy as np
from pydantic import AfterValidator

from autocompress.artefact.bundle import Bundle
from autocompress.artefact.runtime import open_session
from autocompress.data.numbering import between, renumbered
from autocompress.measure.latency import P99_RUNS, interleaved
from autocompress.search.scene import Scene

LATENCIES = "latencies"
"""Where a trial keeps what was measured, and a study what was measured later, by artefact digest."""
LARGEST = 8_192
_NAME = re.compile(r"p(50|99)_([1-9]\d*)")


def _is_a_latency(name: str) -> str:
    found = _NAME.fullmatch(name)
    if found is None or int(found[2]) > LARGEST:
        raise ValueError(f"{name!r} is no latency: write p50_64 or p99_64, with a batch size from 1 to {LARGEST}")
    return name


LatencyName = Annotated[str, AfterValidator(_is_a_latency)]
"""`p99_64`: the 99th percentile at batch 64."""


def measured(bundle: Bundle, names: Iterable[str], scene: Scene) -> dict[str, float]:
    """Milliseconds by name, of `P99_RUNS` runs at each batch size on one pinned thread, while no other worker makes a
    step.

    Batches are the first validation rows, repeated where there are fewer.
    """
    asked = {name: (float(found[1]), int(found[2])) for name in names if (found := _NAME.fullmatch(name))}
    if not asked:
        return {}
    session, numbering = open_session(bundle.model), between(scene.dataset.encoder, bundle.encoder())
    times: dict[int, list[float]] = {}
    with nullcontext() if scene.turns is None else scene.turns.measuring():
        for batch in {batch for _, batch in asked.values()}:
            rows = np.arange(batch) % scene.dataset.rows["valid"]
            inputs = renumbered(scene.dataset.inputs("valid")[rows], numbering)
            times[batch] = interleaved({"file": (session, inputs)}, P99_RUNS)["file"]
    return {name: float(np.percentile(times[batch], percent)) for name, (percent, batch) in asked.items()}
