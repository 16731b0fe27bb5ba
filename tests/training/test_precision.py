"""The fastest arithmetic of a machine: measured once, then what was found."""

from __future__ import annotations

from pathlib import Path

from autocompress.measure.machine import machine_digest
from autocompress.storage import write_json
from autocompress.training.precision import fastest_precision


def test_what_was_measured_is_stored_and_not_measured_again(tmp_path: Path) -> None:
    first = fastest_precision(tmp_path)
    (path,) = (tmp_path / "machines").iterdir()
    assert path.name == f"{machine_digest()}.json"
    other = "32-true" if first == "bf16-mixed" else "bf16-mixed"
    write_json(path, {"precision": other, "times_faster_in_bfloat16": 1.0})
    assert fastest_precision(tmp_path) == other
