"""ONNX Runtime on one bundle's model: sessions and scores. Imports neither torch nor lightning."""

from __future__ import annotations

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
    """Scores (rows, tasks), float32."""
    parts = [
        session.run(None, inputs[start : start + batch_size].feed())[0] for start in range(0, len(inputs), batch_size)
    ]
    if not parts:
        return np.empty((0, session.get_outputs()[0].shape[1]), dtype=np.float32)
    return np.concatenate(parts)
