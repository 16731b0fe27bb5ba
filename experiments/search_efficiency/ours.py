"""One run of the search as it ships, every file kept: `run.py` starts it.

python ours.py found.json <when it was started> ours <overrides>

For `search_ablation` a part of it is taken away: `without gates`, `random weights`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import optuna
from optuna.trial import TrialState

from autocompress.artefact.bundle import open_bundle
from autocompress.config.compose import compose
from autocompress.models.recommender import Recommender, build
from autocompress.models.shape import Shape
from autocompress.search import judging, ledger, run, trial
from autocompress.search.run import search
from autocompress.search.scene import Scene
from autocompress.search.study import open_storage
from autocompress.storage import write_json

sys.path.append(str(Path(__file__).resolve().parent))
from judged import judged, opened


def at_random(shape: Shape, scene: Scene) -> Recommender:
    """A student that inherits nothing."""
    return build(shape, scene.dataset.schema, scene.dataset.encoder.rows)


def take_away(part: str) -> None:
    """Of the search in this process."""
    if part == "without gates":
        judge = judging.Judging.__call__
        judging.Judging.__call__ = (  # type: ignore[method-assign]
            lambda self, rung, seen: "go on" if rung == "gate" else judge(self, rung, seen)
        )
    elif part == "random weights":
        trial.start = at_random  # type: ignore[assignment]


def main(found: str, started: str, way: str, *items: str) -> None:
    """Searches, then judges every file that it finished."""
    take_away(way)
    storage = f"sqlite:///{Path(found).parent}/study.db"
    (config,) = compose([*items, "tracking.enabled=false", f"study.storage={storage}", "study.name=study"])
    # files of dominated trials are judged, too; the closing measurement comes after the minutes
    ledger.drop_dominated = lambda finished, members: None  # type: ignore[attr-defined]
    run.close = lambda study, scene, books: None  # type: ignore[attr-defined]
    search(config)
    folder = config.output / "study"
    scene = opened(config, folder, whole_log=False)
    trials = optuna.load_study(study_name="study", storage=open_storage(storage)).trials
    files = [
        (each.datetime_complete.timestamp() - float(started), open_bundle(folder / "artefacts" / name), each.values[0])
        for each in trials
        if each.state is TrialState.COMPLETE and each.datetime_complete is not None
        for name in [each.user_attrs["artefact"]]
    ]
    front = json.loads((folder / "front.json").read_text())
    facts = {"trials": len(trials), "teacher_bytes": scene.teacher_file.model_bytes, "bandit": front.get("bandit")}
    write_json(Path(found), {**facts, "shipped": len(files), "files": judged(files, scene)})


if __name__ == "__main__":
    main(*sys.argv[1:])
