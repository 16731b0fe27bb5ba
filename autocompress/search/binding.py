"""Why no file keeps every constraint: which one binds, and who comes nearest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from optuna.trial import FrozenTrial, TrialState

from autocompress.measure.quality import Metric
from autocompress.report import wording
from autocompress.search.latencies import LATENCIES
from autocompress.search.objectives import RESOURCES
from autocompress.search.results import Violations, in_force, violations
from autocompress.search.settings import Constraints

NEAREST = 3


def unkept(
    trials: Sequence[FrozenTrial],
    teacher: Mapping[str, Mapping[str, float]],
    constraints: Constraints,
    metric: Metric = "auc",
    latencies: Mapping[str, Mapping[str, float]] | None = None,
) -> str | None:
    """A few sentences where trials ran to their end and none keeps every constraint; None elsewhere.

    The constraint that binds is the one that the fewest files keep, and of those the one that is missed by most of its
    own bound. The nearest files are those whose worst violation, in units of the bound, is least. `teacher` is its
    quality, by task and metric; `metric` is the study's; `latencies` were measured after a trial, by artefact digest.
    """
    later = latencies or {}
    bounds = in_force(constraints)
    broken = {
        trial.number: violations(
            constraints,
            trial.user_attrs["quality"],
            teacher,
            trial.user_attrs["model_bytes"],
            trial.user_attrs["p50"],
            metric,
            {**trial.user_attrs.get(LATENCIES, {}), **later.get(trial.user_attrs.get("artefact", ""), {})},
        )
        for trial in trials
        if trial.state is TrialState.COMPLETE
    }
    if not broken or any(all(value <= 0 for value in each.values()) for each in broken.values()):
        return None
    shares = {number: _shares(each, bounds) for number, each in broken.items()}
    kept = {name: sum(each[name] <= 0 for each in broken.values()) for name in bounds}
    binding = min(bounds, key=lambda name: (kept[name], -min(each[name] for each in shares.values())))
    said = "; ".join(f"{name}={bound:g} by {kept[name]} of {len(broken)} files" for name, bound in bounds.items())
    nearest = sorted(shares, key=lambda number: max(shares[number].values()))[:NEAREST]
    ours = ", ".join(f"trial {number} ({_values(broken[number], bounds)})" for number in nearest)
    return (
        f"No file keeps every constraint, and {binding} binds ({said}). Nearest: {ours}. The front shows the best "
        "without them."
    )


def _shares(broken: Violations, bounds: Mapping[str, float]) -> Violations:
    """Violations as shares of their bounds."""
    return {
        name: value if name.startswith(RESOURCES) else value / max(bounds[name], 1e-9) for name, value in broken.items()
    }


def _values(broken: Violations, bounds: Mapping[str, float]) -> str:
    """What a file has of each constraint that it breaks."""
    said = []
    for name, by in broken.items():
        if by > 0:
            value = bounds[name] * (1 + by) if name.startswith(RESOURCES) else bounds[name] + by
            said.append(f"{name} {wording.size(value) if name == 'max_bytes' else f'{value:.3g}'}")
    return ", ".join(said)
