"""Plans and metrics in the form that MLflow stores: flat names, short texts, small batches."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

# MLflow's own limits for one batch and one value.
_PARAMS, _METRICS = 100, 1000
_NAME, _VALUE, _RUN_NAME = 250, 6000, 120
TAG_LENGTH = 5000

T = TypeVar("T")


def flat(values: Mapping[str, Any], above: str = "") -> dict[str, str]:
    """Nested dicts and lists as `stages.0.transform.kind`: text pairs, in order. None is written `none`."""
    result: dict[str, str] = {}
    for key, value in values.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping):
            result |= flat(value, f"{name}.")
        elif isinstance(value, Sequence) and not isinstance(value, str) and _has_parts(value):
            result |= flat({str(place): item for place, item in enumerate(value)}, f"{name}.")
        else:
            result[safe_name(name)] = "none" if value is None else str(value)[:_VALUE]
    return result


def safe_name(name: str) -> str:
    """The name with what MLflow refuses replaced by `_`, and no path that leads elsewhere."""
    parts = [part for part in re.sub(r"[^/\w.\- :]", "_", name).split("/") if part.strip(".")]
    return "/".join(parts)[:_NAME] or "_"


def run_name(text: str) -> str:
    """Short enough for a list of runs; the whole text goes to the run's description."""
    return text if len(text) <= _RUN_NAME else f"{text[: _RUN_NAME - 3]}..."


def log_params(client: MlflowClient, run_id: str, params: Mapping[str, Any]) -> None:
    """Logs any number of parameters; `params` may be nested."""
    from mlflow.entities import Param

    for batch in _batches([Param(name, value) for name, value in flat(params).items()], _PARAMS):
        client.log_batch(run_id, params=batch, synchronous=True)


def log_metrics(client: MlflowClient, run_id: str, metrics: Sequence[Metric]) -> None:
    """Logs any number of metrics."""
    for batch in _batches(metrics, _METRICS):
        client.log_batch(run_id, metrics=batch, synchronous=True)


def as_metrics(values: Mapping[str, float | None], step: int, milliseconds: int) -> list[Metric]:
    """One metric a value, at `step`; a value of None is left out."""
    from mlflow.entities import Metric

    return [
        Metric(safe_name(name), float(value), milliseconds, step) for name, value in values.items() if value is not None
    ]


def _has_parts(values: Sequence[Any]) -> bool:
    """Lists of plain values stay one parameter (`[400, 400]`); lists of stages get a name each."""
    return any(isinstance(value, Mapping) for value in values)


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
