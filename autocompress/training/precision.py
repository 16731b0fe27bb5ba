"""The arithmetic in which this machine trains fastest: measured once, then remembered."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Literal, cast

import numpy as np
import torch

from autocompress.measure.machine import machine_digest
from autocompress.storage import write_json

Precision = Literal["32-true", "bf16-mixed"]
GAIN = 1.3
"""How many times faster bfloat16 must multiply before the rest of a training step gains from it."""


def fastest_precision(cache: Path) -> Precision:
    """`bf16-mixed` where this processor multiplies bfloat16 matrices `GAIN` times faster, else `32-true`.

    The answer is stored under `cache`/machines, so that a busy moment cannot change it: the same plan gives the same
    artefact on one machine.
    """
    path = cache / "machines" / f"{machine_digest()}.json"
    if not path.exists():
        gain = _gain()
        precision = "bf16-mixed" if gain > GAIN else "32-true"
        write_json(path, {"precision": precision, "times_faster_in_bfloat16": gain})
    return cast(Precision, json.loads(path.read_text())["precision"])


def _gain() -> float:
    if torch.cuda.is_available():
        return 1e9 if torch.cuda.is_bf16_supported() else 1.0
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        left, right = torch.ones(2048, 512, dtype=dtype), torch.ones(512, 512, dtype=dtype)
        times = []
        for _ in range(9):
            start = time.perf_counter()
            left @ right
            times.append(time.perf_counter() - start)
        seconds[dtype] = float(np.median(times))
    return seconds[torch.float32] / seconds[torch.bfloat16]
