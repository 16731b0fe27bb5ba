"""What earlier studies on the same columns found: the plans of their fronts, tried first in a new study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import optuna
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from autocompress.errors import UserError, nearest
from autocompress.search.objectives import front
from autocompress.search.space import Spaces, in_space

SCHEMA = "schema"
MOST = 8
"""Plans of one study, spread over its front from small files to large ones."""
Earlier = tuple[str, ...] | Literal["same_schema"]


def earlier_recipes(storage: RDBStorage, asked: Earlier, schema: str, spaces: Spaces) -> list[dict[str, Any]]:
    """Parameter values of the fronts of earlier studies in a storage, those that the space holds.

    `asked` names the studies, or means all of the same schema, whose digest is `schema`. `UserError` naming
    `study.earlier` where a study is not there or has other columns.
    """
    known = {each.study_name: each.user_attrs for each in optuna.get_all_study_summaries(storage)}
    if asked == "same_schema":
        names = [name for name, attributes in known.items() if attributes.get(SCHEMA) == schema]
    else:
        names = list(asked)
        for name in names:
            if name not in known:
                raise UserError(f"study.earlier: no study {name!r} in study.storage{nearest(name, list(known))}")
            if known[name].get(SCHEMA) != schema:
                raise UserError(f"study.earlier: {name} has other fields or tasks: its plans do not fit these data")
    found: list[dict[str, Any]] = []
    for name in names:
        study = optuna.load_study(study_name=name, storage=storage)
        trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        members = front([(trial.values[0], trial.values[1], trial.values[2]) for trial in trials])
        for place in _spread(len(members)):
            recipe = {
                key: value for key, value in trials[members[place]].params.items() if in_space({key: value}, spaces)
            }
            if recipe and recipe not in found:
                found.append(recipe)
    return found


def _spread(members: int) -> Sequence[int]:
    """Places in a front, both ends among them."""
    return np.unique(np.linspace(0, members - 1, min(MOST, members)).round().astype(int)).tolist() if members else []
