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

from autocompress.models import product_codes
from autocompress.models.bank_layout import ListInput
from autocompress.models.embedding import EmbeddingBank
from autocompress.models.packed_linear import Graph
from autocompress.models.row_quantization import codes, pack, row_scales
from autocompress.models.unpacking import unpacking


def embedding_graph(bank: EmbeddingBank, ids: str, numbers: str, output: str) -> Graph:
    """Nodes and initializers from `ids` (int32, (n, slots)) to `output` (float32, (n, bank.layout.width)).

    `numbers` (float32, (n, bank.layout.numbers)) is read where the bank passes numbers through.
    """
    nodes: list[onnx.NodeProto] = []
    tensors: list[onnx.TensorProto] = []
    parts: list[str] = []
    marks: list[str] = []

    def add(graph: Graph, part: str) -> str:
        nodes.extend(graph[0])
        tensors.extend(graph[1])
        return part

    for index, (dim, tables) in enumerate(bank.layout.groups):
        name = f"table_{index}"
        add(_stored(name, bank, index), name)
        if fields := [table for table in tables if table < bank.layout.fields]:
            graph = _fields(name, bank, index, fields, ids, dim)
            parts.append(add(graph, f"{name}.flat"))
    if bank.layout.order is not None:
        tensors.append(_tensor("order", np.array(bank.layout.order, dtype=np.int64)))
        nodes.append(helper.make_node("Concat", parts, ["by_group"], axis=1))
        nodes.append(helper.make_node("Gather", ["by_group", "order"], ["in_order"], axis=1))
        parts = ["in_order"]
    start = bank.layout.fields
    for place, each in enumerate(bank.layout.lists):
        name = f"list_{place}"
        parts.append(add(_list(name, bank, each, start, ids), f"{name}.flat"))
        marks.append(f"{name}.mark")
        start += each.length
    parts += marks if bank.layout.whole else []
    parts += [numbers] if bank.layout.numbers else []
    if len(parts) > 1:
        nodes.append(helper.make_node("Concat", parts, [output], axis=1))
    else:
        nodes[-1].output[0] = output
    return nodes, tensors


def _fields(name: str, bank: EmbeddingBank, index: int, fields: list[int], ids: str, dim: int) -> Graph:
    """From `ids` to `<name>.flat` (float32, (n, fields * dim)), one lookup for all fields of a group."""
    nodes: list[onnx.NodeProto] = []
    offsets = np.array([bank.layout.places[field][1] for field in fields], dtype=np.int32)
    tensors = [_tensor(f"{name}.offsets", offsets)]
    group = ids
    if fields != list(range(len(bank.layout.slot_rows))):
        group = f"{name}.ids"
        tensors.append(_tensor(f"{name}.fields", np.array(fields, dtype=np.int64)))
        nodes.append(helper.make_node("Gather", [ids, f"{name}.fields"], [group], axis=1))
    nodes.append(helper.make_node("Add", [group, f"{name}.offsets"], [f"{name}.rows"]))
    more_nodes, more_tensors = _looked_up(name, bank, index, f"{name}.rows", name)
    tensors += [*more_tensors, _tensor(f"{name}.shape", np.array([-1, len(fields) * dim], dtype=np.int64))]
    nodes += more_nodes
    scales = bank.group_scales(index)
    if scales is None or bank.layout.piece_of(index) is not None:
        nodes.append(helper.make_node("Reshape", [f"{name}.found", f"{name}.shape"], [f"{name}.flat"]))
    else:
        # one multiplication of flat rows by a constant is several times cheaper than broadcasting a scale per row
        tensors.append(_tensor(f"{name}.scales", scales[: len(fields)].repeat_interleave(dim).numpy()))
        nodes.append(helper.make_node("Reshape", [f"{name}.found", f"{name}.shape"], [f"{name}.unscaled"]))
        nodes.append(helper.make_node("Mul", [f"{name}.unscaled", f"{name}.scales"], [f"{name}.flat"]))
    return nodes, tensors


def _list(name: str, bank: EmbeddingBank, each: ListInput, start: int, ids: str) -> Graph:
    """From `ids` to `<name>.flat`: the mean of the entries, or all of them; `<name>.mark` (n, length) tells padding."""
    group, first = bank.layout.places[each.table]
    table, dim = f"table_{group}", bank.layout.dims[each.table]
    tensors = [
        _tensor(f"{name}.slots", np.arange(start, start + each.length, dtype=np.int64)),
        _tensor(f"{name}.none", np.array(0, dtype=np.int32)),
        _tensor(f"{name}.first", np.array(first, dtype=np.int32)),
        _tensor(f"{name}.last", np.array([-1], dtype=np.int64)),
    ]
    nodes = [
        helper.make_node("Gather", [ids, f"{name}.slots"], [f"{name}.ids"], axis=1),
        helper.make_node("GreaterOrEqual", [f"{name}.ids", f"{name}.none"], [f"{name}.there"]),
        helper.make_node("Cast", [f"{name}.there"], [f"{name}.mark"], to=TensorProto.FLOAT),
        helper.make_node("Max", [f"{name}.ids", f"{name}.none"], [f"{name}.known"]),
        helper.make_node("Add", [f"{name}.known", f"{name}.first"], [f"{name}.rows"]),
    ]
    more_nodes, more_tensors = _looked_up(table, bank, group, f"{name}.rows", name)
    tensors += more_tensors
    nodes += more_nodes
    factor = f"{name}.mark"
    if bank.table_scales is not None and bank.layout.piece_of(group) is None:
        tensors.append(_tensor(f"{name}.scale_of_all", np.array(bank.table_scales[each.table], dtype=np.float32)))
        nodes.append(helper.make_node("Mul", [factor, f"{name}.scale_of_all"], [f"{name}.factor"]))
        factor = f"{name}.factor"
    nodes += [
        helper.make_node("Unsqueeze", [factor, f"{name}.last"], [f"{name}.wide"]),
        helper.make_node("Mul", [f"{name}.found", f"{name}.wide"], [f"{name}.entries"]),
    ]
    if bank.layout.whole:
        tensors.append(_tensor(f"{name}.shape", np.array([-1, each.length * dim], dtype=np.int64)))
        nodes.append(helper.make_node("Reshape", [f"{name}.entries", f"{name}.shape"], [f"{name}.flat"]))
        return nodes, tensors
    tensors += [
        _tensor(f"{name}.axis", np.array([1], dtype=np.int64)),
        _tensor(f"{name}.at_least", np.array(1.0, dtype=np.float32)),
    ]
    nodes += [
        helper.make_node("ReduceSum", [f"{name}.entries", f"{name}.axis"], [f"{name}.sum"], keepdims=0),
        helper.make_node("ReduceSum", [f"{name}.mark", f"{name}.axis"], [f"{name}.many"], keepdims=1),
        helper.make_node("Max", [f"{name}.many", f"{name}.at_least"], [f"{name}.length"]),
        helper.make_node("Div", [f"{name}.sum", f"{name}.length"], [f"{name}.flat"]),
    ]
    return nodes, tensors


def _stored(table: str, bank: EmbeddingBank, index: int) -> Graph:
    """What is stored of a group of tables, whoever reads it."""
    values = bank.tables[index].detach()
    if bank.layout.piece_of(index) is not None:
        return product_codes.stored(table, bank.get_buffer(f"codes_{index}"), values)
    to_dim = bank.map_of(index)
    maps = [] if to_dim is None else [_tensor(f"{table}.map", to_dim.detach().numpy())]
    if bank.bits is None:
        return [], [_tensor(table, values.numpy()), *maps]
    if bank.table_scales is None:
        scales = row_scales(values, bank.bits)
        kept = [_tensor(f"{table}.scales", scales.to(torch.float16).numpy())]
    else:
        rows = torch.tensor([bank.layout.rows[each] for each in bank.layout.groups[index][1]])
        group = bank.group_scales(index)
        assert group is not None
        scales, kept = group.repeat_interleave(rows)[:, None], []
    packed = _tensor(table, pack(codes(values, scales, bank.bits), bank.bits))
    return [], [packed, *unpacking(table, bank.bits, values.shape[1])[1], *kept, *maps]


def _looked_up(table: str, bank: EmbeddingBank, index: int, rows: str, name: str) -> Graph:
    """From `rows` (indices) to `<name>.found`: float rows of a group of tables, scaled by row but not yet by table."""
    if bank.layout.piece_of(index) is not None:
        return product_codes.gathered(table, rows, name)
    if bank.map_of(index) is not None:
        nodes, tensors = _stored_rows(table, bank, index, rows, name)
        nodes[-1].output[0] = f"{name}.short"
        return [*nodes, helper.make_node("MatMul", [f"{name}.short", f"{table}.map"], [f"{name}.found"])], tensors
    return _stored_rows(table, bank, index, rows, name)


def _stored_rows(table: str, bank: EmbeddingBank, index: int, rows: str, name: str) -> Graph:
    """As `_looked_up`, before rows are mapped to their dimension."""
    if bank.bits is None:
        return [helper.make_node("Gather", [table, rows], [f"{name}.found"])], []
    nodes = [helper.make_node("Gather", [table, rows], [f"{name}.bytes"])]
    nodes += unpacking(table, bank.bits, bank.tables[index].shape[1], f"{name}.bytes", name)[0]
    if bank.table_scales is not None:
        nodes[-1].output[0] = f"{name}.found"
        return nodes, []
    nodes += [
        helper.make_node("Gather", [f"{table}.scales", rows], [f"{name}.half"]),
        helper.make_node("Cast", [f"{name}.half"], [f"{name}.scale"], to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{name}.levels", f"{name}.scale"], [f"{name}.found"]),
    ]
    return nodes, []


def _tensor(name: str, values: NDArray[np.generic]) -> onnx.TensorProto:
    return numpy_helper.from_array(np.ascontiguousarray(values), name)
