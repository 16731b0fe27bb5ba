"""A plan: one student as data. Frozen, JSON all the way, and enough to rebuild the same file."""

from __future__ import annotations

from typing import Annotated, Literal, cast

from pydantic import Field as Limits
from pydantic import PlainSerializer, PlainValidator, model_validator

from autocompress import family
from autocompress.compress.calibration import Way
from autocompress.compress.transform import Transform
from autocompress.digest import json_digest
from autocompress.models.shape import AnyShape, Shape, by_words, dim_words
from autocompress.schema import Frozen

PACKAGE = "autocompress.compress"

AnyTransform = Annotated[
    Transform,
    PlainValidator(lambda value: cast(Transform, family.parse(PACKAGE, value))),
    PlainSerializer(lambda transform: transform.model_dump(mode="json")),
]


Temperature = Annotated[float, Limits(gt=0.0, le=20.0)]


class Objective(Frozen):
    """What training minimises: (1 - w) loss(labels) + w T^2 loss(teacher at temperature T), w = `distillation_weight`.

    Hinton et al., arXiv:1503.02531, with one sigmoid per task, each at its own temperature where `temperature` names
    them. The tasks' losses are added up, each times its entry of `task_weights` (1 where it has none), or
    `uncertainty`: weights that are learnt (Kendall et al., CVPR 2018).

    `in_batch_weight` times the softmax of each positive pair over the items of the batch's other pairs, corrected for
    their popularity, is added for a model with vectors of users and items; `listwise_weight` times the softmax over the
    rows of a group (of `data.group`) for its labels of 1 is added where lists are to be ranked. Both are distilled in
    the same proportion, from the teacher's own softmax.

    Of features, what a head reads, `feature_weight` times the distance of the student's, projected, from the teacher's
    is added, `relational_weight` times the difference of distances between rows, and `contrastive_weight` times the
    loss of telling each row's own teacher features from those of others (`training/distillation.py`).

    `curriculum` lets the rows wait of which the teacher is less sure, up to that share of an epoch (`data/batches.py`).
    """

    distillation_weight: float = Limits(0.0, ge=0.0, le=1.0)
    temperature: Temperature | dict[str, Temperature] = 1.0
    taught_by: int = Limits(0, ge=0, description="0 is the teacher, i the i-th of its assistants")
    feature_weight: float = Limits(0.0, ge=0.0)
    relational_weight: float = Limits(0.0, ge=0.0)
    contrastive_weight: float = Limits(0.0, ge=0.0)
    curriculum: float = Limits(0.0, ge=0.0, le=1.0)
    in_batch_weight: float = Limits(0.0, ge=0.0)
    listwise_weight: float = Limits(0.0, ge=0.0)
    task_weights: dict[str, Annotated[float, Limits(ge=0.0)]] | Literal["uncertainty"] = Limits(default_factory=dict)

    @property
    def reads_teacher(self) -> bool:
        """Whether a teacher is needed at all."""
        return self.distillation_weight > 0 or self.curriculum > 0 or self.reads_features

    @property
    def reads_features(self) -> bool:
        """Whether the teacher's features are needed."""
        softmax = self.distillation_weight > 0 and self.in_batch_weight > 0
        return softmax or max(self.feature_weight, self.relational_weight, self.contrastive_weight) > 0


Part = Literal["everything", "tables", "dense", "head", "biases", "norms", "steps", "codebooks", "adapters"]


class Recovery(Frozen):
    """Training after a transform: `epochs` passes over the latest `data_share` of the training rows.

    `mask_ids` is the probability with which an id counts as never seen before; over the first `warm_up` of the steps,
    a share, the learning rates rise. `trains` names the parts that move (`training/trained_parts.py`): biases, norms,
    steps of quantization, codebooks or low-rank adapters cost a fraction of everything.
    """

    data_share: float = Limits(1.0, gt=0.0, le=1.0)
    epochs: int = Limits(1, ge=1)
    learning_rate: float = Limits(1e-3, gt=0.0)
    embedding_learning_rate: float = Limits(0.02, gt=0.0)
    embedding_l2: float = Limits(0.0, ge=0.0)
    mask_ids: float = Limits(0.0, ge=0.0, lt=1.0)
    warm_up: float = Limits(0.0, ge=0.0, lt=1.0)
    trains: tuple[Part, ...] = Limits(("everything",), min_length=1)
    batch_size: int = Limits(2048, ge=1)
    objective: Objective = Objective()


class Stage(Frozen):
    """Transforms in the order they are applied, and how to recover from them.

    `student` is the shape that is trained in this stage, where it is not yet the plan's: one that is to grow
    (`compress/grow.py`) or to shrink (`compress/inherit.py`) until the next stage.
    """

    student: AnyShape | None = None
    transforms: tuple[AnyTransform, ...] = ()
    recovery: Recovery = Recovery()


class Plan(Frozen):
    """`student` is the shape that inherits the teacher's weights; then each stage transforms and trains it.

    With a `calibration` the finished student's logits are calibrated on validation rows, task by task
    (`compress/calibration.py`), and the file holds it.

    `ValueError` where a transform stands before one that must precede it (`Transform.follows`), or before the student
    has its shape.
    """

    student: AnyShape
    stages: tuple[Stage, ...]
    calibration: Way = "none"

    @model_validator(mode="after")
    def _order_is_legal(self) -> Plan:
        before: list[str] = []
        for transform in (t for stage in self.stages for t in stage.transforms):
            for earlier in before:
                if earlier not in transform.follows:
                    raise ValueError(
                        f"{transform.kind} may not follow {earlier}: "
                        f"it may follow {', '.join(sorted(transform.follows)) or 'nothing'}"
                    )
            before.append(transform.kind)
        return self

    @model_validator(mode="after")
    def _shape_comes_first(self) -> Plan:
        for place, stage in enumerate(self.stages):
            if stage.student is not None and (
                place == len(self.stages) - 1 or any(earlier.transforms for earlier in self.stages[: place + 1])
            ):
                raise ValueError("a stage with a student of its own stands before the last and before all transforms")
        return self

    @property
    def in_steps(self) -> bool:
        """Whether later stages transform or reshape what earlier ones have trained."""
        return any(stage.transforms for stage in self.stages[1:]) or any(stage.student for stage in self.stages)

    def shape_in(self, stage: int) -> Shape:
        """Of what is trained in a stage."""
        return self.stages[stage].student or self.student

    @property
    def digest(self) -> str:
        """Hex sha256 of the canonical JSON."""
        return json_digest(self.model_dump(mode="json"))

    def transforms(self) -> tuple[Transform, ...]:
        """All transforms, in order."""
        return tuple(transform for stage in self.stages for transform in stage.transforms)

    def words(self, teacher: Shape) -> str:
        """What is done, for people: "keeps 50 % of rows, 40 % of channels, 4/8 bit"."""
        mine, theirs = self.student.model_dump(mode="json"), teacher.model_dump(mode="json")
        said = [_respect(self.student, key, mine[key]) for key in mine if mine[key] != theirs.get(key)]
        keeps = [kept for transform in self.transforms() if (kept := transform.keeps())]
        if keeps:
            said.append("keeps " + ", ".join(keeps))
        # of bits that fall from stage to stage, the last are what is stored
        bits = {each.kind: str(stored) for each in self.transforms() if (stored := each.storage_bits())}
        if bits:
            said.append("/".join(bits.values()) + " bit")
        return ", ".join(said) or "the teacher as it is"


def _respect(student: Shape, key: str, value: object) -> str:
    """One respect in which a student differs from its teacher."""
    match key:
        case "embedding_dim":
            return dim_words(student.embedding_dim)
        case "tower":
            return "tower " + (by_words(student.tower) if student.tower else "none")
        case "cross_rank":
            return f"rank {value}"
        case _ if isinstance(value, list):
            return f"{key.replace('_', ' ')} {by_words(tuple(value))}"
        case _:
            return f"{value} {(key.removesuffix('s') if value == 1 else key).replace('_', ' ')}"
