"""Single weights of dense layers removed: the smallest, or those that matter least to the loss.

The file shrinks and the arithmetic stays: ONNX Runtime has no sparse product for a CPU. Magnitude: Han et al., NeurIPS
2015; gradient x weight: Molchanov et al., CVPR 2019; movement: Sanh et al., NeurIPS 2020; two of every four: Mishra et
al., arXiv:2104.08378; gradually: Zhu and Gupta, arXiv:1710.01878; what is gone may return: Guo et al., NeurIPS 2016.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Literal

import torch
from pydantic import Field as Limits
from torch import nn

from autocompress.compress.linear_layers import inputs_of_layers, loss_gradients, replaced
from autocompress.compress.transform import Context, Record
from autocompress.models.mask_revision import Revision, masks, two_of_four
from autocompress.models.recommender import Recommender
from autocompress.models.sparse_linear import SparseLinear
from autocompress.schema import Frozen


class Weights(Frozen):
    """Every linear layer but those whose outputs are logits loses the share `sparsity` of its weights.

    `importance` of a weight: `magnitude`, or `gradient`, |gradient x weight| on a sample. `pattern`: `free`, compared
    inside a layer or, with `scope` `global`, over all layers by their share of the layer's mean; `2:4`, the two most
    important of every four inputs of an output stay, whatever `sparsity` says.

    `schedule`: `once`, they are gone for good; `gradual`, in training all are there again and go along a cubic;
    `dynamic`, in training as many are gone all the time, but those that grow behind their mask return; `movement`,
    gradual, those first that training moves towards 0. In training weights are compared by magnitude (or movement)
    inside their layer; of `2:4` half is gone all the time.
    """

    kind: Literal["weights"] = "weights"
    follows: ClassVar[frozenset[str]] = frozenset(
        {"rows", "hashing", "fields", "dimensions", "channels", "low_rank", "quantize_tables", "mixed_table_bits"}
    )
    sparsity: float = Limits(gt=0.0, lt=1.0)
    importance: Literal["magnitude", "gradient"] = "magnitude"
    scope: Literal["layer", "global"] = "layer"
    pattern: Literal["free", "2:4"] = "free"
    schedule: Literal["once", "gradual", "dynamic", "movement"] = "once"

    def apply(self, model: Recommender, context: Context) -> Record:
        """Record: `layers`; the masks themselves are tensors of the model."""
        names = list(inputs_of_layers(model, context))
        gradients = loss_gradients(model, context) if self.importance == "gradient" else {}
        scores = {}
        for name in names:
            layer = model.dense.get_submodule(name)
            assert isinstance(layer, nn.Linear)
            weight = layer.weight.detach()
            scores[name] = (weight * gradients[f"{name}.weight"] if gradients else weight).abs()
        record: Record = {"layers": names}
        self.restore(model, record)
        for name, mask in self._masks(scores).items():
            model.dense.get_submodule(name).get_buffer("mask").copy_(mask)
        return record

    def _masks(self, scores: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        if self.pattern == "2:4":
            return {name: two_of_four(score) for name, score in scores.items()}
        if self.scope == "layer":
            return {name: masks([score], self.sparsity)[0] for name, score in scores.items()}
        relative = [score / score.mean().clamp_min(1e-12) for score in scores.values()]
        return dict(zip(scores, masks(relative, self.sparsity), strict=True))

    def restore(self, model: Recommender, record: Record) -> None:
        """Replaces the recorded layers; their masks are loaded with the tensors."""
        revision = None
        if self.schedule != "once":
            first = self.sparsity if self.schedule == "dynamic" else 0.0
            revision = Revision(first, self.sparsity, two_of_four=self.pattern == "2:4")
        make = partial(SparseLinear, revision=revision, by_movement=self.schedule == "movement")
        for name in record["layers"]:
            replaced(model.dense, name, make)

    def keeps(self) -> str | None:
        """Share of the weights."""
        share = 0.5 if self.pattern == "2:4" else 1 - self.sparsity
        return f"{100 * share:.3g} % of single weights"

    def storage_bits(self) -> int | None:
        """fp16 is how they are stored, not what is chosen."""
        return None
