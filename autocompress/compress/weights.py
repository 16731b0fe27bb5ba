"""Single weights of dense layers removed: the smallest, or those that matter least to the loss.

The file shrinks and the arithmetic stays: ONNX Runtime has no sparse product for a CPU. Magnitude: Han et al., NeurIPS
2015; gradient x weight: Molchanov et al., CVPR 2019; movement: Sanh et al., NeurIPS 2020; two of every four: Mishra et
al., arXiv:2104.08378; gradually: Zhu and Gupta, arXiv:1710.01878; what is gone may return: Guo et al., NeurIPS 2016.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Literal, Self

import torch
from pydantic import Field as Limits
from pydantic import model_validator
from torch import nn

from autocompress.compress.linear_layers import inputs_of_layers, loss_gradients, replaced
from autocompress.compress.transform import Context, Record
from autocompress.models.mask_revision import Revision
from autocompress.models.recommender import Recommender
from autocompress.models.sparse_linear import SparseLinear
from autocompress.schema import Frozen

GROUP, GROUP_KEPT = 4, 2


class Weights(Frozen):
    """Every linear layer but those whose outputs are logits loses the share `sparsity` of its weights.

    `importance` of a weight: `magnitude`; `gradient`, |gradient x weight| on a sample; or `movement`, by magnitude at
    first, and by where training moves it from then on. `pattern`: `free`, compared inside a layer or, with `scope`
    `global`, over all layers by their share of the layer's mean; `2:4`, the two most important of every four inputs of
    an output stay, whatever `sparsity` says, which must be 0.5.

    `schedule`: `once`, they are gone for good; `gradual`, in training all are there again and go along a cubic;
    `dynamic`, in training as many are gone all the time, but those that grow behind their mask return. The last two
    compare inside a layer, as `movement` does, which needs one of them.
    """

    kind: Literal["weights"] = "weights"
    follows: ClassVar[frozenset[str]] = frozenset(
        {"rows", "hashing", "fields", "dimensions", "channels", "low_rank", "quantize_tables", "mixed_table_bits"}
    )
    sparsity: float = Limits(gt=0.0, lt=1.0)
    importance: Literal["magnitude", "gradient", "movement"] = "magnitude"
    scope: Literal["layer", "global"] = "layer"
    pattern: Literal["free", "2:4"] = "free"
    schedule: Literal["once", "gradual", "dynamic"] = "once"

    @model_validator(mode="after")
    def _knobs_fit_together(self) -> Self:
        if self.pattern == "2:4" and self.sparsity != 0.5:
            raise ValueError(f"sparsity {self.sparsity} does not fit pattern=2:4, which removes 0.5")
        if self.schedule != "once" and (self.pattern != "free" or self.importance == "gradient"):
            raise ValueError(f"schedule {self.schedule} needs pattern=free and importance=magnitude or movement")
        if self.schedule == "once" and self.importance == "movement":
            raise ValueError("importance movement needs schedule=gradual or dynamic: weights move in training")
        return self

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
        relative = {name: score / score.mean().clamp_min(1e-12) for name, score in scores.items()}
        everything = torch.cat([score.flatten() for score in relative.values()]) if relative else torch.empty(0)
        masks = {}
        for name, score in relative.items():
            compared = everything if self.scope == "global" else score.flatten()
            threshold = compared.kthvalue(max(1, round(self.sparsity * len(compared)))).values
            masks[name] = (score > threshold).float()
        return masks

    def restore(self, model: Recommender, record: Record) -> None:
        """Replaces the recorded layers; their masks are loaded with the tensors."""
        revision = None
        if self.schedule != "once":
            revision = Revision(0.0 if self.schedule == "gradual" else self.sparsity, self.sparsity)
        make = partial(SparseLinear, revision=revision, by_movement=self.importance == "movement")
        for name in record["layers"]:
            replaced(model.dense, name, make)

    def keeps(self) -> str | None:
        """Share of the weights."""
        return f"{100 * (1 - self.sparsity):.3g} % of single weights"

    def storage_bits(self) -> int | None:
        """fp16 is how they are stored, not what is chosen."""
        return None


def two_of_four(scores: torch.Tensor) -> torch.Tensor:
    """Mask (out, in) of the two highest of every four neighbours in a row; what is over at its end stays."""
    whole = scores.shape[1] // GROUP * GROUP
    groups = scores[:, :whole].reshape(len(scores), -1, GROUP)
    mask = torch.ones_like(scores)
    best = groups.topk(GROUP_KEPT, dim=2).indices
    mask[:, :whole] = torch.zeros_like(groups).scatter(2, best, 1.0).reshape(len(scores), whole)
    return mask
