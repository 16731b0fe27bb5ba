"""How much the scores change where one part changes."""

from __future__ import annotations

import pytest
import torch

from autocompress.compress.sensitivity import GONE, layer_harms, table_harms
from tests.contracts.small_model import logits_of, new_context, new_model


@pytest.fixture
def tables() -> dict[str, int]:
    return {"user": 0, "item": 1, "city": 2}


def test_fewer_bits_harm_more_and_a_field_that_is_gone_most(tables: dict[str, int]) -> None:
    for by_bits in table_harms(new_model(), new_context(), tables, (8, 4, 2, GONE)).values():
        assert 0 < by_bits[8] < by_bits[4] < by_bits[2] < by_bits[GONE]
    harms, costs = layer_harms(new_model(), new_context(), (16, 8, 4))
    for name, by_bits in harms.items():
        assert by_bits[16] < by_bits[8] < by_bits[4]
        assert 4 < costs[name][4] < costs[name][8] < costs[name][16] <= 16.5
    assert harms


def test_a_field_whose_rows_are_all_alike_can_be_spared(tables: dict[str, int]) -> None:
    model = new_model()
    with torch.no_grad():
        model.bank.table(2)[:] = 0.25
    harms = table_harms(model, new_context(), tables, (GONE,))
    assert harms["city"][GONE] < 1e-10 < harms["user"][GONE]


def test_the_model_is_left_as_it_was(tables: dict[str, int]) -> None:
    model, context = new_model(), new_context()
    before = logits_of(model, context).detach().clone()
    table_harms(model, context, tables, (4, GONE))
    layer_harms(model, context, (4,))
    assert torch.equal(logits_of(model, context), before)
