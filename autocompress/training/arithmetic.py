"""The arithmetic in which this machine trains fastest: measured once, then remembered."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch

from autocompress.measure.machine import machine_digest
from autocompress.storage import write_json
from autocompress.training.onednn import product
from autocompress.training.onednn import there as onednn_there

Precision = Literal["32-true", "bf16-mixed"]
GAIN = 1.3
"""How many times faster a product must be before the rest of a training step gains from it."""


class Arithmetic(NamedTuple):
    """`precision` as Lightning calls it; `onednn`: whether float32 products go through oneDNN (`OneDNNLinears`)."""

    precision: Precision = "32-true"
    onednn: bool = False

    @property
    def exact(self) -> Arithmetic:
        """The same in float32: what students are trained in."""
        return Arithmetic("32-true", self.onednn)


PLAIN = Arithmetic()


def fastest(cache: Path) -> Arithmetic:
    """What this machine multiplies fastest in, where that is `GAIN` times faster than float32 as torch does it.

    The answer is stored under `cache`/machines, so that a busy moment cannot change it: the same plan gives the same
    artefact on one machine.
    """
    path = cache / "machines" / f"{machine_digest()}.json"
    stored: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    if "onednn" not in stored:
        bfloat16, onednn = _gains()
        stored = {
            "precision": "bf16-mixed" if bfloat16 > GAIN else "32-true",
            "onednn": onednn > GAIN,
            "times_faster_in_bfloat16": bfloat16,
            "times_faster_in_onednn": onednn,
        }
        write_json(path, stored)
    return Arithmetic(stored["precision"], stored["onednn"])


def _gains() -> tuple[float, float]:
    """How many times faster than float32 are bfloat16, and float32 through oneDNN."""
    if torch.cuda.is_available():
        return (1e9 if torch.cuda.is_bf16_supported() else 1.0), 1.0
    left, right = torch.ones(2048, 512), torch.ones(512, 512)
    plain = _seconds(lambda: left @ right)
    short_left, short_right = left.bfloat16(), right.bfloat16()
    onednn = 1.0
    if onednn_there():
        onednn = plain / _seconds(lambda: product(left, right))
    return plain / _seconds(lambda: short_left @ short_right), onednn


def _seconds(run: Callable[[], torch.Tensor]) -> float:
    times = []
    for _ in range(9):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return float(np.median(times))
