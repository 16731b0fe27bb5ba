"""Landmarks: files that stand beside every front, so that a ratio means something."""

from __future__ import annotations

import logging
from pathlib import Path

from autocompress.artefact.bundle import Bundle, write_bundle
from autocompress.artefact.export import export_mean
from autocompress.data.store import Dataset
from autocompress.training.teachers.teacher import Ready

STOCK = "quantize_dynamic"


def ship_ready(ready: Ready, role: str, dataset: Dataset, folder: Path, cache: Path) -> Bundle:
    """The bundle of a teacher, or of the small landmark, in float."""
    return write_bundle(
        folder / "artefacts",
        lambda path: export_mean(ready.models, dataset.schema, path, cache),
        dataset.encoder,
        plan=None,
        records=[],
        lineage={"data": dataset.digest, "model": ready.digest, "role": role},
    )


def ship_stock(teacher: Bundle, dataset: Dataset, folder: Path) -> Bundle:
    """What ONNX Runtime's own `quantize_dynamic` makes of the teacher's file: the stock tool, as shipped.

    It takes one activation scale per batch, so a row's score depends on its neighbours: a landmark only.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    def write(path: Path) -> None:
        # it recommends a pre-processing step through the root logger; our graphs carry no shapes to infer
        root = logging.getLogger()
        before = root.level
        root.setLevel(logging.ERROR)
        try:
            quantize_dynamic(teacher.model, path, weight_type=QuantType.QInt8)
        finally:
            root.setLevel(before)

    return write_bundle(
        folder / "artefacts",
        write,
        dataset.encoder,
        plan=None,
        records=[],
        lineage={"data": dataset.digest, "teacher": teacher.digest, "role": STOCK},
    )
