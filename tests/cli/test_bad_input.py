from collections.abc import Callable
from pathlib import Path

import pytest

from autocompress.cli.main import main

pytestmark = pytest.mark.usefixtures("calls")

WRONG = {
    "subcommand": (["serach"], ["serach", "rows", "did you mean 'search'?"]),
    "option of a group": (["data=kuairnd"], ["data=kuairnd", "ads_simulator", "did you mean 'kuairand'?"]),
    "option that is a number": (["study=5"], ["study=5", "default"]),
    "search space": (["search_spaces=[channles]"], ["search_spaces", "rows", "did you mean 'channels'?"]),
    "group": (["stduy.n_trials=3"], ["stduy", "constraints", "did you mean 'study'?"]),
    "key": (["study.n_trails=3"], ["study.n_trails", "minutes", "did you mean 'n_trials'?"]),
    "key below a value": (["study.n_trials.x=3"], ["study.n_trials.x"]),
    "key of a space that was not chosen": (["search_spaces=[rows]", "search_spaces.channel.keep=[1]"], ["rows"]),
    "override without a value": (["study.n_trials"], ["study.n_trials", "key=value"]),
    "subcommand that comes late": (["search=ads", "rows"], ["rows", "comes first"]),
    "unreadable value": (["study.n_trials=[1"], ["study.n_trials=[1"]),
    "sweep without -m": (["study.n_trials=1,2"], ["study.n_trials", "[1,2]", "-m"]),
    "removal of what is absent": (["~stduy"], ["~stduy", "did you mean 'study'?"]),
    "addition of what exists": (["+study.n_trials=3"], ["study.n_trials", "exists already"]),
    "flag": (["--mutlirun"], ["--mutlirun", "did you mean '--multirun'?"]),
    "flag that has a value": (["search=ads", "--cgf", "job"], ["--cgf", "did you mean '--cfg'?"]),
    "value of a flag": (["--cfg", "jbo"], ["jbo", "job"]),
    "package to show": (["--cfg", "job", "-p", "nope"], ["nope"]),
    "pickle": (["--experimental-rerun=x"], ["--experimental-rerun", "pickle"]),
    "config name": (["-cn", "confg"], ["confg"]),
    "interpolation": (["study.n_trials=${nothing}"], ["nothing"]),
    "rows without output": (["rows"], ["output", "required"]),
    "split": (["rows", "split=tset", "output=o"], ["split=tset", "train, valid, test", "did you mean 'test'?"]),
    "rows of several configs": (["rows", "-m", "study.n_trials=1,2", "output=o"], ["-m"]),
    "key of predict": (["predict", "artefact=a", "inptu=i", "output=o"], ["inptu", "did you mean 'input'?"]),
    "predict without a key": (["predict", "artefact=a", "input=i"], ["output", "required"]),
    "word for measure": (["measure", "DIR"], ["DIR", "artefact"]),
    "empty value": (["measure", "artefact="], ["artefact", "empty"]),
    "key given twice": (["measure", "artefact=a", "artefact=b"], ["artefact", "twice"]),
}


@pytest.mark.parametrize(("items", "expected"), WRONG.values(), ids=WRONG)
def test_one_line_names_the_fault_and_the_status_is_2(
    items: list[str], expected: list[str], one_line: Callable[[list[str], list[str]], str], empty_folder: Path
) -> None:
    one_line(items, expected)
    assert list(empty_folder.iterdir()) == []


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("AUTOCOMPRESS_DEBUG", "1")
    assert main(["data=adz"]) == 2
    printed = capsys.readouterr().err
    assert "Traceback" in printed
    assert printed.splitlines()[-1].startswith("autocompress: error: data=adz")


def test_a_users_yaml_that_cannot_be_read_is_named_with_its_line(
    empty_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (empty_folder / "conf" / "study").mkdir(parents=True)
    (empty_folder / "conf" / "study" / "mine.yaml").write_text("n_trials: [1\nminutes: 3\n")
    assert main(["study=mine"]) == 2
    printed = capsys.readouterr().err
    assert "mine.yaml" in printed
    assert "line 2" in printed
    assert printed.count("\n") == 1


def test_a_composition_that_fails_leaves_the_environment_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    import os
    import sys

    before, argv = dict(os.environ), list(sys.argv)
    main(["data=adz"])
    assert (dict(os.environ), sys.argv) == (before, argv)
