"""ONNX nodes of a dense part: exported by torch once per architecture, weights swapped in per trial.

A linear layer that is stored in another form (`models/packed_linear.py`) is exported as a plain one, and writes itself
in its place.
"""

from __future__ import annotations

import copy
import io
import logging
import warnings
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import MethodType

import onnx
import torch
from onnx import numpy_helper
from torch import nn

from autocompress.compress.batch_norm import without_batch_norms
from autocompress.digest import json_digest
from autocompress.models.packed_linear import is_packed
from autocompress.models.vectors import has_vectors, with_vectors
from autocompress.storage import new_file

INPUT, OUTPUT = "first", "logits"
VECTORS = ("user_vector", "item_vector")
"""Further outputs of a dense part that has them (`models/vectors.py`)."""


def dense_graph(dense: nn.Module, width: int, cache: Path) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Nodes and initializers from `INPUT` (float32, (n, width)) to `OUTPUT` (float32, (n, tasks)), and to `VECTORS`.

    The skeleton is found in `cache`/graphs by the architecture's names, kinds and `graph_constants`, widths aside.
    `RuntimeError` where the exporter left a parameter of `dense` out of the graph.
    """
    dense = without_batch_norms(dense, width)
    skeleton = _skeleton(dense, width, cache)
    packed = {f"{name}.weight": module for name, module in dense.named_modules() if is_packed(module)}
    inside = tuple(name.removesuffix("weight") for name in packed)
    # what is no float only counts for the training, such as the batches that a norm has seen
    floats = {name: value.detach() for name, value in dense.state_dict().items() if value.is_floating_point()}
    tensors = {name: value for name, value in floats.items() if not name.startswith(inside)}
    # constants that are no parameter of the module (the exporter's own) keep their values
    known = {*tensors, *(f"{name}{part}" for name in inside for part in ("weight", "bias"))}
    initializers = {tensor.name: tensor for tensor in skeleton.graph.initializer if tensor.name not in known}
    nodes: list[onnx.NodeProto] = []
    held: set[str] = set()
    for node in skeleton.graph.node:
        parameters = [name for name in node.input if name in tensors]
        held.update(parameters)
        weight = node.input[1] if node.op_type == "Gemm" else ""
        if weight not in packed:
            nodes.append(node)
            swapped = [numpy_helper.from_array(tensors[name].contiguous().numpy(), name) for name in parameters]
        else:
            held.add(weight)
            more_nodes, swapped = packed[weight].packed_graph(weight, node.input[0], node.output[0])
            nodes += more_nodes
        initializers |= {tensor.name: tensor for tensor in swapped}
    if left_out := sorted({*tensors, *packed} - held):
        raise RuntimeError(f"the exported graph does not hold {left_out[0]}: its weights cannot be swapped")
    return nodes, list(initializers.values())


def _floating(dense: nn.Module) -> nn.Module:
    """A copy in eval mode with plain linear layers, for the exporter."""
    plain = copy.deepcopy(dense).eval()
    for name, module in list(plain.named_modules()):
        if is_packed(module):
            linear = nn.Linear(module.in_features, module.out_features, bias=module.bias is not None)
            parent, _, leaf = name.rpartition(".")
            setattr(plain.get_submodule(parent), leaf, linear)
    return plain


def _skeleton(dense: nn.Module, width: int, cache: Path) -> onnx.ModelProto:
    plain = _floating(dense)
    structure = [(name, type(module).__name__) for name, module in plain.named_modules()]
    structure += [(name, str(value.dim())) for name, value in plain.state_dict().items()]
    # numbers that torch writes into the graph itself, such as those of a reshape
    structure += [(name, str(getattr(module, "graph_constants", ""))) for name, module in plain.named_modules()]
    if has_vectors(plain):
        structure.append(("outputs", str(VECTORS)))
    path = cache / "graphs" / f"{json_digest([torch.__version__, structure])}.onnx"
    if not path.exists():
        with new_file(path) as temporary:
            temporary.write_bytes(_export(plain, width).SerializeToString())
    skeleton = onnx.load(path)
    for node in skeleton.graph.node:
        # torch leaves stack traces with the paths of the machine there: they are no part of a model that ships
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    return skeleton


def _export(plain: nn.Module, width: int) -> onnx.ModelProto:
    with torch.no_grad():
        for parameter in plain.parameters():
            # of two parameters with the same values the exporter would keep one
            parameter.copy_(torch.rand(parameter.shape))
    vectors = has_vectors(plain)
    if vectors:
        # set on this copy alone: a module around it would put its own name before those of the weights
        plain.forward = MethodType(with_vectors, plain)
    # the exporter prints and logs; nothing of it is for the person who waits
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            plain,
            (torch.zeros(2, width),),
            dynamo=True,
            verbose=False,
            input_names=[INPUT],
            output_names=[OUTPUT, *(VECTORS if vectors else ())],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
        )
    assert program is not None
    return program.model_proto
