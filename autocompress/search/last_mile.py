"""The last mile: members of the front trained again, with the whole log and other seeds, before the test split opens.

Every training is a trial of the study like any other, so that it is kept, shown and resumed as one. How many seeds a
member deserves is decided by successive elimination (Even-Dar, Mannor and Mansour, JMLR 2006): who is no smaller and no
faster than another, and surely worse, is not trained again.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import optuna
from optuna.trial import FixedTrial, FrozenTrial, TrialState, create_trial

from autocompress.compress.plan import Recovery
from autocompress.search.config import SearchConfig
from autocompress.search.learning_curve import reached, rung_name
from autocompress.search.ledger import Ledger
from autocompress.search.objectives import TIES
from autocompress.search.recoveries import recoveries, rows_of
from autocompress.search.results import front_members
from autocompress.search.scene import Scene
from autocompress.search.space import suggest
from autocompress.search.study import finished
from autocompress.search.told import told
from autocompress.search.trial import run_trial

AGAIN, SEED = "trained_again", "trained_with_seed"
SURE = 1.96


class Seen(NamedTuple):
    """A member of the front: bytes and latency as logarithms, and the quality of each of its trainings."""

    size: float
    latency: float
    qualities: tuple[float, ...]


def last_mile(config: SearchConfig, study: optuna.Study, scene: Scene, ledger: Ledger) -> None:
    """Trains members of the front again until each has had `study.last_mile_seeds` more seeds, or was given up.

    What an earlier run of the study has trained is not trained again, nor what failed. The study's clock stands still
    meanwhile. KeyboardInterrupt passes through.
    """
    seeds = config.study.last_mile_seeds
    if not seeds:
        return
    stored = {trial.number: trial for trial in finished(study)}
    there = ledger.finished()
    first = [trial for trial in there if AGAIN not in stored[trial.number].user_attrs]
    # on a resume the file of a member may be dropped already, because its own second training beat it
    on_it = [member.number for member in (*front_members(first), *front_members(there))]
    members = {number: stored[number] for number in (stored[each].user_attrs.get(AGAIN, each) for each in on_it)}
    rows = rows_of(config.study.rungs, scene.dataset.rows["train"])
    last = rung_name(len(rows)) if rows[-1] >= scene.dataset.rows["train"] else ""
    with ledger.clock_stopped():
        for seed in range(1, seeds + 1):
            alive = survivors({number: _seen(trial, finished(study), last) for number, trial in members.items()})
            for place, number in enumerate(alive):
                if (number, seed) not in _done(finished(study)):
                    where = f"seed {seed} of {seeds}, file {place + 1} of {len(alive)}"
                    ledger.show.phase(f"last mile: {where}, trial {number}")
                    _train_again(members[number], seed, config, study, scene, ledger)


def survivors(seen: Mapping[int, Seen]) -> list[int]:
    """The members that another seed may still make the best of their size and speed, by number.

    A member's mean is known to +- 1.96 s / sqrt(n), with s the spread inside members, of all of them together; until
    anybody was trained twice nobody is given up, nor is who has not been trained on the whole log yet.
    """
    twice = [each.qualities for each in seen.values() if len(each.qualities) > 1]
    free = sum(len(qualities) - 1 for qualities in twice)
    if not free:
        return list(seen)
    squares = [np.square(np.subtract(qualities, np.mean(qualities))).sum() for qualities in twice]
    spread = math.sqrt(sum(squares) / free)

    def bounds(each: Seen) -> tuple[float, float]:
        if not each.qualities:
            return -math.inf, math.inf
        half = SURE * spread / math.sqrt(len(each.qualities))
        return float(np.mean(each.qualities)) - half, float(np.mean(each.qualities)) + half

    return [
        number
        for number, mine in seen.items()
        if not any(
            other.size <= mine.size + TIES[1]
            and other.latency <= mine.latency + TIES[2]
            and bounds(other)[0] > bounds(mine)[1]
            for other in seen.values()
        )
    ]


def whole_log(stages: Sequence[Recovery]) -> list[Recovery]:
    """Recoveries whose last one sees every training row at least once."""
    return [*stages[:-1], stages[-1].model_copy(update={"data_share": 1.0})]


def _seen(trial: FrozenTrial, trials: Sequence[FrozenTrial], last: str) -> Seen:
    """A first training that ended before the rung `last` says nothing of what the whole log makes of the plan."""
    again = [each for each in trials if each.user_attrs.get(AGAIN) == trial.number and each.values]
    trained = [trial, *again] if reached(trial) == last else again
    return Seen(trial.values[1], trial.values[2], tuple(-each.values[0] for each in trained))


def _done(trials: Sequence[FrozenTrial]) -> set[tuple[int, int]]:
    return {(each.user_attrs[AGAIN], each.user_attrs[SEED]) for each in trials if AGAIN in each.user_attrs}


def _train_again(
    trial: FrozenTrial, seed: int, config: SearchConfig, study: optuna.Study, scene: Scene, ledger: Ledger
) -> None:
    fixed = FixedTrial(copy.deepcopy(trial.params))
    stages = recoveries(config.study.rungs, scene.dataset.rows["train"], scene.mask_ids)
    plan = suggest(fixed, config.search_spaces, scene.shape, whole_log(stages))
    plan = plan.model_copy(update={"calibration": config.study.calibration})
    number, words = len(study.get_trials(deepcopy=False)), plan.words(scene.shape)
    ledger.show.trial(number, None, words)
    facts: dict[str, Any] = {
        "words": words,
        "plan": plan.model_dump(mode="json"),
        "digest": plan.digest,
        AGAIN: trial.number,
        SEED: seed,
    }
    made: dict[str, Any] = {"params": trial.params, "distributions": trial.distributions}
    try:
        outcome = run_trial(
            plan,
            scene,
            lambda rung, seen: "go on",
            lambda rung, quality: ledger.show.rung(number, rung, quality),
            seed=scene.seed + seed,
        )
        vector, attributes, broken = told(outcome, config, scene, ledger)
        facts |= {**attributes, "rungs": outcome.rungs}
        made |= {"state": TrialState.COMPLETE, "values": vector, "constraints": broken}
    except Exception as error:  # the first file is there: one that fails must not keep the study from its end
        facts["error"] = f"{type(error).__name__}: {error}"
        made["state"] = TrialState.FAIL
        ledger.show.note(f"trial {number} failed, the last mile goes on: {facts['error'].splitlines()[0]}")
    # stored when it is done: a process that is killed in the middle leaves nothing half-told
    study.add_trial(create_trial(**made, user_attrs=facts))
    ledger.trial_ended(study.get_trials(deepcopy=False)[-1])
