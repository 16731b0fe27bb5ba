"""ONNX Runtime on one bundle's model: sessions and scores. Imports neither torch nor lightning."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from autocompress.data.inputs import Inputs


def open_session(path: Path, threads: int = 1) -> onnxruntime.InferenceSession:
    """A CPU session with `threads` compute threads, graph optimised as far as it goes."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def score(session: onnxruntime.InferenceSession, inputs: Inputs, batch_size: int = 1024) -> NDArray[np.float32]:
    """Scores (rows, tasks), float32: the first output."""
    return outputs(session, inputs, batch_size, [session.get_outputs()[0].name]).popitem()[1]


def outputs(
    session: onnxruntime.InferenceSession, inputs: Inputs, batch_size: int = 1024, names: Sequence[str] | None = None
) -> dict[str, NDArray[np.float32]]:
    """Outputs by name (None: all of them), float32 (rows, columns) each."""
    asked = [each.name for each in session.get_outputs()] if names is None else list(names)
    parts = [
        session.run(asked, inputs[start : start + batch_size].feed()) for start in range(0, len(inputs), batch_size)
    ]
    if not parts:
        columns = {each.name: each.shape[1] for each in session.get_outputs()}
        return {name: np.empty((0, columns[name]), dtype=np.float32) for name in asked}
    return {name: np.concatenate([part[index] for part in parts]) for index, name in enumerate(asked)}
