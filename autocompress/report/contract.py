"""The result contract: what `outputs/<study>/front.json` holds, as typed models and as a JSON Schema."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class MetricValue(_Frozen):
    """One metric of one task of one file; every `test*` field is null until the study has ended."""

    valid: float
    test: float | None = None
    test_ci95: tuple[float, float] | None = Field(default=None, description="bootstrap percentile interval of `test`")
    test_drop: float | None = Field(
        default=None,
        description="what the test value lost against the teacher's: positive is a loss, of log loss as of AUC",
    )
    test_drop_ci95: tuple[float, float] | None = Field(
        default=None, description="paired bootstrap interval of `test_drop`"
    )


class Latency(_Frozen):
    """Milliseconds of one `session.run`; `p99` is null where fewer than 300 runs were made."""

    p50: float
    p95: float | None = None
    p99: float | None = None


class MeasuredFile(_Frozen):
    """One ONNX file as it ships: the teacher, a landmark or a point of the front."""

    name: str
    words: str = Field(description="what was done, for people")
    artefact: str = Field(description="folder of the bundle, relative to this file's folder")
    sha256: str = Field(description="of model.onnx")
    model_bytes: int = Field(gt=0, description="model.onnx with its external data")
    bundle_bytes: int = Field(gt=0, description="every file of the bundle")
    compression_ratio: float = Field(gt=0, description="teacher's model_bytes / this model_bytes")
    quality: dict[str, dict[str, MetricValue]] = Field(description="task -> metric -> values")
    latency_ms: dict[str, Latency] = Field(description="batch size -> milliseconds on one pinned thread")
    speedup: dict[str, float] = Field(description="batch size -> teacher's p50 / this p50, interleaved in one run")
    parity: float | None = Field(default=None, description="largest |score difference| between torch and the file")


class Point(MeasuredFile):
    """A file on the front, with the plan that rebuilds it."""

    trial: int = Field(ge=0)
    plan: dict[str, Any]
    feasible: bool = Field(default=True, description="whether it keeps every constraint")
    trained_parameters: int | None = Field(
        default=None, description="numbers that recovery moved, in the stage that moved most; null where none trained"
    )
    training_seconds: float | None = Field(default=None, description="of all stages of recovery together")
    dominated_by: str | None = Field(
        default=None,
        description="a landmark that is no worse in validation quality, bytes and speed, and better in one",
    )


class DataSummary(_Frozen):
    """The data of a study; `rows` per split."""

    name: str
    digest: str
    synthetic: bool
    rows: dict[str, int]
    cleaning: tuple[str, ...] = Field(
        default=(), description="what cleaning counted, dropped and suspects, line by line; whole in cleaning.json"
    )
    bayes_auc: dict[str, float] | None = Field(
        default=None,
        description="task -> AUC of the true probabilities (simulators only): on test once the study ended",
    )


class Machine(_Frozen):
    """Where the latencies were measured."""

    cpu: str
    cores: int
    memory_gib: float
    os: str
    python: str
    onnxruntime: str
    torch: str | None = Field(description="null where it is not installed")


class TrialCounts(_Frozen):
    """Trials by how they ended; `stopped` at a gate or a rung."""

    complete: int
    stopped: int
    failed: int


class HypervolumeStep(_Frozen):
    """Hypervolume after a complete trial, `seconds` into the study."""

    trial: int
    seconds: float
    hypervolume: float


class Belief(_Frozen):
    """What a bandit believed each arm (a method family) to be worth when it chose one for a trial."""

    trial: int
    arm: str
    values: dict[str, float] = Field(description="arm -> value; an arm that had not been tried has none")


class Mattered(_Frozen):
    """What made the difference in a study, and what the teacher can least do without."""

    parameters: dict[str, dict[str, float]] = Field(
        default={}, description="parameter -> objective -> share of the importance of all (PED-ANOVA)"
    )
    fields: dict[str, dict[str, float]] = Field(
        default={}, description="field -> bits of its rows (0: gone) -> root mean square change of the teacher's logits"
    )
    layers: dict[str, dict[str, float]] = Field(default={}, description="as `fields`, of dense layers' weights")


class FrontFile(_Frozen):
    """The whole of `front.json`."""

    version: Literal[1] = 1
    study: str
    state: Literal["running", "interrupted", "ended"]
    data: DataSummary
    machine: Machine
    seed: int
    metric: str = Field(default="auc", description="the metric that the search is judged by")
    wall_seconds: float
    trials: TrialCounts
    hypervolume: float
    hypervolume_history: tuple[HypervolumeStep, ...] = ()
    test_reused: bool
    warnings: tuple[str, ...] = Field(default=(), description="plain words a reader must see before the numbers")
    constraints: dict[str, float] = Field(default={}, description="the constraints in force")
    bandit: tuple[Belief, ...] = Field(default=(), description="empty where the sampler is no bandit")
    mattered: Mattered | None = Field(default=None, description="null until the study has ended")
    teacher: MeasuredFile
    landmarks: tuple[MeasuredFile, ...]
    points: tuple[Point, ...]


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of `front.json`."""
    return FrontFile.model_json_schema()


if __name__ == "__main__":
    # python -m autocompress.report.contract > docs/front.schema.json
    print(json.dumps(json_schema(), indent=2))
