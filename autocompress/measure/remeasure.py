"""`autocompress measure`: bytes and latency of a bundle on this machine, from the bundle alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from autocompress.artefact.bundle import open_bundle, verify
from autocompress.artefact.runtime import open_session
from autocompress.data.inputs import Inputs
from autocompress.measure.latency import BATCHES, FINAL_RUNS, interleaved, percentiles
from autocompress.measure.machine import machine, machine_digest
from autocompress.storage import write_json


def remeasure(artefact: Path) -> int:
    """Prints bytes and latency, and stores them beside the bundle as `<digest>.<machine>.json`; returns 0.

    Of a file that is there already (a study's closing measurement), what is not measured here is kept: its speed-ups
    came from one run with the teacher. The bundle holds no rows, so inputs are drawn at random: ids, the frequent ones
    more often (id = rows x u^3; lists are full), and normal numbers.
    """
    bundle = open_bundle(artefact)
    verify(bundle)
    session, draw = open_session(bundle.model), np.random.default_rng(0)
    rows = np.array(bundle.encoder().slot_rows)
    width = sum(vector.width for vector in bundle.schema().vectors)
    latency = {}
    for batch in BATCHES:
        ids = np.floor(rows * draw.random((batch, len(rows))) ** 3).astype(np.int32)
        inputs = Inputs(ids, draw.standard_normal((batch, width), dtype=np.float32) if width else None)
        times = interleaved({"file": (session, inputs)}, FINAL_RUNS[batch])["file"]
        latency[str(batch)] = percentiles(times)
    result = {
        "artefact": bundle.digest,
        "sha256": bundle.sha256,
        "model_bytes": bundle.model_bytes,
        "bundle_bytes": bundle.bundle_bytes,
        "latency_ms": latency,
        "machine": machine(),
    }
    path = bundle.folder.resolve().parent / f"{bundle.digest}.{machine_digest()}.json"
    write_json(path, {**_stored(path), **result})
    print(f"model.onnx {bundle.model_bytes:,} bytes, bundle {bundle.bundle_bytes:,} bytes")
    for name, values in latency.items():
        shown = ", ".join(f"{key} {value:.3f} ms" for key, value in values.items() if value is not None)
        print(f"batch {name:>3}: {shown}")
    print(json.dumps(result["machine"], sort_keys=True))
    print(f"stored in {path}")
    return 0


def _stored(path: Path) -> dict[str, Any]:
    """What an earlier measurement left at `path`; nothing where there is none, or none that can be read."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
