"""Everything that one search is told, validated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, model_validator
from pydantic import Field as Limits

from autocompress.data.cleaning import Cleaning
from autocompress.data.source import Source
from autocompress.measure.quality import Goal, Metric
from autocompress.models.shape import changed
from autocompress.schema import Frozen
from autocompress.search.settings import Constraints, Execution, StudySettings
from autocompress.search.space import KEPT, Spaces, check_spaces, ends_of, student_knobs
from autocompress.tracking.config import TrackingConfig
from autocompress.training.teachers.from_scratch import FromScratch
from autocompress.training.teachers.teacher import AnyTeacher


class SearchConfig(Frozen):
    """`search` names the scenario; `output` holds a folder per study, `cache` prepared data and trained models."""

    search: str
    metric: Metric = Limits("auc", description="what students are to keep of the teacher, mean over tasks")
    catalogue: str | None = Limits(None, description="field whose ids are the items, for metrics over all of them")
    data: Source
    cleaning: Cleaning = Cleaning()
    teacher: AnyTeacher
    assistants: tuple[dict[str, Any], ...] = Limits(
        (), description="smaller and smaller models between teacher and students: what differs from the teacher's shape"
    )
    landmarks: dict[str, FromScratch]
    unlabelled: Path | None = Limits(
        None, description="data.unlabelled: rows without labels (Parquet), which the teacher alone teaches"
    )
    methods: Path | None = Limits(None, description="folder of compression methods of your own, one file each")
    search_spaces: Annotated[Spaces, AfterValidator(check_spaces)] = Limits(default_factory=dict)
    study: StudySettings
    constraints: Constraints
    execution: Execution
    tracking: TrackingConfig
    output: Path = Path("outputs")
    cache: Path = Path("~/.cache/autocompress")

    @property
    def goal(self) -> Goal:
        """What is to be kept of the teacher."""
        return Goal(self.metric, self.catalogue)

    @model_validator(mode="before")
    @classmethod
    def _unlabelled_of_every_source(cls, given: Any) -> Any:
        """`data.unlabelled` is a key of every source, and no source's own."""
        if not isinstance(given, Mapping) or not isinstance(given.get("data"), Mapping):
            return given
        data = dict(given["data"])
        return {"unlabelled": data.pop("unlabelled", None), **given, "data": data}

    @model_validator(mode="after")
    def _space_is_legal(self) -> SearchConfig:
        rungs = list(self.study.rungs)
        numbers = [rung for rung in rungs if rung != "all"]
        if numbers != sorted(set(numbers)) or "all" in rungs[:-1]:
            raise ValueError(f"study.rungs {rungs} must grow from one to the next, and all be the last")
        teacher = self.teacher.shape
        for place, changes in enumerate(self.assistants):
            try:
                larger = changed(teacher, changes).larger_than(teacher)
            except ValueError as error:
                raise ValueError(f"assistants.{place}: {str(error).splitlines()[0]}") from error
            if larger:
                raise ValueError(f"assistants.{place}: {larger} is larger than the teacher's")
        asked = self.search_spaces.get("distillation", {}).get("taught_by", 0)
        if (highest := max(ends_of(asked))) > len(self.assistants):
            raise ValueError(
                f"search_spaces.distillation.taught_by={highest}: there are {len(self.assistants)} assistants"
            )
        for knob, values in student_knobs(self.search_spaces, teacher).items():
            for value in (each for each in ends_of(values) if each != KEPT):
                if changed(teacher, {knob: value}).larger_than(teacher) == knob:
                    had = getattr(teacher, knob)
                    raise ValueError(
                        f"search_spaces.student.{knob}={value}: larger than the teacher's {had}, whose weights it is "
                        "to inherit"
                    )
        return self
