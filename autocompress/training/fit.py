"""One call of Lightning's Trainer: a model, a recovery, the rows; no logger, bar or checkpoint of its own."""

from __future__ import annotations

import logging
import signal
import warnings
from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import Callback, LightningModule, Trainer
from torch.nn.parallel import DistributedDataParallel

from autocompress.compress.plan import Recovery
from autocompress.data.batches import Batches
from autocompress.data.inputs import Inputs
from autocompress.data.store import Dataset
from autocompress.errors import UserError
from autocompress.models.recommender import Recommender, tensors
from autocompress.models.vectors import has_vectors, with_vectors
from autocompress.training.arithmetic import PLAIN, Arithmetic
from autocompress.training.in_batch import item_log_q
from autocompress.training.lightning_module import RecommenderTraining
from autocompress.training.taught import Taught
from autocompress.training.trained_parts import trained_parts

FRESH, WARM = 1e-8, 1e-7
"""Adagrad's first accumulator: a fresh table should move at once, an inherited one gently.

A row's gradient is about 1/batch of its loss gradient, so its square is near 1e-8; a warm start behaves as if each row
had been seen ten times.
"""

EpochEnd = Callable[[int, float], None]


def fit(
    model: Recommender,
    dataset: Dataset,
    recovery: Recovery,
    *,
    taught: Taught | None,
    seed: int,
    accumulator: float,
    arithmetic: Arithmetic = PLAIN,
    compiled: bool = False,
    on_epoch_end: EpochEnd | None = None,
    should_stop: Callable[[], bool] | None = None,
    slowed: Callable[[], float] | None = None,
    before_step: Callable[[], None] | None = None,
    devices: int = 1,
) -> int:
    """Trains `model` in place, as much of it as `recovery.trains` says; returns how many numbers that are.

    `taught` is what a teacher says of the latest training rows, at least as many as are trained on; `arithmetic` is
    what products are made in. `compiled` lets torch compile the dense part, which takes half a minute and needs a C++
    compiler. `on_epoch_end(epoch, loss)` is called with the model in eval mode; a true `should_stop()` then ends the
    training, and `slowed()` is what the learning rates are multiplied by from then on. With several `devices` this
    process is one of as many, which Lightning has started (`job`), and the first of them makes the calls.
    `before_step()` is called before every step.
    KeyboardInterrupt passes through. `UserError` where the objective asks for groups, or vectors, that are not there.
    """
    torch.manual_seed(seed)
    _quiet()
    trainer = Trainer(
        max_epochs=recovery.epochs,
        accelerator="auto",
        devices=devices,
        strategy="auto" if devices == 1 else "ddp",
        precision=arithmetic.precision,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        callbacks=[_EpochEnd(model, on_epoch_end, should_stop, slowed), _BeforeStep(before_step)],
    )
    groups = dataset.groups("train") if recovery.objective.listwise_weight else None
    if recovery.objective.listwise_weight and groups is None:
        raise UserError("listwise_weight: the data have no groups; name their column with data.group")
    features = None if taught is None or not recovery.objective.reads_features else taught.features
    batches = Batches(
        dataset.inputs("train"),
        dataset.labels("train"),
        None if taught is None else taught.logits,
        features=features,
        beside=None if taught is None else taught.beside,
        weights=dataset.weights("train"),
        groups=groups,
        batch_size=recovery.batch_size,
        share=recovery.data_share,
        mask=recovery.mask_ids,
        seed=seed,
        curriculum=recovery.objective.curriculum,
        part=trainer.global_rank,
        parts=trainer.world_size,
    )
    steps = recovery.epochs * len(batches)
    log_q = item_log_q(model, dataset) if recovery.objective.in_batch_weight else None
    with trained_parts(model, recovery.trains) as trained:
        module = RecommenderTraining(
            model,
            recovery,
            dataset.schema.task_names,
            steps,
            accumulator,
            compiled=compiled,
            onednn=arithmetic.onednn and arithmetic.precision == "32-true" and not compiled,
            log_q=log_q,
            teacher_features=0 if features is None else features.shape[1],
        )
        # the optimizer of the tables exchanges their rows itself: no part of the reducer takes sparse gradients
        names = [name for name, _ in model.bank.named_parameters() if name.startswith(("tables.", "apart."))]
        DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(  # type: ignore[no-untyped-call]
            module, [f"model.bank.{name}" for name in names]
        )
        model.train()
        with warnings.catch_warnings():
            # lightning asks torch's pytree in a way that torch deprecated; nothing of ours is involved
            warnings.filterwarnings("ignore", message=r".*isinstance\(treespec, LeafSpec\).*")
            _fit(trainer, module, batches)
        model.cpu()
    model.eval()
    return trained


def _fit(trainer: Trainer, module: LightningModule, batches: Batches) -> None:
    """Lightning answers Ctrl-C with `sys.exit(1)` and no SIGINT from then on: here it stays a KeyboardInterrupt."""
    before = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(module, batches)
    except SystemExit as error:
        if not trainer.interrupted:
            raise
        signal.signal(signal.SIGINT, before)
        raise KeyboardInterrupt from error


class _BeforeStep(Callback):
    def __init__(self, call: Callable[[], None] | None) -> None:
        self.call = call

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int) -> None:
        if self.call is not None:
            self.call()


class _EpochEnd(Callback):
    def __init__(
        self,
        model: Recommender,
        on_epoch_end: EpochEnd | None,
        should_stop: Callable[[], bool] | None,
        slowed: Callable[[], float] | None,
    ) -> None:
        self.model, self.call, self.should_stop, self.slowed = model, on_epoch_end, should_stop, slowed

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, RecommenderTraining)
        stops, slowed = False, 1.0
        if trainer.is_global_zero:
            if self.call is not None:
                self.model.eval()
                value = float("nan") if pl_module.last_loss is None else float(pl_module.last_loss)
                self.call(trainer.current_epoch, value)
                self.model.train()
            stops = self.should_stop is not None and self.should_stop()
            slowed = 1.0 if self.slowed is None else self.slowed()
        stops, pl_module.slowed = trainer.strategy.broadcast((stops, slowed))
        trainer.should_stop = trainer.should_stop or stops


@torch.no_grad()
def predict_logits(model: Recommender, inputs: Inputs, batch_size: int = 8192) -> NDArray[np.float32]:
    """Logits (rows, tasks) of a model in eval mode, float32."""
    model.eval()
    parts = [
        model(*_near(model, inputs[start : start + batch_size])).cpu() for start in range(0, len(inputs), batch_size)
    ]
    return torch.cat(parts).numpy().astype(np.float32)


def _near(model: Recommender, inputs: Inputs) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The inputs as tensors on the device of the model: after an epoch it is still where it is trained."""
    device = next(model.parameters()).device
    ids, numbers = tensors(inputs)
    return ids.to(device), None if numbers is None else numbers.to(device)


@torch.no_grad()
def predict_outputs(model: Recommender, inputs: Inputs, batch_size: int = 8192) -> dict[str, NDArray[np.float32]]:
    """`scores` (logits, in fact), and the vectors of users and items where the model has them, as the file would."""
    if not has_vectors(model.dense):
        return {"scores": predict_logits(model, inputs, batch_size)}
    model.eval()
    parts = [
        with_vectors(model.dense, model.bank(*_near(model, inputs[start : start + batch_size])))
        for start in range(0, len(inputs), batch_size)
    ]
    names = ("scores", "user_vector", "item_vector")
    return {
        name: torch.cat([part[index] for part in parts]).cpu().numpy().astype(np.float32)
        for index, name in enumerate(names)
    }


@cache
def _quiet() -> None:
    for name in ("pytorch_lightning", "lightning", "lightning.pytorch", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
