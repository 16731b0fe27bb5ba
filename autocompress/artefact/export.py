"""A recommender as one ONNX file: `ids` int32 (batch, fields) in, `scores` float32 (batch, tasks) out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper

from autocompress.artefact.dense_graph import INPUT, OUTPUT, dense_graph
from autocompress.artefact.embedding_graph import embedding_graph
from autocompress.artefact.runtime import open_session, score
from autocompress.data.inputs import Inputs, clip_ids
from autocompress.models.recommender import Recommender, tensors
from autocompress.schema import Schema

OPSET, IR_VERSION = 20, 10
EXTERNAL_ABOVE = 1_500_000_000
"""Bytes of initializers past which weights go to `model.onnx.data`: protobuf ends at 2 GB."""


def export(model: Recommender, schema: Schema, path: Path, cache: Path) -> None:
    """Writes `path` (and `path`.data where the weights pass `EXTERNAL_ABOVE`); the model is left in eval mode.

    Scores are sigmoids of the logits, one column per task in schema order. The same weights give the same bytes.
    """
    model.eval()
    lookup_nodes, lookup_tensors = embedding_graph(model.bank, "ids", "numbers", INPUT)
    dense_nodes, dense_tensors = dense_graph(model.dense, model.bank.width, cache)
    tasks = len(schema.tasks)
    inputs = [helper.make_tensor_value_info("ids", TensorProto.INT32, ["batch", len(schema.slots)])]
    if model.bank.numbers:
        inputs.append(helper.make_tensor_value_info("numbers", TensorProto.FLOAT, ["batch", model.bank.numbers]))
    graph = helper.make_graph(
        [*lookup_nodes, *dense_nodes, helper.make_node("Sigmoid", [OUTPUT], ["scores"])],
        "autocompress",
        inputs,
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", tasks])],
        [*lookup_tensors, *dense_tensors],
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    proto = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="autocompress")
    large = sum(len(tensor.raw_data) for tensor in graph.initializer) > EXTERNAL_ABOVE
    onnx.save(proto, path, save_as_external_data=large, location=f"{path.name}.data")


@torch.no_grad()
def parity(model: Recommender, path: Path, inputs: Inputs) -> float:
    """Largest |difference of scores| between torch and the file over the rows of `inputs`.

    Float files agree to 1e-5. int8 files agree but for values that lie on a rounding edge and fall to the other side
    in the other engine: one activation step, diluted by the layers above.
    """
    inputs = clip_ids(inputs, model.bank.slot_rows)
    torch_scores = torch.sigmoid(model(*tensors(inputs))).numpy()
    return float(np.abs(torch_scores - score(open_session(path), inputs)).max())
