"""How much the scores change where one part of a model is stored in fewer bits, or is gone: per field and per layer.

Measured, not estimated: one part is changed at a time, and the logits of a fixed sample are compared (the harm of
HAWQ-like allocations, with the change itself in place of a second-order guess).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn

from autocompress.compress.allocation import SAMPLE, harm, logits_on_sample
from autocompress.compress.linear_layers import inputs_of_layers
from autocompress.compress.transform import Context
from autocompress.models.recommender import Recommender
from autocompress.models.row_quantization import fake_quantize_rows
from autocompress.models.weight_only_linear import WeightOnlyLinear

Harms = dict[str, dict[int, float]]
"""Part -> bits -> mean squared change of logits."""
GONE = 0
"""Bits of a table whose rows are all their mean."""


@torch.no_grad()
def table_harms(model: Recommender, context: Context, tables: Mapping[str, int], choices: Sequence[int]) -> Harms:
    """Of tables (by name, with their places in the bank) at each number of bits per value, a scale per row."""
    before, asked = logits_on_sample(model, context), model.bank.own_ids(context.ids[:SAMPLE])
    slots = torch.tensor(model.bank.layout.slots)
    harms: Harms = {}
    for name, table in tables.items():
        values = model.bank.stored(table)
        mine = asked[:, slots == table].numpy()
        mine = np.where((mine >= 0) & (mine < len(values)), mine, 0)
        ids, counts = (torch.from_numpy(each) for each in np.unique(mine, return_counts=True))
        whole = values[ids].clone()
        share = (counts / counts.sum()).to(whole.dtype)
        for bits in choices:
            values[ids] = fake_quantize_rows(whole, bits) if bits else (share @ whole).expand_as(whole)
            harms.setdefault(name, {})[bits] = harm(logits_on_sample(model, context), before)
        values[ids] = whole
    return harms


@torch.no_grad()
def layer_harms(model: Recommender, context: Context, choices: Sequence[int]) -> tuple[Harms, Harms]:
    """Of the linear layers but those whose outputs are logits, and the bits that a weight takes, scales counted."""
    before, harms, costs = logits_on_sample(model, context), Harms(), Harms()
    for name in inputs_of_layers(model, context):
        layer = model.dense.get_submodule(name)
        assert isinstance(layer, nn.Linear)
        harms[name], costs[name] = {}, {}
        whole = layer.weight.detach().clone()
        for bits in choices:
            packed = WeightOnlyLinear(layer, bits)
            layer.weight.copy_(packed.rounded_weight())
            harms[name][bits] = harm(logits_on_sample(model, context), before)
            costs[name][bits] = packed.bits_per_weight
        layer.weight.copy_(whole)
    return harms, costs
