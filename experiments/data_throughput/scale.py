"""Does a log of 20 M rows x 39 fields fit? Prepared in one process, then read alone, then read by a training epoch.

    python experiments/data_throughput/scale.py      # about 10 minutes on two cores; stores scale.json, resumes by step

Rows are simulated (`data=ads_simulator`, 19 context fields that say nothing): only time and memory are measured here.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from autocompress.config.compose import compose
from autocompress.data.batches import Batches
from autocompress.data.store import Dataset, prepare
from autocompress.measure.machine import machine
from autocompress.storage import write_json

HERE = Path(__file__).resolve().parent
STORED = HERE / "scale.json"
OVERRIDES = ["search=ads", "data.rows=20000000", "data.context_fields=19"]
BATCH = 4096


def dataset() -> Dataset:
    """The prepared log, made where it is not there."""
    (config,) = compose(OVERRIDES)
    return prepare(config.data, config.cleaning, HERE / "work")


def prepared() -> dict[str, Any]:
    """Seconds, rows/s and peak resident memory of a process that prepares, as GNU time reports them."""
    command = ["/usr/bin/time", "-v", sys.executable, __file__, "prepare"]
    started = time.perf_counter()
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=True)
    seconds = time.perf_counter() - started
    found = re.search(r"Maximum resident set size \(kbytes\): (\d+)", done.stderr)
    assert found is not None, done.stderr
    rows = sum(dataset().rows.values())
    return {"rows": rows, "seconds": seconds, "rows_per_second": rows / seconds, "peak_gb": int(found[1]) * 1024 / 1e9}


def read() -> dict[str, Any]:
    """One epoch of batches, and nothing done with them."""
    data = dataset()
    started = time.perf_counter()
    rows = sum(len(batch.ids) for batch in Batches(data.inputs("train"), data.labels("train"), None, batch_size=BATCH))
    seconds = time.perf_counter() - started
    return {"rows": rows, "seconds": seconds, "rows_per_second": rows / seconds, "batch_size": BATCH}


def trained() -> dict[str, Any]:
    """One epoch of the teacher of `search=ads` over the same rows."""
    import torch

    from autocompress.compress.plan import Recovery
    from autocompress.models.recommender import build
    from autocompress.training.arithmetic import fastest
    from autocompress.training.fit import FRESH, fit

    (config,) = compose(OVERRIDES)
    data = dataset()
    torch.manual_seed(0)
    model = build(config.teacher.shape, data.schema, data.encoder.rows)
    training = config.teacher.training.model_dump(exclude={"patience"})
    recovery = Recovery(**{**training, "epochs": 1, "batch_size": BATCH})
    started = time.perf_counter()
    fit(model, data, recovery, taught=None, seed=0, accumulator=FRESH, arithmetic=fastest(HERE / "work"))
    seconds = time.perf_counter() - started
    return {"rows": data.rows["train"], "seconds": seconds, "rows_per_second": data.rows["train"] / seconds}


def main() -> None:
    """Runs the steps that are not stored yet."""
    stored = json.loads(STORED.read_text()) if STORED.exists() else {"machine": machine()}
    for name, step in (("prepare", prepared), ("read", read), ("train", trained)):
        if name not in stored:
            stored[name] = step()
            write_json(STORED, stored)
        print(name, {key: round(value, 2) for key, value in stored[name].items()}, flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["prepare"]:
        dataset()
    else:
        main()
