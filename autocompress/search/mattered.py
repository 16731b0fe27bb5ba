"""What mattered: which parameters moved the objectives, and which fields and layers the teacher can least spare."""

from __future__ import annotations

import warnings

import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from autocompress.compress.sensitivity import GONE, Harms, layer_harms, table_harms
from autocompress.report.contract import Mattered
from autocompress.search.scene import Scene

OBJECTIVES = ("quality", "size", "latency")
LEAST_TRIALS = 20
"""Complete trials with a parameter below which nothing is said of it."""
FIELD_BITS, LAYER_BITS = (8, 4, GONE), (8, 4)


def mattered(study: optuna.Study, scene: Scene) -> Mattered:
    """Of a study that is over."""
    model, context = scene.teacher.weights.model, scene.context
    layout = model.bank.layout
    tables = {name: table for table, name in enumerate(context.schema.tables) if table in layout.plain}
    layers, _ = layer_harms(model, context, LAYER_BITS)
    return Mattered(
        parameters=importances(study),
        fields=_roots(table_harms(model, context, tables, FIELD_BITS)),
        layers=_roots(layers),
    )


def importances(study: optuna.Study) -> dict[str, dict[str, float]]:
    """Parameter -> objective -> share of all importance, by PED-ANOVA (Watanabe, Bansal and Hutter, IJCAI 2023).

    Each parameter is looked at among the complete trials that have it, so that those of methods that were left out
    count, too. Empty where there are too few.
    """
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    names = sorted({name for trial in trials for name in trial.params})
    found: dict[str, dict[str, float]] = {}
    for place, objective in enumerate(OBJECTIVES):
        raw = {name: _importance(study, trials, name, place) for name in names}
        total = sum(value for value in raw.values() if value is not None)
        for name, value in raw.items():
            if value is not None and total > 0:
                found.setdefault(name, {})[objective] = value / total
    return found


def _importance(study: optuna.Study, trials: list[FrozenTrial], name: str, place: int) -> float | None:
    having = [trial for trial in trials if name in trial.params]
    if len(having) < LEAST_TRIALS or len({str(trial.params[name]) for trial in having}) < 2:
        return None

    def target(trial: FrozenTrial) -> float:
        return float(trial.values[place])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        # low values are what we want: all objectives are minimised
        warnings.filterwarnings("ignore", message=r"PedAnovaImportanceEvaluator computes .* low `target` values")
        evaluator = PedAnovaImportanceEvaluator()
        return get_param_importances(study, evaluator=evaluator, params=[name], target=target, normalize=False)[name]


def _roots(harms: Harms) -> dict[str, dict[str, float]]:
    return {name: {str(bits): harm**0.5 for bits, harm in by_bits.items()} for name, by_bits in harms.items()}
