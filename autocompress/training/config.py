"""How a model is trained from scratch, as configuration: reading it must not import Lightning."""

from __future__ import annotations

from pydantic import Field as Limits

from autocompress.compress.plan import Objective
from autocompress.schema import Frozen


class Training(Frozen):
    """How a model is trained from scratch: up to `epochs` passes, the best epoch on validation kept."""

    epochs: int = Limits(2, ge=1)
    patience: int = Limits(1, ge=1, description="epochs without a better validation metric before it stops")
    learning_rate: float = Limits(1e-3, gt=0.0)
    embedding_learning_rate: float = Limits(0.06, gt=0.0)
    embedding_l2: float = Limits(0.0, ge=0.0)
    batch_size: int = Limits(2048, ge=1)
    mask_ids: float = Limits(0.0, ge=0.0, lt=1.0, description="probability with which an id counts as never seen")
    warm_up: float = Limits(0.0, ge=0.0, lt=1.0, description="share of the steps over which the learning rates rise")
    plateau: float = Limits(
        1.0, gt=0.0, le=1.0, description="what the learning rates are multiplied by after an epoch without a better one"
    )
    devices: int = Limits(
        1, ge=1, description="GPUs, or processes of a CPU, that share each batch through Lightning's `ddp`"
    )
    objective: Objective = Limits(Objective(), description="only its `task_weights` count: there is no teacher yet")
