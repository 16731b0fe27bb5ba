"""One run of the search as it ships, every file kept: `run.py` starts it.

python ours.py found.json <when it was started> ours <overrides>
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import optuna
from optuna.trial import TrialState

from autocompress.artefact.bundle import open_bundle
from autocompress.config.compose import compose
from autocompress.search import ledger, run
from autocompress.search.run import search
from autocompress.search.study import open_storage
from autocompress.storage import write_json

sys.path.append(str(Path(__file__).resolve().parent))
from judged import judged, opened


def main(found: str, started: str, _: str, *items: str) -> None:
    """Searches, then judges every file that it finished."""
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
        (trial.datetime_complete.timestamp() - float(started), open_bundle(folder / "artefacts" / name))
        for trial in trials
        if trial.state is TrialState.COMPLETE and trial.datetime_complete is not None
        for name in [trial.user_attrs["artefact"]]
    ]
    front = json.loads((folder / "front.json").read_text())
    facts = {"trials": len(trials), "teacher_bytes": scene.teacher_file.model_bytes, "bandit": front.get("bandit")}
    write_json(Path(found), {**facts, "files": judged(files, scene)})


if __name__ == "__main__":
    main(*sys.argv[1:])
