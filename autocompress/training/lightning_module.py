"""The Lightning module that trains every recommender, teacher or student."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import nn

from autocompress.compress.plan import Recovery
from autocompress.data.batches import Batch
from autocompress.models.mask_revision import revised
from autocompress.models.recommender import Recommender
from autocompress.models.vectors import has_vectors
from autocompress.training.distillation import contrastive, hint, relational
from autocompress.training.features import width_of, with_features
from autocompress.training.in_batch import in_batch_loss
from autocompress.training.learning_rate import rate_factor
from autocompress.training.listwise import listwise_loss
from autocompress.training.objective import task_losses, temperatures
from autocompress.training.onednn import OneDNNLinears
from autocompress.training.sparse_adagrad import SparseAdagrad
from autocompress.training.task_weights import Uncertainty, fixed

REVISIONS = 50
"""How often masks that change in training are revised."""

# torch warns once per process unless the choice is made; checking every sparse gradient costs time
torch._C._set_check_sparse_tensor_invariants(False)


class RecommenderTraining(LightningModule):
    """Adagrad on the sparse rows of the tables, fused Adam on the dense part, `steps` steps in all.

    Manual optimisation, because two optimizers step on one loss. L2 falls on the rows of the batch only
    (`embedding_l2` x mean over rows of the squared norm), so that rare ids are not pulled to zero by batches without
    them.
    """

    def __init__(
        self,
        model: Recommender,
        recovery: Recovery,
        tasks: Sequence[str],
        steps: int,
        accumulator: float,
        *,
        compiled: bool = False,
        onednn: bool = False,
        log_q: torch.Tensor | None = None,
        teacher_features: int = 0,
    ) -> None:
        """`tasks` are the names of the model's outputs; with `onednn` float32 products go through oneDNN; `log_q` (item
        ids,) is there where in-batch negatives count; `teacher_features` is how many of a row there are.

        `UserError` where the objective weighs a task that is none.
        """
        super().__init__()
        objective = recovery.objective
        self.register_buffer("temperature", temperatures(objective.temperature, tasks))
        self.projection: nn.Linear | None = None
        if teacher_features and (objective.feature_weight or objective.contrastive_weight):
            self.projection = nn.Linear(width_of(model.dense, model.bank.layout.width), teacher_features)
        self.register_buffer("log_q", log_q)
        weights = recovery.objective.task_weights
        self.uncertainty = Uncertainty(len(tasks)) if weights == "uncertainty" else None
        self.register_buffer("task_weights", fixed({} if isinstance(weights, str) else weights, tasks))
        self.model, self.recovery, self.steps, self.accumulator = model, recovery, steps, accumulator
        self.automatic_optimization = False
        # the lookup stays outside: torch cannot compile sparse gradients
        self.dense = torch.compile(model.dense) if compiled else model.dense
        self.matmul = OneDNNLinears if onednn else nullcontext
        self.last_loss: torch.Tensor | None = None
        self.slowed = 1.0
        """What a plateau has multiplied both learning rates by."""

    def configure_optimizers(self) -> Any:
        """Adagrad with element-wise state for the tables, Adam for everything else."""
        rate = self.recovery.embedding_learning_rate
        bank = self.model.bank
        tables = SparseAdagrad([*bank.tables.parameters(), *bank.apart.parameters()], rate, self.accumulator)
        learnt = [] if self.uncertainty is None else list(self.uncertainty.parameters())
        learnt += [*bank.maps.parameters(), *bank.steps.parameters()]
        learnt += [] if bank.constants is None else [bank.constants]
        learnt += [] if self.projection is None else list(self.projection.parameters())
        parameters = [*self.model.dense.parameters(), *learnt]
        dense = torch.optim.Adam(parameters, lr=self.recovery.learning_rate, fused=True)
        return [tables, dense]

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """One step of both optimizers."""
        step = self.global_step // 2  # Lightning counts the steps of both optimizers
        if step % max(1, self.steps // REVISIONS) == 0:
            self._revise(step / self.steps)
        factor = self.slowed * rate_factor(step, self.steps, self.recovery.warm_up)
        rates = (self.recovery.embedding_learning_rate, self.recovery.learning_rate)
        optimizers = self.optimizers()
        assert isinstance(optimizers, list)
        for optimizer, rate in zip(optimizers, rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * factor
            optimizer.zero_grad()
        rows = len(batch.ids) * self.trainer.world_size  # the tables' optimizer sees the lookups of all processes
        optimizers[0].param_groups[0]["decay"] = 2 * self.recovery.embedding_l2 / rows
        with self.matmul():
            value = self._loss(batch)
        self.last_loss = value.detach()
        self.manual_backward(value)
        for optimizer in optimizers:
            optimizer.step()

    def on_train_end(self) -> None:
        """Masks come to rest."""
        self._revise(1.0)

    def _revise(self, progress: float) -> None:
        for module in revised(self.model.dense):
            module.revise(progress)

    def _loss(self, batch: Batch) -> torch.Tensor:
        objective, dense = self.recovery.objective, self.model.dense
        share = objective.distillation_weight
        embedded = self.model.bank(batch.ids, batch.numbers)
        temperature = self.get_buffer("temperature")
        if objective.in_batch_weight or batch.features is not None:
            logits, features = with_features(dense, embedded)
        else:
            logits, features = self.dense(embedded), embedded
        logits, several = logits.float(), len(batch.labels)
        losses = task_losses(logits, batch.labels, batch.soft, share, temperature, batch.weights)
        value: torch.Tensor
        value = losses @ self.get_buffer("task_weights") if self.uncertainty is None else self.uncertainty(losses)
        if objective.in_batch_weight:
            assert has_vectors(dense)
            user, item = features[:several].chunk(2, dim=1)
            items, log_q = batch.ids[:several, dense.item_fields[0]], self.get_buffer("log_q")
            first = float(temperature[0])
            beside = in_batch_loss(user, item, items, batch.labels, log_q, batch.features, share, first)
            value = value + objective.in_batch_weight * beside
        if objective.listwise_weight:
            assert batch.groups is not None
            first = float(temperature[0])
            soft = None if batch.soft is None else batch.soft[:several]
            listwise = listwise_loss(logits[:several], batch.labels, batch.groups, soft, share, first)
            value = value + objective.listwise_weight * listwise
        if batch.features is None:
            return value
        return value + self._feature_losses(features[:several].float(), batch.features)

    def _feature_losses(self, mine: torch.Tensor, theirs: torch.Tensor) -> torch.Tensor:
        objective, value = self.recovery.objective, mine.new_zeros(())
        if self.projection is not None:
            projected = self.projection(mine)
            if objective.feature_weight:
                value = value + objective.feature_weight * hint(projected, theirs)
            if objective.contrastive_weight:
                value = value + objective.contrastive_weight * contrastive(projected, theirs)
        if objective.relational_weight:
            value = value + objective.relational_weight * relational(mine, theirs)
        return value
