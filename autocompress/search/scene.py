"""What every trial of a study shares: the data, the teacher with its file, and how files are judged against it."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from autocompress.artefact.bundle import Bundle
from autocompress.artefact.runtime import open_session, outputs
from autocompress.compress.inherit import Heads, dimension_energies
from autocompress.compress.plan import Objective
from autocompress.compress.transform import Context
from autocompress.data.inputs import Inputs
from autocompress.data.numbering import Numbering, between, renumbered
from autocompress.data.store import Dataset
from autocompress.data.unlabelled import unlabelled_inputs
from autocompress.digest import file_digest
from autocompress.measure.catalogue import Catalogue, catalogue_of
from autocompress.measure.latency import QUICK_SECONDS, interleaved, speedup
from autocompress.measure.quality import Goal
from autocompress.measure.sample import Sample, sample_of
from autocompress.models.recommender import tensors
from autocompress.models.shape import Shape
from autocompress.search.turns import Turns
from autocompress.training.arithmetic import Arithmetic, fastest
from autocompress.training.from_scratch import Trained, train_from_scratch
from autocompress.training.taught import Taught, features_of_model, logits_of_file, logits_of_inputs, logits_of_model
from autocompress.training.teachers.from_scratch import FromScratch
from autocompress.training.teachers.teacher import Ready

QUICK_BATCH, QUICK_RUNS, GATE_RUNS = 256, 40, 20
"""Of a file that ships, and at the gate: looks of more runs hardly differ less (`experiments/search_overhead`)."""
SAMPLE_ROWS = 4_096
"""Training rows that calibrations, importances and the head's refit look at."""
RUNG_ROWS = 100_000
"""Validation rows that rungs are judged on; a finished trial is judged on all."""


@dataclass(frozen=True)
class Quick:
    """A quick look at a file: median milliseconds at batch 256, and the speed-up over the teacher's file."""

    p50: float
    speedup: float


@dataclass(frozen=True)
class Scene:
    """Built once per process; everything expensive in it is computed once, on first use."""

    dataset: Dataset
    shape: Shape
    teacher: Ready
    teacher_file: Bundle
    cache: Path
    folder: Path
    threads: int
    seed: int
    soft_rows: int
    goal: Goal
    mask_ids: float
    assistants: tuple[FromScratch, ...] = ()
    unlabelled: Path | None = None
    turns: Turns | None = None
    heads: Heads = field(default_factory=dict)
    """Of students that have been started from the teacher: the next one of the shape need not be fitted again."""

    def before_step(self) -> None:
        """Waits while another worker measures."""
        if self.turns is not None:
            self.turns.step()

    @cached_property
    def context(self) -> Context:
        """A fixed sample of the training rows."""
        total = self.dataset.rows["train"]
        rows = np.sort(np.random.default_rng(self.seed).choice(total, min(SAMPLE_ROWS, total), replace=False))
        ids, numbers = tensors(self.dataset.inputs("train")[rows])
        labels = torch.from_numpy(self.dataset.labels("train")[rows].astype(np.float32))
        return Context(self.dataset.schema, self.dataset.counts, ids, labels, numbers)

    @cached_property
    @torch.no_grad()
    def context_logits(self) -> torch.Tensor:
        """The teacher's, float32 (n, tasks), on that sample."""
        logits: torch.Tensor = self.teacher.weights.model.eval()(self.context.ids, self.context.numbers)
        return logits

    @cached_property
    def energies(self) -> list[torch.Tensor]:
        """What each dimension of the teacher's tables is worth, on the whole log."""
        return dimension_energies(self.teacher.weights.model, self.context)

    @cached_property
    def arithmetic(self) -> Arithmetic:
        """Float32, as this machine is fastest at it."""
        return fastest(self.cache).exact

    def taught(self, objective: Objective) -> Taught | None:
        """What the teacher says of the latest `soft_rows` rows of the training split, as far as `objective` asks."""
        if not objective.reads_teacher:
            return None
        if objective.taught_by:
            return self._taught_by_assistant(objective.taught_by, objective.reads_features)
        beside = self._beside if objective.distillation_weight > 0 else None
        return Taught(self._logits, self._features if objective.reads_features else None, beside)

    @cached_property
    def _beside(self) -> tuple[Inputs, NDArray[np.float32]] | None:
        """Rows without labels, with the teacher's logits, where there are any."""
        if self.unlabelled is None:
            return None
        inputs = unlabelled_inputs(self.unlabelled, self.dataset, self.cache)
        known_by = [self.dataset.digest, file_digest(self.unlabelled)]
        return inputs, logits_of_inputs(self.teacher_file.model, inputs, known_by, self.threads, self.cache)

    def _taught_by_assistant(self, place: int, with_features: bool) -> Taught:
        trained, soft = self._cascade[place - 1]
        if not with_features:
            return Taught(soft).latest(self.soft_rows)
        rows = self.dataset.rows["train"]
        features = features_of_model(trained.model, trained.digest, self.dataset, rows, self.cache)
        return Taught(soft, features).latest(self.soft_rows)

    @cached_property
    def _cascade(self) -> list[tuple[Trained, NDArray[np.float32]]]:
        """The assistants, each taught by the one before it (the first by the teacher), and what they say of all
        rows."""
        rows, found = self.dataset.rows["train"], list[tuple[Trained, NDArray[np.float32]]]()
        soft = logits_of_file(self.teacher_file.model, self.dataset, rows, self.threads, self.cache)
        for config in self.assistants:
            trained = train_from_scratch(config, self.dataset, self.seed, self.cache, None, self.goal, soft=soft)
            soft = logits_of_model(trained.model, trained.digest, self.dataset, rows, self.cache)
            found.append((trained, soft))
        return found

    @cached_property
    def _logits(self) -> NDArray[np.float32]:
        if self.teacher.soft is not None:
            return self.teacher.soft(self.soft_rows)
        return logits_of_file(self.teacher_file.model, self.dataset, self.soft_rows, self.threads, self.cache)

    @cached_property
    def _features(self) -> NDArray[np.float16]:
        weights = self.teacher.weights
        return features_of_model(weights.model, weights.digest, self.dataset, self.soft_rows, self.cache)

    @cached_property
    def numbering(self) -> Numbering:
        """Of files that read every id of the data, such as the teacher's."""
        return between(self.dataset.encoder, self.dataset.encoder)

    @cached_property
    def teacher_session(self) -> onnxruntime.InferenceSession:
        """The teacher's file on one thread."""
        return open_session(self.teacher_file.model)

    @cached_property
    def sample(self) -> Sample:
        """Validation rows that rungs are judged on."""
        return sample_of(self.dataset, "valid", RUNG_ROWS, self.goal)

    @cached_property
    def teacher_rung_values(self) -> list[float]:
        """The teacher's metric per task on `sample`."""
        return self.rung_values(self.teacher_file.model, self.numbering)

    def rung_values(self, path: Path, numbering: Numbering) -> list[float]:
        """The metric per task of a file on `sample`."""
        session = open_session(path, self.threads)
        self.before_step()
        return self.sample.values(lambda inputs: outputs(session, renumbered(inputs, numbering)))

    @cached_property
    def catalogue(self) -> Catalogue | None:
        """The validation users among all items, where the data have a catalogue."""
        return None if self.goal.catalogue is None else catalogue_of(self.dataset, "valid", self.goal.catalogue)

    def rung_quality(self, path: Path, numbering: Numbering) -> float:
        """Mean over tasks of (metric - teacher's metric) on `sample`."""
        return float(np.mean(np.subtract(self.rung_values(path, numbering), self.teacher_rung_values)))

    def quick(self, path: Path, numbering: Numbering, runs: int = QUICK_RUNS) -> Quick:
        """Latency at batch 256 on one thread, medians of so many runs interleaved with the teacher's file."""
        inputs = self.dataset.inputs("valid")[:QUICK_BATCH]
        files = {
            "teacher": (self.teacher_session, inputs),
            "file": (open_session(path), renumbered(inputs, numbering)),
        }
        with nullcontext() if self.turns is None else self.turns.measuring():
            times = interleaved(files, runs, warmup=3, seconds=QUICK_SECONDS)
        return Quick(float(np.median(times["file"])), speedup(times["teacher"], times["file"]))
