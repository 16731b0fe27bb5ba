"""Layers that write themselves into a file compute there what they compute in torch, on the edges of rounding too."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from autocompress.models.codebook_linear import CodebookLinear
from autocompress.models.mask_revision import Revision
from autocompress.models.quantized_linear import QuantizedLinear
from autocompress.models.row_scaled_linear import RowScaledLinear
from autocompress.models.sparse_linear import SparseLinear
from autocompress.models.weight_only_linear import WeightOnlyLinear

WIDTH, OUT = 40, 24


def masked(linear: nn.Linear) -> SparseLinear:
    layer = SparseLinear(linear)
    layer.mask.copy_((torch.rand(layer.mask.shape) < 0.3).float())
    return layer


def stretched(linear: nn.Linear) -> QuantizedLinear:
    layer = QuantizedLinear(linear, -1.0, 3.0)
    with torch.no_grad():
        layer.input_stretch.fill_(-0.2)
        layer.weight_stretch.normal_(0.0, 0.1)
    return layer


def of_pieces(linear: nn.Linear) -> CodebookLinear:
    layer = CodebookLinear(linear, 2)
    layer.codes.random_(0, 256)
    with torch.no_grad():
        layer.book.normal_()
    return layer


LAYERS: dict[str, Callable[[nn.Linear], nn.Module]] = {
    "static": lambda linear: QuantizedLinear(linear, -1.0, 3.0),
    "static, symmetric": lambda linear: QuantizedLinear(linear, -2.0, 2.0),
    "row": RowScaledLinear,
    "pieces": of_pieces,
    "16 bit": lambda linear: WeightOnlyLinear(linear, 16),
    "8 bit": lambda linear: WeightOnlyLinear(linear, 8),
    "4 bit": lambda linear: WeightOnlyLinear(linear, 4),
    "sparse": masked,
    "sparse, revised": lambda linear: SparseLinear(linear, Revision(0.5, 0.5)),
    "static, a step in all": lambda linear: QuantizedLinear(linear, -1.0, 3.0, per_channel=False),
    "static, steps trained": stretched,
}


def in_a_file(layer: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    nodes, tensors = layer.packed_graph("layer", "x", "y")  # type: ignore[operator]
    graph = helper.make_graph(
        nodes,
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", WIDTH])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", OUT])],
        tensors,
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {"x": inputs.numpy()})[0])


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", LAYERS)
def test_the_file_computes_what_torch_does(kind: str, bias: bool) -> None:
    torch.manual_seed(0)
    layer = LAYERS[kind](nn.Linear(WIDTH, OUT, bias=bias)).eval()
    inputs = 1.5 * torch.randn(300, WIDTH)
    with torch.no_grad():
        torch.testing.assert_close(in_a_file(layer, inputs), layer(inputs), rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize(("low", "high"), [(-1.0, 3.0), (-2.0, 2.0), (0.0, 1.0), (-0.37, 5.1)])
def test_halves_between_two_levels_go_where_they_go_in_the_file(low: float, high: float) -> None:
    torch.manual_seed(0)
    layer = QuantizedLinear(nn.Linear(WIDTH, OUT), low, high).eval()
    steps = torch.arange(-layer.zero_point - 3, 260 - layer.zero_point)[:, None] + 0.5
    inputs = (steps * torch.tensor(layer.scale)).expand(-1, WIDTH).contiguous()
    with torch.no_grad():
        torch.testing.assert_close(in_a_file(layer, inputs), layer(inputs), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", LAYERS)
def test_gradients_reach_inputs_and_weights(kind: str) -> None:
    torch.manual_seed(0)
    layer = LAYERS[kind](nn.Linear(WIDTH, OUT))
    inputs = torch.rand(8, WIDTH, requires_grad=True)
    layer(inputs).square().sum().backward()
    assert inputs.grad is not None
    assert float(inputs.grad.abs().min()) > 0
    for parameter in layer.parameters():
        assert parameter.grad is not None
        assert np.isfinite(parameter.grad.numpy()).all()
