"""The closing measurement: the front is frozen, the test split opened once, every file measured in full."""

from __future__ import annotations

import optuna

from autocompress.report.contract import MeasuredFile
from autocompress.search.files import measure_in_full, open_test
from autocompress.search.ledger import Ledger
from autocompress.search.results import drop_dominated, front_members
from autocompress.search.scene import Scene


def close(study: optuna.Study, scene: Scene, ledger: Ledger) -> None:
    """Measures teacher, landmarks and front members, writes the final front and closes the books."""
    trials = ledger.finished()
    members = front_members(trials)
    drop_dominated(trials, members)
    ledger.keep_time()
    files = [ledger.teacher, *ledger.landmarks, *(member.known for member in members)]
    study.set_user_attr("test_opened", True)
    test = open_test(ledger.teacher.bundle, scene.dataset, scene.threads)
    measured: dict[str, MeasuredFile] = {}
    for index, known in enumerate(files):
        ledger.show.phase(f"closing measurement: file {index + 1} of {len(files)}, {known.name}")
        measured[known.bundle.digest] = measure_in_full(known, ledger.teacher, test, ledger.folder)
    front = ledger.write("ended", members, measured)
    study.set_user_attr("closed", True)
    ledger.close(front)
