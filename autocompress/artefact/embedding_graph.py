"""ONNX nodes that look up an embedding bank, with packed tables.

Integer tables cost lookups some time, and `GatherBlockQuantized` twice as much as bit operators do
(`experiments/operators`). So the tables are plain integer initializers and the arithmetic is plain operators.
"""

from __future__ import annotations

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from autocompress.models.embedding import EmbeddingBank
from autocompress.models.row_quantization import codes, row_scales

Graph = tuple[list[onnx.NodeProto], list[onnx.TensorProto]]


def embedding_graph(bank: EmbeddingBank, ids: str, output: str) -> Graph:
    """Nodes and initializers from `ids` (int32, (n, fields)) to `output` (float32, (n, bank.width))."""
    nodes: list[onnx.NodeProto] = []
    tensors: list[onnx.TensorProto] = []
    parts = []
    for index, (dim, fields) in enumerate(bank.groups):
        name = f"table_{index}"
        group = ids
        if len(bank.groups) > 1:
            group = f"{name}.ids"
            tensors.append(_tensor(f"{name}.fields", np.array(fields, dtype=np.int64)))
            nodes.append(helper.make_node("Gather", [ids, f"{name}.fields"], [group], axis=1))
        rows = np.array([bank.rows[field] for field in fields], dtype=np.int32)
        tensors.append(_tensor(f"{name}.offsets", (np.cumsum(rows) - rows).astype(np.int32)))
        tensors.append(_tensor(f"{name}.shape", np.array([-1, len(fields) * dim], dtype=np.int64)))
        nodes.append(helper.make_node("Add", [group, f"{name}.offsets"], [f"{name}.rows"]))
        table = bank.tables[index].detach()
        if bank.bits is None:
            tensors.append(_tensor(name, table.numpy()))
            nodes.append(helper.make_node("Gather", [name, f"{name}.rows"], [f"{name}.found"]))
        else:
            more_nodes, more_tensors = _packed(name, table, bank.bits, bank.group_scales(index), rows.tolist())
            nodes += more_nodes
            tensors += more_tensors
        part = output if len(bank.groups) == 1 else f"{name}.flat"
        scales = bank.group_scales(index)
        if scales is None:
            nodes.append(helper.make_node("Reshape", [f"{name}.found", f"{name}.shape"], [part]))
        else:
            # one multiplication of flat rows by a constant is several times cheaper than broadcasting a scale per row
            tensors.append(_tensor(f"{name}.scales", scales.repeat_interleave(dim).numpy()))
            nodes.append(helper.make_node("Reshape", [f"{name}.found", f"{name}.shape"], [f"{name}.unscaled"]))
            nodes.append(helper.make_node("Mul", [f"{name}.unscaled", f"{name}.scales"], [part]))
        parts.append(part)
    if len(parts) > 1:
        nodes.append(helper.make_node("Concat", parts, [output], axis=1))
    return nodes, tensors


def _packed(name: str, table: torch.Tensor, bits: int, field_scales: torch.Tensor | None, rows: list[int]) -> Graph:
    """From `<name>.rows` (indices) to `<name>.found`, scaled by row but not yet by field."""
    if field_scales is None:
        scales = row_scales(table, bits)
    else:
        scales = field_scales.repeat_interleave(torch.tensor(rows))[:, None]
    values = codes(table, scales, bits).to(torch.int8).numpy()
    tensors: list[onnx.TensorProto] = []
    if bits == 8:
        tensors.append(_tensor(name, values))
        nodes = [
            helper.make_node("Gather", [name, f"{name}.rows"], [f"{name}.codes"]),
            helper.make_node("Cast", [f"{name}.codes"], [f"{name}.levels"], to=TensorProto.FLOAT),
        ]
    else:
        tensors += [
            _tensor(name, pack_nibbles(values)),
            _tensor(f"{name}.mask", np.array(15, dtype=np.uint8)),
            _tensor(f"{name}.shift", np.array(4, dtype=np.uint8)),
            _tensor(f"{name}.zero", np.array(8, dtype=np.uint8)),
            _tensor(f"{name}.one", np.array(1.0, dtype=np.float32)),
        ]
        nibbles = [f"{name}.low", f"{name}.high"]
        nodes = [
            helper.make_node("Gather", [name, f"{name}.rows"], [f"{name}.bytes"]),
            helper.make_node("BitwiseAnd", [f"{name}.bytes", f"{name}.mask"], [nibbles[0]]),
            helper.make_node("BitShift", [f"{name}.bytes", f"{name}.shift"], [nibbles[1]], direction="RIGHT"),
            helper.make_node("Concat", nibbles, [f"{name}.codes"], axis=-1),
        ]
        if table.shape[1] % 2:
            tensors.append(_tensor(f"{name}.dims", np.arange(table.shape[1], dtype=np.int64)))
            nodes.append(helper.make_node("Gather", [f"{name}.codes", f"{name}.dims"], [f"{name}.used"], axis=-1))
        source = f"{name}.used" if table.shape[1] % 2 else f"{name}.codes"
        nodes.append(helper.make_node("DequantizeLinear", [source, f"{name}.one", f"{name}.zero"], [f"{name}.levels"]))
    if field_scales is not None:
        nodes[-1].output[0] = f"{name}.found"
        return nodes, tensors
    tensors.append(_tensor(f"{name}.scales", scales.to(torch.float16).numpy()))
    nodes += [
        helper.make_node("Gather", [f"{name}.scales", f"{name}.rows"], [f"{name}.half"]),
        helper.make_node("Cast", [f"{name}.half"], [f"{name}.scale"], to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{name}.levels", f"{name}.scale"], [f"{name}.found"]),
    ]
    return nodes, tensors


def pack_nibbles(values: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Codes (rows, d) in [-8, 7] to bytes (rows, ceil(d / 2)): the first half in the low nibbles, + 8 each.

    An odd d is padded with a zero code at the end.
    """
    if values.shape[1] % 2:
        values = np.pad(values, ((0, 0), (0, 1)))
    half = values.shape[1] // 2
    nibbles = (values + 8).astype(np.uint8)
    packed: NDArray[np.uint8] = nibbles[:, :half] | (nibbles[:, half:] << np.uint8(4))
    return packed


def _tensor(name: str, values: NDArray[np.generic]) -> onnx.TensorProto:
    return numpy_helper.from_array(np.ascontiguousarray(values), name)
