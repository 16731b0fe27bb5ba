"""Tables whose rows are made of a few shared pieces: what is stored of them, and how they are looked up.

Jegou, Douze and Schmid, "Product Quantization for Nearest Neighbor Search", TPAMI 2011; for embeddings Kang et al.,
WWW 2020. A row of d numbers is d / piece codes of one byte, each naming one of 256 pieces.
"""

from __future__ import annotations

import numpy as np
import torch
from onnx import TensorProto, helper
from torch import nn

from autocompress.models.packed_linear import Graph, initializers

PIECES = 256
"""Pieces of a place: what a byte can name."""


def looked_up(codes: torch.Tensor, book: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Float32 (..., d) of `rows` int64 (...): `codes` uint8 (rows, places), `book` float32 (places * PIECES, piece).

    Pieces are rounded to fp16, as they are stored; gradients pass straight through, sparse ones while any are recorded.
    """
    places = codes.shape[1]
    wanted = codes[rows].long() + PIECES * torch.arange(places, device=codes.device)
    pieces = nn.functional.embedding(wanted, book, sparse=torch.is_grad_enabled())
    pieces = pieces + (pieces.half().float() - pieces).detach()
    return pieces.flatten(-2)


def stored(name: str, codes: torch.Tensor, book: torch.Tensor) -> Graph:
    """The initializers of a table, `<name>` its codes, and the node that makes its pieces floats."""
    arrays = {
        "half": book.detach().half().numpy(),
        "places": (PIECES * np.arange(codes.shape[1])).astype(np.int32),
        "shape_of_rows": np.array([0, 0, -1], dtype=np.int64),
    }
    (whole,) = initializers(name, {"codes": codes.numpy()})
    whole.name = name
    node = helper.make_node("Cast", [f"{name}.half"], [f"{name}.book"], to=TensorProto.FLOAT)
    return [node], [whole, *initializers(name, arrays)]


def gathered(table: str, rows: str, name: str) -> Graph:
    """From `rows` (n, m) to `<name>.found`, float32 (n, m, d)."""
    return [
        helper.make_node("Gather", [table, rows], [f"{name}.codes"]),
        helper.make_node("Cast", [f"{name}.codes"], [f"{name}.numbers"], to=TensorProto.INT32),
        helper.make_node("Add", [f"{name}.numbers", f"{table}.places"], [f"{name}.wanted"]),
        helper.make_node("Gather", [f"{table}.book", f"{name}.wanted"], [f"{name}.pieces"]),
        helper.make_node("Reshape", [f"{name}.pieces", f"{table}.shape_of_rows"], [f"{name}.found"]),
    ], []
