"""Another kind of model with another head, from the command to the front."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline import small

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(200)]


def test_a_factorization_machine_with_a_funnel_is_searched_to_a_front(tmp_path: Path, cache: Path) -> None:
    items = [*small.OVERRIDES, "teacher=deepfm", "head=esmm", "study.n_trials=3", "tracking.enabled=false"]
    ended = small.run(tmp_path, cache, *items)
    assert ended.returncode == 0, ended.stderr
    front = small.front(tmp_path)
    assert front.state == "ended"
    assert front.trials.failed == 0
    assert front.teacher.words.startswith("DeepFM")
    assert front.points
    student = front.points[0].plan["student"]
    assert (student["kind"], student["head"]["kind"]) == ("deepfm", "esmm")
