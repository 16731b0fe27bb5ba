from pathlib import Path

import pytest

from autocompress.cli.main import main
from autocompress.config.folders import packaged
from tests.cli.stand_ins import Calls


def write(folder: Path, name: str, text: str) -> None:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_a_users_file_comes_before_the_packaged_one_of_its_name(calls: Calls, empty_folder: Path) -> None:
    write(empty_folder, "conf/study/default.yaml", "n_trials: 99\n")
    main([])
    assert calls.given[0][0].study == {"n_trials": 99}


def test_a_users_file_adds_an_option_beside_the_packaged_ones(calls: Calls, empty_folder: Path) -> None:
    write(empty_folder, "conf/data/mine.yaml", "kind: mine\n")
    main(["data=mine"])
    main(["data=kuairand"])
    assert [config.data["kind"] for (config,) in calls.given] == ["mine", "kuairand"]


def test_a_users_search_space_comes_first_and_lands_under_its_own_name(calls: Calls, empty_folder: Path) -> None:
    write(empty_folder, "search_spaces/rows.yaml", "keep: [0.3]\n")
    write(empty_folder, "search_spaces/mine.yaml", "x: [1, 2]\n")
    main(["search_spaces=[mine,rows]", "search_spaces.mine.x=[2]"])
    assert calls.given[0][0].model_extra["search_spaces"] == {"mine": {"x": [2]}, "rows": {"keep": [0.3]}}


def test_a_users_primary_config_is_refused_with_a_reason(
    calls: Calls, empty_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(empty_folder, "conf/config.yaml", "data: {kind: mine}\n")
    assert main([]) == 2
    assert "conf/config.yaml" in capsys.readouterr().err
    assert calls.given == []


def test_an_equal_copy_of_the_packaged_conf_is_no_primary_config_of_the_users(calls: Calls, empty_folder: Path) -> None:
    write(empty_folder, "conf/config.yaml", (packaged("conf") / "config.yaml").read_text())
    assert main([]) == 0


def test_the_current_folder_itself_is_never_searched(calls: Calls, empty_folder: Path) -> None:
    write(empty_folder, "data/ads_simulator.yaml", "kind: unrelated\n")
    write(empty_folder, "study/other.yaml", "n_trials: 1\n")
    assert main([]) == 0
    assert calls.given[0][0].data["kind"] == "ads_simulator"
    assert main(["study=other"]) == 2


def test_the_packaged_conf_is_not_listed_twice_in_its_own_checkout(
    monkeypatch: pytest.MonkeyPatch, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(packaged("conf").parent)
    assert main(["--info", "searchpath"]) == 0
    assert "| user " not in capsys.readouterr().out


def test_a_scenario_overrides_groups_and_the_command_line_wins_over_it(calls: Calls, empty_folder: Path) -> None:
    write(
        empty_folder,
        "conf/search/mine.yaml",
        "# @package _global_\ndefaults:\n  - override /data: kuairand\n  - override /search_spaces: [rows]\n"
        "study: {n_trials: 5}\n",
    )
    main(["search=mine"])
    main(["search=mine", "data=ads_simulator", "search_spaces=[channels]", "study.n_trials=6"])
    main(["search=ads", "data=kuairand"])
    (first,), (second,), (third,) = calls.given
    assert (first.data["kind"], list(first.search_spaces), first.study["n_trials"]) == ("kuairand", ["rows"], 5)
    assert (second.data["kind"], list(second.search_spaces)) == ("ads_simulator", ["channels"])
    assert second.study["n_trials"] == 6
    assert third.data["kind"] == "kuairand"


def test_help_lists_the_users_options(empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(empty_folder, "conf/data/mine.yaml", "kind: mine\n")
    write(empty_folder, "search_spaces/own.yaml", "x: [1]\n")
    main(["--help"])
    printed = capsys.readouterr().out
    assert "mine" in printed
    assert "own" in printed
