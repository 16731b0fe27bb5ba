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

from autocompress.models.bank_layout import ListInput
from autocompress.models.embedding import EmbeddingBank
from autocompress.models.packed_linear import Graph
from autocompress.models.packed_table import packed
from autocompress.models.row_quantization import codes, pack, row_scales
from autocompress.models.unpacking import unpacking

MOST_RUNS = 64
"""Of columns that are cut out one by one; where there are more, gathering each column is as fast."""


def embedding_graph(bank: EmbeddingBank, ids: str, numbers: str, output: str) -> Graph:
    """Nodes and initializers from `ids` (int32, (n, slots that are read)) to `output` (float32, (n, width)).

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

    layout = bank.layout
    for index, group in enumerate(layout.groups):
        name = f"table_{index}"
        add(_stored(name, bank, index), name)
        if fields := [table for table in group.tables if table < layout.fields]:
            parts.append(add(_fields(name, bank, index, fields, ids), f"{name}.flat"))
    for table in layout.apart:
        name = f"apart_{table}"
        add(packed(bank.apart[str(table)]).stored_graph(name), name)
        if table < layout.fields:
            parts.append(add(_apart(bank, table, ids), f"field_{table}.flat"))
    if layout.order is not None:
        parts = [add(_ordered(bank, parts, ids), "in_order")]
    start = layout.fields - (len(layout.slots) - len(layout.read_slots))
    for place, each in enumerate(layout.lists):
        name = f"list_{place}"
        parts.append(add(_list(name, bank, each, start, ids), f"{name}.flat"))
        marks.append(f"{name}.mark")
        start += each.length
    parts += marks if layout.whole else []
    parts += [numbers] if layout.numbers else []
    if len(parts) > 1:
        nodes.append(helper.make_node("Concat", parts, [output], axis=1))
    else:
        nodes[-1].output[0] = output
    return nodes, tensors


def _ordered(bank: EmbeddingBank, parts: list[str], ids: str) -> Graph:
    """From what is looked up to `in_order`: the fields' columns where they are wanted, constants among them.

    Runs of neighbouring columns are cut out and joined again, which is several times as fast as gathering columns one
    by one (`experiments/operators`) while the runs are few.
    """
    layout, nodes, tensors = bank.layout, list[onnx.NodeProto](), list[onnx.TensorProto]()
    if bank.constants is not None:
        # a row of a table that every id reads: what it holds is repeated for each row of the batch
        tensors += [
            _tensor("constants", bank.constants.detach().numpy()[None]),
            numpy_helper.from_array(np.array(0, dtype=np.int64), "first_slot"),
        ]
        nodes += [
            helper.make_node("Gather", [ids, "first_slot"], ["some_ids"], axis=1),
            helper.make_node("Sub", ["some_ids", "some_ids"], ["zeros"]),
            helper.make_node("Gather", ["constants", "zeros"], ["constant_columns"]),
        ]
        parts = [*parts, "constant_columns"]
    wanted = _wanted(bank)
    runs = _runs(wanted, layout.part_widths)
    if len(runs) > MOST_RUNS:
        tensors.append(_tensor("order", np.array(wanted, dtype=np.int32)))
        joined = helper.make_node("Concat", parts, ["by_group"], axis=1)
        return [*nodes, joined, helper.make_node("Gather", ["by_group", "order"], ["in_order"], axis=1)], tensors
    names: dict[tuple[int, int], str] = {}
    for place, part in enumerate(parts):
        mine = sorted((start, length) for other, start, length in runs if other == place)
        pieces = [f"{part}.run_{start}" for start, _ in mine]
        names |= {(place, start): piece for (start, _), piece in zip(mine, pieces, strict=True)}
        if len(mine) == 1:
            names[place, mine[0][0]] = part
        elif mine:
            tensors.append(_tensor(f"{part}.runs", np.array([length for _, length in mine], dtype=np.int64)))
            nodes.append(helper.make_node("Split", [part, f"{part}.runs"], pieces, axis=1))
    nodes.append(helper.make_node("Concat", [names[part, start] for part, start, _ in runs], ["in_order"], axis=1))
    return nodes, tensors


def _wanted(bank: EmbeddingBank) -> list[int]:
    """As the layout's `order`, constants counted one by one behind what is looked up."""
    order, looked_up = bank.layout.order or (), sum(bank.layout.part_widths)
    constants = iter(range(looked_up, looked_up + len(bank.layout.constant)))
    return [next(constants) if column == looked_up else column for column in order]


def _runs(wanted: list[int], widths: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """Part, first column inside it and length of each run of columns that are neighbours in one part, in order."""
    ends = np.cumsum([*widths, len(wanted)])
    found: list[tuple[int, int, int]] = []
    for column in wanted:
        part = int(np.searchsorted(ends, column, side="right"))
        inside = column - int(ends[part - 1] if part else 0)
        if found and found[-1][0] == part and sum(found[-1][1:]) == inside:
            found[-1] = (part, found[-1][1], found[-1][2] + 1)
        else:
            found.append((part, inside, 1))
    return found


def _asked(name: str, bank: EmbeddingBank, fields: list[int], ids: str) -> tuple[Graph, str]:
    """The columns of `ids` that belong to those fields, and what they are called."""
    places = [bank.layout.read_slots.index(field) for field in fields]
    if places == list(range(len(bank.layout.read_slots))):
        return ([], []), ids
    tensor = _tensor(f"{name}.fields", np.array(places, dtype=np.int64))
    return ([helper.make_node("Gather", [ids, f"{name}.fields"], [f"{name}.ids"], axis=1)], [tensor]), f"{name}.ids"


def _fields(name: str, bank: EmbeddingBank, index: int, fields: list[int], ids: str) -> Graph:
    """From `ids` to `<name>.flat` (float32, (n, fields * dim)), one lookup for all fields of a group."""
    dim = bank.layout.groups[index].dim
    offsets = np.array([bank.layout.places[field][1] for field in fields], dtype=np.int32)
    (nodes, tensors), asked = _asked(name, bank, fields, ids)
    nodes.append(helper.make_node("Add", [asked, f"{name}.offsets"], [f"{name}.rows"]))
    more_nodes, more_tensors = _looked_up(name, bank, index, f"{name}.rows", name)
    tensors += [
        *more_tensors,
        _tensor(f"{name}.offsets", offsets),
        _tensor(f"{name}.shape", np.array([-1, len(fields) * dim], dtype=np.int64)),
    ]
    nodes += more_nodes
    steps = bank.table_steps(index)
    if steps is None:
        nodes.append(helper.make_node("Reshape", [f"{name}.found", f"{name}.shape"], [f"{name}.flat"]))
        return nodes, tensors
    # one multiplication of flat rows by a constant is several times cheaper than broadcasting a scale per row
    tensors.append(_tensor(f"{name}.steps", steps[: len(fields)].detach().repeat_interleave(dim).numpy()))
    nodes.append(helper.make_node("Reshape", [f"{name}.found", f"{name}.shape"], [f"{name}.unscaled"]))
    nodes.append(helper.make_node("Mul", [f"{name}.unscaled", f"{name}.steps"], [f"{name}.flat"]))
    return nodes, tensors


def _apart(bank: EmbeddingBank, table: int, ids: str) -> Graph:
    """From `ids` to `field_<table>.flat` (float32, (n, dim)) of a table that is stored apart."""
    name = f"field_{table}"
    (nodes, tensors), asked = _asked(name, bank, [table], ids)
    more_nodes, more_tensors = packed(bank.apart[str(table)]).lookup_graph(f"apart_{table}", asked, name)
    shape = _tensor(f"{name}.shape_of_field", np.array([-1, bank.layout.dim(table)], dtype=np.int64))
    flat = helper.make_node("Reshape", [f"{name}.found", f"{name}.shape_of_field"], [f"{name}.flat"])
    return [*nodes, *more_nodes, flat], [*tensors, *more_tensors, shape]


def _list(name: str, bank: EmbeddingBank, each: ListInput, start: int, ids: str) -> Graph:
    """From `ids` to `<name>.flat`: the mean of the entries, or all of them; `<name>.mark` (n, length) tells padding."""
    dim = bank.layout.dims[each.table]
    tensors = [
        _tensor(f"{name}.slots", np.arange(start, start + each.length, dtype=np.int64)),
        _tensor(f"{name}.none", np.array(0, dtype=np.int32)),
        _tensor(f"{name}.last", np.array([-1], dtype=np.int64)),
    ]
    nodes = [
        helper.make_node("Gather", [ids, f"{name}.slots"], [f"{name}.ids"], axis=1),
        helper.make_node("GreaterOrEqual", [f"{name}.ids", f"{name}.none"], [f"{name}.there"]),
        helper.make_node("Cast", [f"{name}.there"], [f"{name}.mark"], to=TensorProto.FLOAT),
        helper.make_node("Max", [f"{name}.ids", f"{name}.none"], [f"{name}.known"]),
    ]
    factor, steps = f"{name}.mark", None
    if each.table in bank.layout.apart:
        module = packed(bank.apart[str(each.table)])
        more_nodes, more_tensors = module.lookup_graph(f"apart_{each.table}", f"{name}.known", name)
    else:
        group, first = bank.layout.places[each.table]
        tensors.append(_tensor(f"{name}.first", np.array(first, dtype=np.int32)))
        nodes.append(helper.make_node("Add", [f"{name}.known", f"{name}.first"], [f"{name}.rows"]))
        more_nodes, more_tensors = _looked_up(f"table_{group}", bank, group, f"{name}.rows", name)
        steps = bank.table_steps(group)
    tensors += more_tensors
    nodes += more_nodes
    if steps is not None:
        step = steps[bank.layout.groups[group].tables.index(each.table)].detach().numpy()
        tensors.append(_tensor(f"{name}.step", step))
        nodes.append(helper.make_node("Mul", [factor, f"{name}.step"], [f"{name}.factor"]))
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
    values, precision = bank.tables[index].detach(), bank.layout.groups[index].precision
    to_dim = bank.map_of(index)
    maps = [] if to_dim is None else [_tensor(f"{table}.map", to_dim.detach().numpy())]
    if precision is None:
        return [], [_tensor(table, values.numpy()), *maps]
    if precision.per_row:
        scales = row_scales(values, precision.bits)
        kept = [_tensor(f"{table}.scales", scales.to(torch.float16).numpy())]
    else:
        rows = torch.tensor([bank.layout.rows[each] for each in bank.layout.groups[index].tables])
        steps = bank.table_steps(index)
        assert steps is not None
        scales, kept = steps.detach().repeat_interleave(rows)[:, None], []
    stored = _tensor(table, pack(codes(values, scales, precision.bits), precision.bits))
    return [], [stored, *unpacking(table, precision.bits, values.shape[1])[1], *kept, *maps]


def _looked_up(table: str, bank: EmbeddingBank, index: int, rows: str, name: str) -> Graph:
    """From `rows` (indices) to `<name>.found`: float rows of a group of tables, scaled by row but not yet by table."""
    if bank.map_of(index) is not None:
        nodes, tensors = _stored_rows(table, bank, index, rows, name)
        nodes[-1].output[0] = f"{name}.short"
        return [*nodes, helper.make_node("MatMul", [f"{name}.short", f"{table}.map"], [f"{name}.found"])], tensors
    return _stored_rows(table, bank, index, rows, name)


def _stored_rows(table: str, bank: EmbeddingBank, index: int, rows: str, name: str) -> Graph:
    """As `_looked_up`, before rows are mapped to their dimension."""
    precision = bank.layout.groups[index].precision
    if precision is None:
        return [helper.make_node("Gather", [table, rows], [f"{name}.found"])], []
    nodes = [helper.make_node("Gather", [table, rows], [f"{name}.bytes"])]
    nodes += unpacking(table, precision.bits, bank.tables[index].shape[1], f"{name}.bytes", name)[0]
    if not precision.per_row:
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
