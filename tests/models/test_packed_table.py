"""Tables that look themselves up: rows as they should be, and the same ones from a file."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from torch import nn

from autocompress.compress.compositional import CompositionalTables
from autocompress.compress.tensor_train import TensorTrainTables
from autocompress.models.compositional import Compositional
from autocompress.models.packed_table import packed
from autocompress.models.product_codes import ProductCodes, places_of
from autocompress.models.tensor_train import TensorTrain, factors_of, radices_of
from tests.contracts.small_model import new_context, new_model

ROWS, DIM = 61, 12


def drawn(module: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for value in module.state_dict().values():
        value.copy_(torch.randint(0, 256, value.shape) if value.dtype == torch.uint8 else torch.randn(value.shape))
    return module


TABLES: dict[str, Callable[[], nn.Module]] = {
    "even pieces": lambda: ProductCodes(ROWS, DIM, 4),
    "uneven pieces": lambda: ProductCodes(ROWS, DIM, 5),
    "sums": lambda: Compositional(ROWS, DIM, 9),
    "more remainders than rows": lambda: Compositional(ROWS, DIM, ROWS + 5),
    "train": lambda: TensorTrain(ROWS, DIM, 3),
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_file_looks_up_what_torch_does(kind: str) -> None:
    module = drawn(TABLES[kind]())
    table = packed(module)
    first, second = table.stored_graph("table"), table.lookup_graph("table", "ids", "field")
    graph = helper.make_graph(
        [*first[0], *second[0]],
        "one",
        [helper.make_tensor_value_info("ids", TensorProto.INT32, ["n", 2])],
        [helper.make_tensor_value_info("field.found", TensorProto.FLOAT, ["n", 2, DIM])],
        [*first[1], *second[1]],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    ids = np.random.default_rng(0).permutation(ROWS)[:60].reshape(30, 2).astype(np.int32)
    (found,) = session.run(None, {"ids": ids})
    with torch.no_grad():
        wanted = module(torch.from_numpy(ids.astype(np.int64)))
    torch.testing.assert_close(torch.from_numpy(found), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", TABLES)
def test_only_what_is_looked_up_gets_a_gradient_and_it_is_sparse(kind: str) -> None:
    module = drawn(TABLES[kind]())
    module(torch.tensor([[3, 17]])).sum().backward()
    for value in module.parameters():
        assert value.grad is not None
        assert value.grad.is_sparse


@given(st.integers(1, 64), st.integers(1, 64))
def test_places_divide_a_row_as_evenly_as_they_can(dim: int, places: int) -> None:
    found = places_of(max(dim, places), min(dim, places))
    assert sum(each.many for each in found) == min(dim, places)
    assert sum(each.many * each.size for each in found) == max(dim, places)
    sizes = {each.size for each in found}
    assert max(sizes) - min(sizes) <= 1


@given(st.integers(1, 3_000_000), st.integers(1, 256))
def test_digits_tell_all_rows_apart_and_factors_make_the_dimension(rows: int, dim: int) -> None:
    radices = radices_of(rows)
    assert math.prod(radices) >= rows
    assert max(radices) <= 2 * max(2, round(rows ** (1 / 3)) + 1)
    assert math.prod(factors_of(dim)) == dim


def test_a_train_of_full_rank_is_the_table() -> None:
    model = new_model()
    before = model.bank.table(0).detach().clone()
    TensorTrainTables(rank=64, least_rows=400).apply(model, new_context())
    torch.testing.assert_close(model.bank.table(0), before, rtol=1e-2, atol=1e-2)


def test_a_table_that_is_a_sum_becomes_that_sum() -> None:
    model, rows = new_model(), 401
    divisor = math.ceil(0.1 * rows)
    ids = torch.arange(rows)
    with torch.no_grad():
        quotients, remainders = torch.randn(11, 8), torch.randn(divisor, 8)
        wanted = quotients[ids // divisor] + remainders[ids % divisor]
        model.bank.table(0).copy_(wanted)
    CompositionalTables(keep=0.1, least_rows=400).apply(model, new_context())
    torch.testing.assert_close(model.bank.table(0), wanted, rtol=1e-2, atol=1e-2)
