"""ONNX nodes from packed codes to floats."""

from __future__ import annotations

import numpy as np
from onnx import NodeProto, TensorProto, helper

from autocompress.models.packed_linear import Graph, initializers
from autocompress.models.row_quantization import ZERO


def unpacking(constants: str, bits: int, dim: int, source: str = "", name: str = "") -> Graph:
    """From `source` (what `pack` made of codes (..., dim)) to `<name>.levels`, float32, the codes themselves.

    The initializers are called `<constants>.key`, so that several lookups of one table share them.
    """
    if bits == 8:
        return [helper.make_node("Cast", [source], [f"{name}.levels"], to=TensorProto.FLOAT)], []
    parts = 8 // bits
    arrays: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = {
        "mask": np.array(2**bits - 1, dtype=np.uint8),
        **{f"shift_{part}": np.array(part * bits, dtype=np.uint8) for part in range(1, parts)},
    }
    nodes: list[NodeProto] = []
    found = []
    for part in range(parts):
        shifted = source
        if part:
            shifted = f"{name}.shifted_{part}"
            nodes.append(
                helper.make_node("BitShift", [source, f"{constants}.shift_{part}"], [shifted], direction="RIGHT")
            )
        found.append(f"{name}.part_{part}")
        if part == parts - 1:  # nothing stands above it
            nodes[-1].output[0] = found[-1]
        else:
            nodes.append(helper.make_node("BitwiseAnd", [shifted, f"{constants}.mask"], [found[-1]]))
    whole = f"{name}.joined"
    nodes.append(helper.make_node("Concat", found, [whole], axis=-1))
    if dim % parts:
        arrays["dims"] = np.arange(dim, dtype=np.int64)
        nodes.append(helper.make_node("Gather", [whole, f"{constants}.dims"], [f"{name}.used"], axis=-1))
        whole = f"{name}.used"
    if bits == 4:
        arrays |= {"zero": np.array(ZERO[bits], dtype=np.uint8), "one": np.array(1.0, dtype=np.float32)}
        nodes.append(
            helper.make_node("DequantizeLinear", [whole, f"{constants}.one", f"{constants}.zero"], [f"{name}.levels"])
        )
    else:
        arrays["zero"] = np.array(ZERO[bits], dtype=np.float32)
        nodes += [
            helper.make_node("Cast", [whole], [f"{name}.whole"], to=TensorProto.FLOAT),
            helper.make_node("Sub", [f"{name}.whole", f"{constants}.zero"], [f"{name}.levels"]),
        ]
    return nodes, initializers(constants, arrays)
