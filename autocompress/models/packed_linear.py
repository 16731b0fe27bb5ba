"""Linear layers that a file stores in another form than a float32 matrix: each says how it is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeGuard

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Graph = tuple[list[onnx.NodeProto], list[onnx.TensorProto]]


class PackedLinear(Protocol):
    """A module that stands where an `nn.Linear` stood."""

    in_features: int
    out_features: int
    bias: torch.Tensor | None

    def packed_graph(self, name: str, source: str, output: str) -> Graph:
        """Nodes from `source` (float32, (n, in_features)) to `output` (float32, (n, out_features)), and initializers.

        Every name that is made starts with `name`.
        """


def is_packed(module: object) -> TypeGuard[PackedLinear]:
    """Whether a module writes itself into a file."""
    return hasattr(module, "packed_graph")


def initializers(name: str, arrays: Mapping[str, NDArray[np.generic]]) -> list[onnx.TensorProto]:
    """`arrays`, each under `name`.key."""
    return [numpy_helper.from_array(np.ascontiguousarray(value), f"{name}.{key}") for key, value in arrays.items()]


def gemm(bias: torch.Tensor | None, name: str, source: str, weight: str, output: str) -> Graph:
    """The product of `source` with a `weight` (out, in) that nodes before it have made, and a bias (out,)."""
    inputs, arrays = [source, weight], {}
    if bias is not None:
        inputs.append(f"{name}.bias")
        arrays["bias"] = bias.detach().numpy()
    return [helper.make_node("Gemm", inputs, [output], transB=1)], initializers(name, arrays)
