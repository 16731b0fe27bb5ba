"""One training from scratch, here or in one process per device, and the folder that it fills.

python -m autocompress.training.job JOB FOLDER      # what Lightning runs once per device
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import distributed

from autocompress.compress.plan import Recovery
from autocompress.data.store import Dataset
from autocompress.errors import UserError
from autocompress.measure.quality import Goal
from autocompress.measure.sample import sample_of
from autocompress.models.module import OwnModule
from autocompress.models.recommender import Recommender, build
from autocompress.training.arithmetic import Arithmetic
from autocompress.training.compiling import worth_compiling
from autocompress.training.fit import FRESH, fit, predict_outputs
from autocompress.training.taught import Taught
from autocompress.training.teachers.from_scratch import FromScratch
from autocompress.training.teachers.teacher import EpochSeen

VALID_ROWS = 100_000
"""Validation rows that decide when to stop: enough for an AUC to .002, few enough to cost a second."""
TENSORS, FACTS = "tensors", "training.json"
REFUSED = 2


@dataclass(frozen=True)
class Job:
    """`soft`, logits (train rows, tasks), are learnt in place of labels where they are given; `module` is a user's own
    dense part."""

    config: FromScratch
    dataset: Dataset
    seed: int
    goal: Goal
    arithmetic: Arithmetic
    soft: NDArray[np.float32] | None = None
    module: OwnModule | None = None

    def untrained(self) -> Recommender:
        """Freshly initialised from `seed`."""
        torch.manual_seed(self.seed)
        make = None if self.module is None else self.module.make
        return build(self.config.shape, self.dataset.schema, self.dataset.encoder.rows, make)


def run(job: Job, folder: Path, seen: EpochSeen | None) -> None:
    """Leaves `TENSORS`, of the epoch with the best metric of the goal on validation rows, and `FACTS` in `folder`.

    `seen` is called after each epoch. `UserError` where the data lack groups for the goal or the objective.
    """
    if job.config.training.devices == 1:
        _train(job, folder, seen)
    else:
        _train_on_devices(job, folder, seen)


def _train(job: Job, folder: Path, seen: EpochSeen | None) -> None:
    training, dataset, model = job.config.training, job.dataset, job.untrained()
    sample = sample_of(dataset, "valid", VALID_ROWS, job.goal)
    history: list[dict[str, float]] = []

    def values() -> list[float]:
        return [epoch["valid_quality"] for epoch in history]

    def epoch_ended(epoch: int, loss: float) -> None:
        value = float(np.mean(sample.values(lambda inputs: predict_outputs(model, inputs))))
        if value >= max(values(), default=-1.0):
            save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, folder / TENSORS)
        history.append({"epoch": float(epoch), "loss": loss, "valid_quality": value})
        facts = {"history": history, "seconds": time.perf_counter() - started, "compiled": compiled}
        (folder / FACTS).write_text(json.dumps(facts))
        if seen is not None:
            seen(epoch, training.epochs, loss, value)

    def out_of_patience() -> bool:
        return len(history) - 1 - int(np.argmax(values())) >= training.patience

    def slowed() -> float:
        so_far = values()
        worse = sum(value < max(so_far[:place]) for place, value in enumerate(so_far) if place)
        return float(training.plateau**worse)

    recovery = Recovery(**training.model_dump(exclude={"patience", "plateau", "devices"}))
    if job.soft is not None:
        objective = recovery.objective.model_copy(update={"distillation_weight": 1.0})
        recovery = recovery.model_copy(update={"objective": objective})
    compiled = worth_compiling(training.epochs * dataset.rows["train"])
    started = time.perf_counter()
    fit(
        model,
        dataset,
        recovery,
        taught=None if job.soft is None else Taught(job.soft),
        seed=job.seed,
        accumulator=FRESH,
        arithmetic=job.arithmetic,
        compiled=compiled,
        on_epoch_end=epoch_ended,
        should_stop=out_of_patience,
        slowed=slowed,
        devices=training.devices,
    )


def _train_on_devices(job: Job, folder: Path, seen: EpochSeen | None) -> None:
    """Lightning starts a process for every device but the first by running its command again: that is this file."""
    with tempfile.TemporaryDirectory() as place:
        told = Path(place) / "job"
        told.write_bytes(pickle.dumps(job))
        command = [sys.executable, "-m", "autocompress.training.job", str(told), str(folder)]
        with (
            (Path(place) / "errors").open("w+") as errors_file,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors_file, text=True) as process,
        ):
            assert process.stdout is not None
            for epoch, epochs, loss, value in _epochs(process.stdout):
                if seen is not None:
                    seen(epoch, epochs, loss, value)
        errors = (Path(place) / "errors").read_text().strip().splitlines()
    if process.returncode == REFUSED:
        raise UserError(errors[-1])
    if process.returncode:
        raise RuntimeError("\n".join(["a training on several devices failed:", *errors[-20:]]))


def _epochs(lines: Iterable[str]) -> Iterator[tuple[int, int, float, float]]:
    for line in lines:
        if line.startswith("["):
            epoch, epochs, loss, value = json.loads(line)
            yield epoch, epochs, loss, value


def main(told: Path, folder: Path) -> int:
    """A process of `_train_on_devices`: epochs go to standard output, a `UserError` to standard error."""
    job = pickle.loads(told.read_bytes())
    try:
        _train(job, folder, lambda *epoch: print(json.dumps(epoch), flush=True))
    except UserError as error:
        print(error, file=sys.stderr)
        return REFUSED
    finally:
        if distributed.is_initialized():
            # left to the interpreter's end, its threads may outlive what they need, and the process aborts
            distributed.destroy_process_group()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
