"""What is stored of a trial that ran to its end: quality, bytes, latencies, and how far constraints are broken."""

from __future__ import annotations

from typing import Any

from autocompress.search.books import Books
from autocompress.search.config import SearchConfig
from autocompress.search.files import valid_quality
from autocompress.search.latencies import LATENCIES, measured
from autocompress.search.objectives import BOUNDS, Vector, vector
from autocompress.search.results import Violations, in_force, mean_quality, violations
from autocompress.search.scene import Scene
from autocompress.search.trial import Outcome


def told(
    outcome: Outcome, config: SearchConfig, scene: Scene, books: Books
) -> tuple[Vector, dict[str, Any], Violations]:
    """Of a trial that ran to its end: its values, what is stored beside them, and how far constraints are broken."""
    assert outcome.bundle is not None
    assert outcome.quick is not None
    scene.before_step()
    quality = valid_quality(outcome.bundle, scene.dataset, scene.threads, scene.catalogue)
    teacher = books.teacher.quality
    attributes = {
        "artefact": outcome.bundle.digest,
        "sha256": outcome.bundle.sha256,
        "quality": quality,
        "model_bytes": outcome.bundle.model_bytes,
        "p50": outcome.quick.p50,
        "speedup": outcome.quick.speedup,
        "parity": outcome.parity,
        "study_seconds": books.seconds,
        BOUNDS: in_force(config.constraints),
    }
    timed = measured(outcome.bundle, config.constraints.latency, scene)
    if timed:
        attributes[LATENCIES] = timed
    size, p50 = outcome.bundle.model_bytes, outcome.quick.p50
    broken = violations(config.constraints, quality, teacher, size, p50, scene.goal.metric, timed)
    change = mean_quality(quality, teacher, scene.goal.metric)
    return vector(change, outcome.bundle.model_bytes, outcome.quick.speedup), attributes, broken
