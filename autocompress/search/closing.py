"""The closing measurement: the front is frozen, the test split opened once, every file measured in full."""

from __future__ import annotations

import optuna

from autocompress.report.contract import MeasuredFile
from autocompress.report.front_files import last_front
from autocompress.report.wording import duration
from autocompress.search.files import Known, measure_in_full, measured_before, open_test
from autocompress.search.ledger import Ledger
from autocompress.search.mattered import mattered
from autocompress.search.results import drop_dominated, front_members
from autocompress.search.scene import Scene
from autocompress.search.study import EXHAUSTED, finished


def close(study: optuna.Study, scene: Scene, ledger: Ledger) -> None:
    """Measures teacher, landmarks and front members, writes the final front and closes the books.

    What an earlier closing measured is not measured again. Without a member the test split stays closed, so that the
    study can go on with it untouched.
    """
    trials = ledger.finished()
    members = front_members(trials)
    drop_dominated(trials, members)
    ledger.keep_time()
    if not members:
        ledger.show.note(_nothing(study, ledger))
        ledger.close(ledger.write("interrupted", members))
        return
    study.set_user_attr("test_opened", True)
    measured = _full(scene, ledger, [ledger.teacher, *ledger.landmarks, *(member.known for member in members)])
    ledger.show.phase("what mattered")
    front = ledger.write("ended", members, measured, mattered(study, scene))
    study.set_user_attr("closed", True)
    ledger.close(front)


def _full(scene: Scene, ledger: Ledger, files: list[Known]) -> dict[str, MeasuredFile]:
    """Full measurements by artefact digest."""
    before = last_front(ledger.folder)
    measured = measured_before(before, ledger.teacher) if before and before.state == "ended" else {}
    missing = [known for known in files if known.bundle.digest not in measured]
    if missing:
        test = open_test(ledger.teacher.bundle, scene.dataset, scene.threads, scene.goal)
    for index, known in enumerate(missing):
        ledger.show.phase(f"closing measurement: file {index + 1} of {len(missing)}, {known.name}")
        measured[known.bundle.digest] = measure_in_full(known, ledger.teacher, test, ledger.folder, scene.turns)
    return measured


def _nothing(study: optuna.Study, ledger: Ledger) -> str:
    """Why there is no front, and what to do."""
    if study.user_attrs.get(EXHAUSTED):
        return "no trial ran to its end, and every plan of the space has been tried: widen it, under another study.name"
    if finished(study):
        return "no trial ran to its end: a larger study.n_trials or study.minutes goes on from here"
    return (
        f"study.minutes ran out before the first trial: teacher and landmarks took {duration(ledger.seconds)}; "
        "larger study.minutes go on from here"
    )
