"""Stores the trials of finished studies for `run.py`: python collect.py sqlite:///one.db sqlite:///another.db

Of studies on the simulator (**synthetic**, 1 M rows) that `search_efficiency` ran (its folders are deleted behind it:
copy `study.db` before), and of one whose trials all run through three rungs (`study.sampler=random
study.trial_pruner=none`), so that the end of many plans is known.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import distribution_to_json
from optuna.trial import FrozenTrial

from autocompress.search.learning_curve import FINISHES, reached
from autocompress.storage import write_json

STORED = Path(__file__).resolve().parent / "trials.json"


def row(trial: FrozenTrial, first: FrozenTrial) -> dict[str, Any]:
    """What a trial showed; of one that finishes a plan, what `first` had shown at rung 1, too."""
    rungs = {each["rung"]: each for each in [*first.user_attrs["rungs"], *trial.user_attrs["rungs"]]}
    shares = [stage["recovery"]["data_share"] for stage in trial.user_attrs["plan"]["stages"]]
    found: dict[str, Any] = {"params": trial.params, "log_bytes": rungs["gate"]["vector"][1]}
    found["log_latency"] = rungs["gate"]["vector"][2]
    if "one-shot" in rungs:
        found["one_shot"] = rungs["one-shot"]["vector"][0]
    if "training_seconds" in rungs.get("rung 1", {}):
        found |= {"rung_1": rungs["rung 1"]["vector"][0], "seconds": rungs["rung 1"]["training_seconds"]}
    if shares[-1] == 1.0 and reached(trial) == f"rung {max(2, len(shares))}":
        found["end"] = trial.user_attrs["rungs"][-1]["vector"][0]
    return found


def main(urls: list[str]) -> None:
    """Every trial that came as far as its gate."""
    rows, space = [], {}
    for url in urls:
        for name in optuna.get_all_study_names(url):
            trials = optuna.load_study(study_name=name, storage=url).trials
            for trial in trials:
                if reached(trial):
                    space |= {key: distribution_to_json(each) for key, each in trial.distributions.items()}
                    rows.append(row(trial, trials[trial.user_attrs.get(FINISHES, trial.number)]))
    write_json(STORED, {"space": {key: json.loads(each) for key, each in space.items()}, "trials": rows})


if __name__ == "__main__":
    main(sys.argv[1:])
