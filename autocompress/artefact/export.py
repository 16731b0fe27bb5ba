"""A recommender as one ONNX file: `ids` int32 (batch, slots that are read) in, `scores` float32 (batch, tasks) out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper

from autocompress.artefact.dense_graph import INPUT, OUTPUT, VECTORS, dense_graph
from autocompress.artefact.embedding_graph import embedding_graph
from autocompress.artefact.runtime import open_session, score
from autocompress.data.inputs import Inputs
from autocompress.data.numbering import renumbered
from autocompress.models.packed_linear import Graph
from autocompress.models.recommender import Calibration, Recommender, tensors
from autocompress.models.vectors import has_vectors
from autocompress.schema import Schema

OPSET, IR_VERSION = 20, 10
EXTERNAL_ABOVE = 1_500_000_000
"""Bytes of initializers past which weights go to `model.onnx.data`: protobuf ends at 2 GB."""


def export(model: Recommender, schema: Schema, path: Path, cache: Path) -> None:
    """`export_mean` of one model."""
    export_mean([model], schema, path, cache)


def export_mean(models: Sequence[Recommender], schema: Schema, path: Path, cache: Path) -> None:
    """Writes `path` (and `path`.data where the weights pass `EXTERNAL_ABOVE`); the models are left in eval mode.

    Scores are sigmoids of the mean of the models' logits, one column per task in schema order. A single model that has
    vectors of users and items gives them as further outputs. The same weights give the same bytes.
    """
    nodes: list[onnx.NodeProto] = []
    tensors: list[onnx.TensorProto] = []
    logits = []
    for index, model in enumerate(models):
        graph = _graph(model.eval(), cache)
        logits.append(_named(graph, f"member_{index}." if len(models) > 1 else ""))
        nodes += graph[0]
        tensors += graph[1]
    if len(logits) > 1:
        nodes.append(helper.make_node("Mean", logits, [OUTPUT]))
    inputs = [helper.make_tensor_value_info("ids", TensorProto.INT32, ["batch", len(models[0].bank.layout.read_slots)])]
    if numbers := models[0].bank.layout.numbers:
        inputs.append(helper.make_tensor_value_info("numbers", TensorProto.FLOAT, ["batch", numbers]))
    outputs = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", len(schema.tasks)])]
    if len(models) == 1 and has_vectors(models[0].dense):
        outputs += [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", None]) for name in VECTORS]
    whole = helper.make_graph(
        [*nodes, helper.make_node("Sigmoid", [OUTPUT], ["scores"])],
        "autocompress",
        inputs,
        outputs,
        tensors,
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    proto = helper.make_model(whole, opset_imports=opsets, ir_version=IR_VERSION, producer_name="autocompress")
    large = sum(len(tensor.raw_data) for tensor in whole.initializer) > EXTERNAL_ABOVE
    onnx.save(proto, path, save_as_external_data=large, location=f"{path.name}.data")


def _graph(model: Recommender, cache: Path) -> Graph:
    """Nodes and initializers from `ids` and `numbers` to `OUTPUT`."""
    lookup_nodes, lookup_tensors = embedding_graph(model.bank, "ids", "numbers", INPUT)
    dense_nodes, dense_tensors = dense_graph(model.dense, model.bank.layout.width, cache)
    if model.calibration is not None:
        calibrated_nodes, calibrated_tensors = _calibrated(dense_nodes, model.calibration)
        dense_nodes, dense_tensors = [*dense_nodes, *calibrated_nodes], [*dense_tensors, *calibrated_tensors]
    return [*lookup_nodes, *dense_nodes], [*lookup_tensors, *dense_tensors]


def _calibrated(nodes: list[onnx.NodeProto], calibration: Calibration) -> Graph:
    """Nodes from the dense part's logits, which get another name in place, to `OUTPUT`."""
    raw = f"{OUTPUT}.raw"
    for node in nodes:
        for names in (node.input, node.output):
            names[:] = [raw if name == OUTPUT else name for name in names]
    values = {name: np.array(value, dtype=np.float32) for name, value in calibration._asdict().items()}
    bent = values["knots"].size > 0
    straight = f"{OUTPUT}.straight" if bent else OUTPUT
    made = [
        helper.make_node("Mul", [raw, f"{OUTPUT}.factors"], [f"{OUTPUT}.scaled"]),
        helper.make_node("Add", [f"{OUTPUT}.scaled", f"{OUTPUT}.shifts"], [straight]),
    ]
    tensors = [onnx.numpy_helper.from_array(values[name], f"{OUTPUT}.{name}") for name in ("factors", "shifts")]
    if bent:
        last = onnx.numpy_helper.from_array(np.array([2], dtype=np.int64), f"{OUTPUT}.last")
        tensors += [onnx.numpy_helper.from_array(values[name], f"{OUTPUT}.{name}") for name in ("knots", "bends")]
        tensors.append(last)
        made += [
            helper.make_node("Unsqueeze", [raw, last.name], [f"{OUTPUT}.each"]),
            helper.make_node("Sub", [f"{OUTPUT}.each", f"{OUTPUT}.knots"], [f"{OUTPUT}.way"]),
            helper.make_node("Relu", [f"{OUTPUT}.way"], [f"{OUTPUT}.beyond"]),
            helper.make_node("Mul", [f"{OUTPUT}.beyond", f"{OUTPUT}.bends"], [f"{OUTPUT}.bent"]),
            helper.make_node("ReduceSum", [f"{OUTPUT}.bent", last.name], [f"{OUTPUT}.more"], keepdims=0),
            helper.make_node("Add", [straight, f"{OUTPUT}.more"], [OUTPUT]),
        ]
    return made, tensors


def _named(graph: Graph, prefix: str) -> str:
    """Puts `prefix` before every name but the inputs', in place; returns the name of the output."""
    if prefix:
        for node in graph[0]:
            for names in (node.input, node.output):
                names[:] = [name if name in ("", "ids", "numbers") else prefix + name for name in names]
            node.name = node.name and prefix + node.name  # two nodes without a name are no clash
        for tensor in graph[1]:
            tensor.name = prefix + tensor.name
    return prefix + OUTPUT


@torch.no_grad()
def parity(model: Recommender, path: Path, inputs: Inputs) -> float:
    """Largest |difference of scores| between torch and the file over the rows of `inputs`, the data's.

    Float files agree to 1e-5. int8 files agree but for values that lie on a rounding edge and fall to the other side
    in the other engine: one activation step, diluted by the layers above.
    """
    torch_scores = torch.sigmoid(model(*tensors(inputs))).numpy()
    return float(np.abs(torch_scores - score(open_session(path), renumbered(inputs, model.bank.numbering))).max())
